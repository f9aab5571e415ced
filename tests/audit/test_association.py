"""Measures of dependence and unevenness against hand calculations, libraries and their own limits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import jensenshannon
from scipy.stats import skew, wasserstein_distance
from sklearn.metrics import mutual_info_score, normalized_mutual_info_score

from fergap.audit import association
from fergap.audit.association import ASSOCIATIONS, PUBLISHED, UNEVENNESS, duchers_z

TABLE = np.array([[30, 10, 10], [10, 20, 20]])
INDEPENDENT = np.outer([2, 3], [10, 20, 30])
PERFECT = np.diag([20, 20, 20])


def long(table):
    rows, columns = np.indices(table.shape)
    return np.repeat(rows.ravel(), table.ravel()), np.repeat(columns.ravel(), table.ravel())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # shares .6 .2 .2 and .2 .4 .4: differences .4 .2 .2
        ("WD", 0.8 / 3),
        # scipy: jensenshannon([.6, .2, .2], [.2, .4, .4])**2 / 3
        ("JSD", jensenshannon([0.6, 0.2, 0.2], [0.2, 0.4, 0.4]) ** 2 / 3),
        # entropies .9503 and 1.0549 of 1.0889 (labels 40 30 30 of 100)
        ("CEBI", 1 - (0.950270539 + 1.054920168) / 2 / 1.088899975),
        # Σp²: .44 and .36; (. − 1/3) / (2/3)
        ("SI", ((0.44 - 1 / 3) + (0.36 - 1 / 3)) / 2 / (2 / 3)),
        ("NSE", 0.5 * (0.5 * (1 - 0.950270539 / np.log(3)) + 0.5 * (1 - 1.054920168 / np.log(3)))),
    ],
)
def test_the_published_equations_by_hand(name, expected):
    assert PUBLISHED[name](TABLE) == pytest.approx(expected, abs=1e-8)


def test_label_skewness_is_the_mean_of_the_groups_transformed_skewness():
    values = [abs(skew([0.6, 0.2, 0.2])), abs(skew([0.2, 0.4, 0.4]))]
    assert PUBLISHED["NLS"](TABLE) == pytest.approx(np.mean([v / (1 + v) for v in values]))


def test_against_libraries():
    groups, labels = long(TABLE)
    information = mutual_info_score(groups, labels)
    assert association.mutual_information(TABLE) == pytest.approx(information)
    geometric = normalized_mutual_info_score(groups, labels, average_method="geometric")
    assert ASSOCIATIONS["normalised_mutual_information"](TABLE) == pytest.approx(geometric)
    assert PUBLISHED["GNMI"](TABLE) == pytest.approx(geometric)
    # scipy.stats.entropy([40, 30, 30]) == 1.0889
    assert ASSOCIATIONS["uncertainty_coefficient"](TABLE) == pytest.approx(information / 1.0888999753)


def test_total_variation_is_the_wasserstein_distance_with_labels_equally_far_apart():
    # with two labels every ground distance is the same one
    table = np.array([[7, 3], [2, 8]])
    expected = wasserstein_distance([0, 1], [0, 1], [0.7, 0.3], [0.2, 0.8])
    assert ASSOCIATIONS["total_variation"](table) == pytest.approx(expected)


def test_cramers_v_with_its_correction_by_hand():
    # χ² of TABLE is 10 + 2·(25/15)·2 = 16.667 (expected 20 15 15), φ² = .16667;
    # corrected (.16667 − 2/99) / (min(2 − 1/99, 3 − 4/99) − 1)
    assert ASSOCIATIONS["cramers_v"](TABLE) == pytest.approx(np.sqrt((1 / 6 - 2 / 99) / (1 - 1 / 99)))


@pytest.mark.parametrize("name", ASSOCIATIONS)
def test_corrected_measures_reach_both_ends(name):
    assert ASSOCIATIONS[name](INDEPENDENT) == pytest.approx(0, abs=1e-12)
    assert ASSOCIATIONS[name](PERFECT) == pytest.approx(1)


@pytest.mark.parametrize(("name", "most"), [("WD", 2 / 7), ("JSD", np.log(2) / 7)])
def test_what_the_published_forms_cannot_reach(name, most):
    apart = np.array([[5, 5, 5, 0, 0, 0, 0], [0, 0, 0, 5, 5, 5, 5]])
    assert PUBLISHED[name](apart) == pytest.approx(most)


@pytest.mark.parametrize("name", ["SI", "NSE"])
def test_what_the_published_forms_say_of_independence(name):
    assert PUBLISHED[name](INDEPENDENT) > 0.01


tables = arrays(np.int64, st.tuples(st.integers(2, 4), st.integers(2, 5)), elements=st.integers(0, 30)).filter(
    lambda t: (t.sum(1) > 0).sum() > 1 and (t.sum(0) > 0).sum() > 1
)


@given(tables, st.randoms(use_true_random=False))
def test_corrected_measures_are_bounded_and_blind_to_order(table, random):
    rows, columns = list(range(len(table))), list(range(table.shape[1]))
    random.shuffle(rows)
    random.shuffle(columns)
    for measure in ASSOCIATIONS.values():
        value = measure(table)
        assert -1e-12 <= value <= 1 + 1e-12
        assert measure(table[rows][:, columns]) == pytest.approx(value, abs=1e-9)


@given(tables)
def test_an_empty_group_or_label_changes_no_corrected_measure(table):
    wider = np.pad(table, ((0, 1), (0, 1)))
    for measure in ASSOCIATIONS.values():
        assert measure(wider) == pytest.approx(measure(table), abs=1e-12)


@given(tables)
def test_many_tables_at_once_are_each_alone(table):
    both = np.stack([table, table[::-1]])
    for measure in (*ASSOCIATIONS.values(), *PUBLISHED.values()):
        np.testing.assert_allclose(measure(both), [measure(table), measure(table[::-1])], atol=1e-12)


def test_shares_that_round_above_one_have_no_entropy_below_zero():
    counts = np.array([[1, 6, 3, 3], [0, 0, 0, 0]])  # the first group's share is 1.0000000000000002
    assert association.entropy(association.shares(counts, (-2, -1)).sum(-1)) == 0
    for measure in (*ASSOCIATIONS.values(), *PUBLISHED.values()):
        assert np.isfinite(measure(counts))


def test_unevenness_by_hand():
    assert UNEVENNESS["effective_number"](np.array([5, 5])) == pytest.approx(0)
    assert UNEVENNESS["effective_number"](np.array([9, 0, 0])) == pytest.approx(1)
    # .8, .2: e^H = 5 / 4^.8 = 1.6494
    assert UNEVENNESS["effective_number"](np.array([8, 2])) == pytest.approx(1 - 0.6494, abs=1e-4)
    assert UNEVENNESS["normalised_deviation"](np.array([8, 2])) == pytest.approx(0.6)
    assert UNEVENNESS["normalised_deviation"](np.array([9, 0, 0])) == pytest.approx(1)


def test_duchers_z_by_hand():
    # p .3 .1 .1 / .1 .2 .2, rows .5 .5, columns .4 .3 .3
    expected = [[0.1 / 0.2, -0.05 / 0.15, -0.05 / 0.15], [-0.1 / 0.2, 0.05 / 0.15, 0.05 / 0.15]]
    np.testing.assert_allclose(duchers_z(TABLE), expected)
    np.testing.assert_allclose(np.diag(duchers_z(PERFECT)), 1)
    np.testing.assert_allclose(duchers_z(INDEPENDENT), 0, atol=1e-12)
