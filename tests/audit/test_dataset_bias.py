"""The data set's own bias: intervals that cover, and rows of the audit."""

import numpy as np
import pandas as pd
import pytest

from fergap.audit import audit
from fergap.audit.association import ASSOCIATIONS
from fergap.audit.dataset_bias import associations, lower_ends, noncentralities, unevenness
from fergap.audit.proportions import wilson

LABELS = np.array([0.4, 0.3, 0.2, 0.1])
GROUPS = np.array([0.7, 0.3])


def covered(cells, truth, studies, stream):
    """Return the share of intervals that hold the truth, by metric."""
    hits = dict.fromkeys(truth, 0)
    for _ in range(studies):
        counts = stream.multinomial(600, cells.ravel()).reshape(cells.shape)
        for row in associations(counts, 0.95, stream, 200):
            if row["form"] == "corrected":
                hits[row["metric"]] += row["ci_low"] - 1e-12 <= truth[row["metric"]] <= row["ci_high"] + 1e-12
    return {metric: n / studies for metric, n in hits.items()}


def test_on_independent_data_each_interval_holds_zero_as_often_as_it_says():
    found = covered(np.outer(GROUPS, LABELS), dict.fromkeys(ASSOCIATIONS, 0.0), 300, np.random.default_rng(1))
    # 3 standard errors of 300 studies below 95 %; the interval of a divergence is longer than it need be there
    assert min(found.values()) > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 300)
    assert max(found[m] for m in ("total_variation", "cramers_v", "uncertainty_coefficient")) < 0.995


def test_on_dependent_data_intervals_hold_the_population():
    cells = np.array([GROUPS[0] * LABELS, GROUPS[1] * (0.5 * LABELS + 0.5 * LABELS[::-1])])
    truth = {name: float(measure(cells * 1e9)) for name, measure in ASSOCIATIONS.items()}
    assert min(covered(cells, truth, 300, np.random.default_rng(2)).values()) > 0.88


def test_noncentralities_by_their_definition():
    from scipy.stats import ncx2

    low, high = noncentralities(20.0, 3, 3, 0.95)
    assert ncx2.cdf(20.0, 4, low) == pytest.approx(0.975)
    assert ncx2.cdf(20.0, 4, high) == pytest.approx(0.025)
    assert noncentralities(4.0, 3, 3, 0.95)[0] == 0.0


def test_a_lower_end_reaches_the_estimate_with_half_the_level():
    counts, name = np.array([[60, 40], [30, 70]]), "total_variation"
    measure, stream = ASSOCIATIONS[name], np.random.default_rng(6)
    low = lower_ends(counts, {name: measure}, 0.95, stream, 4000)[name]
    # with the margins kept, a departure from independence that is shrunk to a share has that share of the distance
    independent = np.outer([100, 100], [90, 110]) / 200**2
    population = independent + low / 0.3 * (counts / 200 - independent)
    assert measure(population) == pytest.approx(low)
    drawn = stream.multinomial(200, population.ravel(), 20_000).reshape(-1, 2, 2)
    assert (measure(drawn) >= 0.3 - 1e-12).mean() == pytest.approx(0.025, abs=0.006)
    assert lower_ends(np.array([[50, 50], [49, 51]]), {name: measure}, 0.95, stream, 500)[name] == 0


def test_a_table_nearer_to_independence_than_chance_makes_it_has_its_estimate_in_the_interval():
    counts = np.array([[20, 20, 20], [20, 20, 20], [20, 20, 21]])
    assert noncentralities(0.02, 3, 3, 0.95) == (0.0, 0.0)
    for row in associations(counts, 0.95, np.random.default_rng(5), 200):
        if row["form"] == "corrected":
            assert row["ci_low"] <= row["estimate"] <= row["ci_high"], row


def test_under_independence_the_expectation_is_told_and_p_is_no_smaller_than_it_should():
    counts = np.random.default_rng(3).multinomial(200, np.outer(GROUPS, LABELS).ravel()).reshape(2, 4)
    for row in associations(counts, 0.95, np.random.default_rng(4), 500):
        if row["metric"] in ("total_variation", "uncertainty_coefficient"):
            assert row["expected"] > 0
            assert row["p_value"] > 0.01


@pytest.mark.parametrize("counts", [np.array([[5, 5], [3, 2]]), np.array([[50, 50]]), np.zeros((2, 3), int)])
def test_what_cannot_be_estimated(counts):
    rows = list(associations(counts, 0.95, np.random.default_rng(0), 50))
    assert all(row["status"].startswith("not estimable: ") for row in rows)


def test_even_groups_are_even():
    for row in unevenness(np.array([100, 100, 100]), 0.95, np.random.default_rng(0), 300):
        assert (row["estimate"], row["ci_low"]) == (pytest.approx(0, abs=1e-12), 0)
    for row in unevenness(np.array([280, 10, 10]), 0.95, np.random.default_rng(0), 300):
        assert row["p_value"] < 0.01
        assert row["ci_low"] > 0.5


@pytest.fixture(scope="module")
def found():
    stream = np.random.default_rng(5)
    n = 400
    faces = [f"f{i}" for i in range(n)]
    gender, age = stream.choice(["female", "male"], n), stream.choice(["child", "adult"], n, p=[0.2, 0.8])
    label = np.where((gender == "female") & (stream.random(n) < 0.4), "happy", stream.choice(["happy", "sad"], n))
    predictions = pd.DataFrame({"image_id": faces, "true": label, "predicted": stream.permutation(label)})
    people = pd.concat(
        pd.DataFrame({"image_id": faces, "attribute": a, "group": g}) for a, g in (("gender", gender), ("age", age))
    )
    truth = pd.DataFrame({"gender": gender, "age": age, "label": label})
    return audit(predictions, people, attributes=["gender", "age", "gender*age"], resamples=100), truth


def test_the_planted_dependence_is_found_and_no_other(found):
    table = (
        found[0]["dataset_bias"]
        .query("form == 'corrected'")
        .fillna({"with": ""})
        .set_index(["attribute", "with", "metric"])
    )
    assert table.loc[("gender", "label", "total_variation"), "p_adjusted"] < 0.01
    assert table.loc[("age", "label", "total_variation"), "p_adjusted"] > 0.05
    assert table.loc[("gender", "age", "total_variation"), "p_adjusted"] > 0.05
    assert table.loc[("age", "", "effective_number"), "p_value"] < 0.01
    assert set(table.index.get_level_values(0)) == {"gender", "age"}


def test_shares_are_those_of_the_faces(found):
    out, truth = found
    table = out["dataset_shares"].set_index(["attribute", "group", "label"])
    women = truth.query("gender == 'female'")
    row = table.loc[("gender", "female", "happy")]
    right = (women["label"] == "happy").sum()
    assert (row["count"], row["n"]) == (right, len(women))
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(wilson(right, len(women), 0.95))
    assert row["overall"] == pytest.approx((truth["label"] == "happy").mean())
    assert row["duchers_z"] > 0.1
    both = truth.query("gender == 'female' and age == 'child'")
    assert table.loc[("gender*age", "female*child", "sad"), "n"] == len(both)
    assert table.loc[("all", "all", "sad"), "share"] == pytest.approx((truth["label"] == "sad").mean())
    np.testing.assert_allclose(table.groupby(level=[0, 1])["share"].sum(), 1)
