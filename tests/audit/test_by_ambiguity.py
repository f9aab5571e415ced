"""Gaps by how far the votes on a face differ: by hand, what the bands hold, and a model that fails a group."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from two_groups import two_groups

from fergap.audit.by_ambiguity import EDGES, band, by_ambiguity
from fergap.audit.engine import as_table
from fergap.audit.settings import Settings
from fergap.errors import UserError

SETTINGS = Settings(0.05, 0.95, 100, 5, 1, ())


def table(group, right, taggers):
    """The rows on faces of two groups, a and b (the reference)."""
    return as_table(list(by_ambiguity(*two_groups(group, right, taggers), SETTINGS)), "by_ambiguity")


def test_bands_hold_their_upper_ends():
    assert band(np.array([0.0, 1e-9, 0.469, 0.5, 0.722, 1.0, 1.0000001, 1.5, 1.6])).tolist() == [
        *(0, 0, 1, 1, 2, 2, 2, 3, 4)
    ]


def test_a_hand_calculation():
    # 40 faces each; all votes alike: a 15 of 20 right, b 18 of 20; at 0.722 bits (8 of 10): a 10 of 20, b 14 of 20
    right = [*[1] * 15, *[0] * 5, *[1] * 10, *[0] * 10, *[1] * 18, *[0] * 2, *[1] * 14, *[0] * 6]
    alike, apart = [1.0, 1.0, 1.0, 0.0], [1.0, 0.8, 1.0, 0.7219]
    found = table(["a"] * 40 + ["b"] * 40, right, [*[alike] * 20, *[apart] * 20] * 2)
    rows = found.set_index(["bits_above", "bits_to", "metric"])
    assert len(rows) == 4
    sure, unsure = (0.0, 0.0), (0.5, 1.0)
    assert rows.loc[(*sure, "model_accuracy"), "estimate"] == pytest.approx(-0.15)
    assert rows.loc[(*unsure, "model_accuracy"), "estimate"] == pytest.approx(-0.2)
    assert rows.loc[(*unsure, "model_accuracy"), "accuracy_group"] == pytest.approx(0.5)
    assert rows.loc[(*unsure, "tagger_accuracy"), "accuracy_reference"] == pytest.approx(0.8)
    assert (rows["n_group"] == 20).all()
    # statsmodels.stats.proportion.confint_proportions_2indep(10, 20, 14, 20, method="newcomb", compare="diff")
    row = rows.loc[(*unsure, "model_accuracy")]
    assert (row["ci_low"], row["ci_high"]) == (pytest.approx(-0.4532954231), pytest.approx(0.0970359990))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_every_face_that_was_voted_on_is_in_one_band(seed):
    rng = np.random.default_rng(seed)
    n = 300
    group, right = rng.choice(["a", "b"], n), rng.random(n) < 0.7
    taggers = np.column_stack([np.ones(n), rng.random(n), np.ones(n), rng.choice([0, 0.47, 0.88, 1.2, 1.9], n)])
    taggers[rng.random(n) < 0.1] = np.nan
    rows = table(group, right, taggers)
    rows = rows[rows["metric"] == "model_accuracy"]
    voted = ~np.isnan(taggers[:, 0])
    assert rows["n_group"].sum() == (voted & (group == "a")).sum()
    assert rows["n_reference"].sum() == (voted & (group == "b")).sum()
    known = rows.dropna(subset="accuracy_group")
    if len(known) == len(rows):
        assert (rows["accuracy_group"] * rows["n_group"]).sum() == pytest.approx((voted & right & (group == "a")).sum())
    assert set(rows["bits_above"]) <= set(EDGES)


@pytest.mark.parametrize("fails", [True, False])
def test_a_model_that_fails_a_group_does_so_where_all_votes_agree(fails):
    """Group a is more ambiguous; hard for everyone, its gap within a band is none; failed by the model, it stays."""
    rng, n = np.random.default_rng(8), 8000
    group = rng.choice(["a", "b"], n)
    hard = rng.random(n) < np.where(group == "a", 0.6, 0.3)
    chance = np.where(hard, 0.6, 0.9) - (0.15 if fails else 0) * (group == "a")
    taggers = np.column_stack([np.ones(n), np.where(hard, 0.6, 1.0), np.ones(n), np.where(hard, 0.97, 0.0)])
    rows = table(group, rng.random(n) < chance, taggers).set_index(["metric", "bits_to"])
    for bits in (0.0, 1.0):
        model = rows.loc[("model_accuracy", bits)]
        assert (model["ci_high"] < 0) == fails
        assert fails or model["ci_low"] < 0
        assert rows.loc[("tagger_accuracy", bits), "estimate"] == pytest.approx(0)


def test_few_faces_and_foreign_readings_are_told():
    found = table(["a"] * 3 + ["b"] * 40, [1] * 43, [[1.0, 1.0, 1.0, 0.0]] * 43)
    assert found["status"].tolist() == ["not estimable: 3 faces of a"]
    with pytest.raises(UserError, match="'ambiguity' is missing"):
        list(by_ambiguity(None, pd.DataFrame({"answered": [], "right": [], "kept": []}), SETTINGS))
