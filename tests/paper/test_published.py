"""The published study's printed numbers agree with one another, as far as they do in print."""

import numpy as np
import pandas as pd
import pytest
import yaml


@pytest.fixture(scope="module")
def published(root):
    return yaml.safe_load((root / "report" / "published.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("key", ["folds_macro", "folds_micro"])
def test_fold_means_are_the_printed_averages(published, key):
    folds = pd.DataFrame(published[key]["folds"]).set_index("fold")
    assert len(folds) == 10
    for metric, mean in published[key]["mean"].items():
        assert folds[metric].mean() == pytest.approx(mean, abs=5.1e-8)
    assert published["folds_macro"]["mean"]["accuracy"] == 0.6422288


def test_micro_averages_repeat_the_accuracy(published):
    for key, part in (("folds_micro", "folds"), ("grid_micro", "models")):
        rows = pd.DataFrame(published[key][part])
        for metric in ("recall", "precision", "f1"):
            assert (rows[metric] == rows["accuracy"]).all()
    for key in ("groups_before", "groups_after"):
        rows = pd.DataFrame(published[key]["groups"])
        for metric in ("recall", "precision", "f1"):
            assert (rows[f"{metric}_micro"] == rows["accuracy"]).all()


def test_macro_and_micro_tables_hold_the_same_networks(published):
    macro, micro = (pd.DataFrame(published[f"grid_{a}"]["models"]) for a in ("macro", "micro"))
    assert len(macro) == 12
    pd.testing.assert_frame_equal(macro[["name", "accuracy"]], micro[["name", "accuracy"]])
    best = macro.loc[macro["accuracy"].idxmax()]
    assert (best["name"], best["accuracy"]) == ("B16_N8_FC2_K5_AP20", 0.623371)


def test_grid_accuracies_are_multiples_of_one_over_the_validation_size(published):
    right = pd.DataFrame(published["grid_macro"]["models"])["accuracy"] * published["counts"]["split"]["validation"]
    np.testing.assert_allclose(right, right.round(), atol=2e-3)


@pytest.mark.parametrize("key", ["groups_before", "groups_after"])
def test_group_averages_are_means_of_two_groups(published, key):
    rows = pd.DataFrame(published[key]["groups"])
    metrics = rows.columns.difference(["attribute", "group"])
    for _, part in rows.groupby("attribute"):
        assert len(part) == 3
        mean = part.loc[part["group"] != "average", metrics].mean()
        printed = part.loc[part["group"] == "average", metrics].iloc[0]
        off = (mean - printed).abs()
        # the report truncates some averages and rounds others
        assert (off < 1.01e-4).mean() > 0.7, off[off >= 1.01e-4]


def test_gaps_of_age(published):
    def gap(key):
        rows = {r["group"]: r["accuracy"] for r in published[key]["groups"] if r["attribute"] == "age"}
        return rows["adult"] - rows["child"]

    assert gap("groups_before") == pytest.approx(0.0597)
    assert gap("groups_after") == pytest.approx(0.0192)


def test_counts(published):
    counts = published["counts"]
    assert sum(counts["classes"]["faces"].values()) == 16256
    split = counts["split"]
    assert split["train"] + split["validation"] + split["test"] == split["total"] == 14831
    assert sum(counts["sample"]["faces"].values()) == 2710
    # golden counts of FER+: 35,887 rows, of which 35,538 have no vote for "not a face" and 35,459 few for "unknown"
    assert 35887 - sum(counts["not_a_face"]["by_votes"].values()) == 35538
    assert 35538 - sum(n for votes, n in counts["unknown"]["by_votes"].items() if votes >= 5) == 35459
