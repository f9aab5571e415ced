"""The taggers' own gaps and the model's at equal ambiguity: hand calculations, other formulas, invariants, recovery."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.weightstats import DescrStatsW
from two_groups import two_groups

from fergap.audit.engine import as_table
from fergap.audit.human_reference import human_reference, ratio
from fergap.audit.settings import Settings
from fergap.errors import UserError

SETTINGS = Settings(0.03, 0.95, 1000, 2, 1, ())


def table(group, right, taggers, true="x", settings=SETTINGS):
    """The rows on faces of two groups, a and b (the reference); ``taggers`` are the four columns."""
    return as_table(list(human_reference(*two_groups(group, right, taggers, true), settings)), "human_reference")


def gap(found, metric, adjusted_for=None):
    rows = found[found["reference"].notna() & (found["metric"] == metric)]
    rows = rows[rows["adjusted_for"].isna() if adjusted_for is None else rows["adjusted_for"] == adjusted_for]
    assert len(rows) == 1
    return rows.iloc[0]


def test_a_hand_calculation():
    group = ["a", "a", "a", "b", "b", "b", "b"]
    right = np.array([1, 0, 1, 1, 1, 0, 0], bool)
    #          answered right kept ambiguity
    taggers = [
        [1.0, 0.9, 1.0, 0.5],
        [1.0, 0.6, 0.8, 1.0],
        [0.5, 0.5, 0.9, 1.0],
        [1.0, 1.0, 1.0, 0.5],
        [1.0, 0.8, 1.0, 0.5],
        [0.5, 0.1, 0.6, 1.0],
        [0.0, 0.0, 0.4, 2.0],
    ]
    found = table(group, right, taggers)
    own = found[found["reference"].isna()].set_index(["group", "metric"])["estimate"]
    assert own["a", "model_accuracy"] == pytest.approx(2 / 3)
    assert own["a", "tagger_accuracy"] == pytest.approx(2.0 / 2.5)
    assert own["b", "tagger_accuracy"] == pytest.approx(1.9 / 2.5)
    assert own["a", "model_minus_taggers"] == pytest.approx((1 + 0 + 0.5 - 2.0) / 2.5)
    assert own["b", "label_kept"] == pytest.approx(3.0 / 4)
    assert own["a", "ambiguity"] == pytest.approx(2.5 / 3)
    assert gap(found, "tagger_accuracy")["estimate"] == pytest.approx(0.8 - 0.76)
    assert gap(found, "model_accuracy")["estimate"] == pytest.approx(2 / 3 - 1 / 2)
    # at 0.5 bits 1/1 against 2/2, weight 1·2/3; at 1 bit 1/2 against 0/1, weight 2·1/3; at 2 bits b alone
    equal = gap(found, "model_accuracy", "ambiguity")
    assert equal["estimate"] == pytest.approx((0 * 2 / 3 + 0.5 * 2 / 3) / (4 / 3))
    assert equal["compared"] == pytest.approx(6 / 7)
    assert found.loc[found["method"] == "delta", "status"].eq("interval not estimable: fewer than 30 faces").all()


def test_the_error_of_a_mean_and_of_a_ratio():
    rng = np.random.default_rng(4)
    r, w = rng.random(400), 0.5 + rng.random(400)
    mean = ratio(r, np.ones(400))
    assert np.sqrt(np.sum(mean.pulls**2)) == pytest.approx(DescrStatsW(r).std_mean)
    # the jackknife, a method of its own for the same error: they differ by terms of order 1/n
    without = (r.sum() - r) / (w.sum() - w)
    jackknife = np.sqrt(399 / 400 * np.sum((without - without.mean()) ** 2))
    assert np.sqrt(np.sum(ratio(r, w).pulls ** 2)) == pytest.approx(jackknife, rel=0.01)


def drawn(rng, n, levels=(0.0, 0.9, 1.5), model_gap=0.0):
    """Faces of two groups: a's are more ambiguous, and all are read worse the more ambiguous they are."""
    group = np.where(rng.random(n) < 0.4, "a", "b")
    level = np.where(group == "a", rng.choice(3, n, p=[0.2, 0.3, 0.5]), rng.choice(3, n, p=[0.5, 0.3, 0.2]))
    right = rng.random(n) < np.array([0.9, 0.7, 0.4])[level] - model_gap * (group == "a")
    votes = np.clip(rng.binomial(10, np.array([0.95, 0.75, 0.6])[level]) / 10, 0, 1)
    return group, right, np.column_stack([np.ones(n), votes, votes, np.array(levels)[level]])


@pytest.mark.parametrize("model_gap", [0.0, 0.1])
def test_hard_for_everyone_is_told_from_hard_for_the_model(model_gap):
    taggers = (0.2 * 0.95 + 0.3 * 0.75 + 0.5 * 0.6) - (0.5 * 0.95 + 0.3 * 0.75 + 0.2 * 0.6)
    crude = (0.2 * 0.9 + 0.3 * 0.7 + 0.5 * 0.4) - (0.5 * 0.9 + 0.3 * 0.7 + 0.2 * 0.4) - model_gap
    truth = {
        ("tagger_accuracy", None): taggers,
        ("model_accuracy", None): crude,
        ("model_accuracy", "ambiguity"): -model_gap,
        ("model_minus_taggers", None): crude - taggers,
    }
    rng, hits, studies = np.random.default_rng(5), dict.fromkeys(truth, 0), 60
    for _ in range(studies):
        found = table(*drawn(rng, 600, model_gap=model_gap))
        for key, value in truth.items():
            row = gap(found, *key)
            hits[key] += row["ci_low"] <= value <= row["ci_high"]
    # 3 standard errors of 60 studies below 95 %
    assert min(hits.values()) / studies > 0.95 - 3 * np.sqrt(0.05 * 0.95 / studies), hits


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_invariants(seed):
    rng = np.random.default_rng(seed)
    group, right, taggers = drawn(rng, 80)
    group[:2], group[2:4] = "a", "b"
    taggers[:, 1] = right  # taggers right where the model is
    taggers[:, 3] = 0.7  # and every face as ambiguous as the others
    found = table(group, right, taggers)
    assert gap(found, "model_minus_taggers")["estimate"] == pytest.approx(0)
    crude = gap(found, "model_accuracy")["estimate"]
    assert gap(found, "tagger_accuracy")["estimate"] == pytest.approx(crude)
    for adjusted_for in ("ambiguity", "class and ambiguity"):
        assert gap(found, "model_accuracy", adjusted_for)["estimate"] == pytest.approx(crude)
    ok = found[found["ci_low"].notna()]
    assert (ok["ci_low"] <= ok["estimate"] + 1e-12).all()
    assert (ok["estimate"] <= ok["ci_high"] + 1e-12).all()


def test_what_cannot_be_estimated_says_why():
    taggers = np.column_stack([np.zeros(40), np.zeros(40), np.ones(40), np.repeat([0.0, 1.0], 20)])
    found = table(np.repeat(["a", "b"], 20), np.tile([True, False], 20), taggers)
    assert gap(found, "tagger_accuracy")["status"] == "not estimable: no single vote can be right about these faces"
    assert gap(found, "model_accuracy", "ambiguity")["status"] == "not estimable: no ambiguity that both groups have"
    strict = Settings(0.03, 0.95, 1000, 30, 1, ())
    found = table(np.repeat(["a", "b"], [5, 35]), np.tile([True, False], 20), taggers, settings=strict)
    assert gap(found, "tagger_accuracy")["status"] == "not estimable: 5 faces of a"


def test_readings_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match="no predicted face has votes"):
        table(["a", "b"], [True, False], np.full((2, 4), np.nan))
