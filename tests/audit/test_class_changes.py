"""The change of a gap within each class, against the change of the whole gap among the faces of that class alone."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_ind

from fergap.audit import audit

CLASSES = ("anger", "fear", "joy")
SETTINGS = {"attributes": ["age"], "reference": {"age": "adult"}, "resamples": 100, "minimum_faces": 2, "seed": 1}


@pytest.fixture(scope="module")
def given():
    """Two arms on 900 faces; fear has few faces of children, and joy none whose answer changed."""
    rng, n = np.random.default_rng(5), 900
    true = rng.choice(CLASSES, n, p=(0.5, 0.2, 0.3))
    child = rng.random(n) < np.where(true == "fear", 0.05, 0.4)
    right = {"before": rng.random(n) < 0.6 - 0.1 * child}
    flipped = (rng.random(n) < 0.2) & (true != "joy")
    right["after"] = right["before"] ^ flipped
    ids = [f"f{i:03d}" for i in range(n)]
    wrong = np.where(true == "anger", "fear", "anger")
    head = {"image_id": ids, "seed": 1, "repeat": 0, "fold": 0, "role": "test", "true": true}
    arms = [pd.DataFrame(head | {"arm": a, "predicted": np.where(r, true, wrong)}) for a, r in right.items()]
    people = pd.DataFrame({"image_id": ids, "attribute": "age", "group": np.where(child, "child", "adult")})
    return pd.concat(arms, ignore_index=True), people.assign(annotator="drawn")


def changes(predictions, people):
    contrasts = [{"before": "before", "after": "after"}]
    return audit(predictions, people, contrasts=contrasts, **SETTINGS)["gap_changes"]


def within(table):
    return table[table["class"].notna()].set_index("class")


@pytest.fixture(scope="module")
def found(given):
    return within(changes(*given))


def test_there_is_one_row_of_each_class(found):
    assert sorted(found.index) == sorted(CLASSES)
    assert (found["metric"] == "recall").all()
    assert (found["primary"] == 1).all()


@pytest.mark.parametrize("label", CLASSES)
def test_it_is_the_change_of_the_gap_among_the_faces_of_the_class(given, found, label):
    predictions, people = given
    kept = predictions[predictions["true"] == label]
    alone = changes(kept, people[people["image_id"].isin(kept["image_id"])])
    whole = alone[(alone["metric"] == "accuracy") & (alone["primary"] == 1)].iloc[0]
    columns = ["gap_before", "gap_after", "estimate", "se", "ci_low", "ci_high", "p_value", "n_group", "n_reference"]
    assert found.loc[label, "method"] == whole["method"]
    assert found.loc[label, columns].astype(float).to_numpy() == pytest.approx(whole[columns].astype(float).to_numpy())


def test_it_is_welchs_where_enough_faces_changed(given, found):
    """scipy.stats.ttest_ind(equal_var=False) on the change −1, 0, 1 of every face of the class."""
    predictions, people = given
    wide = predictions.assign(right=predictions["true"] == predictions["predicted"])
    wide = wide[wide["true"] == "anger"].pivot(index="image_id", columns="arm", values="right").astype(int)
    child = people.set_index("image_id")["group"].reindex(wide.index) == "child"
    change = wide["after"] - wide["before"]
    test = ttest_ind(change[child], change[~child], equal_var=False)
    row = found.loc["anger"]
    assert row["method"] == "welch"
    assert row["estimate"] == pytest.approx(change[child].mean() - change[~child].mean())
    assert row["p_value"] == pytest.approx(test.pvalue)
    interval = test.confidence_interval(0.95)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((interval.low, interval.high))


def test_few_changes_take_the_method_for_small_cells_and_none_is_no_change(found):
    assert found.loc["fear", "method"] == found.loc["joy", "method"] == "mover bonett-price"
    assert found.loc["joy", "estimate"] == 0
    assert found.loc["joy", "p_value"] == 1


def test_the_p_values_are_adjusted_together_by_holm(found):
    p = found["p_value"].sort_values()
    by_hand = np.minimum(np.maximum.accumulate(p.to_numpy() * np.arange(len(p), 0, -1)), 1)
    assert found.loc[p.index, "p_adjusted"].to_numpy() == pytest.approx(by_hand)


def test_a_class_that_a_group_lacks_is_not_estimable(given):
    predictions, people = given
    children = people.loc[people["group"] == "child", "image_id"]
    kept = predictions[~((predictions["true"] == "fear") & predictions["image_id"].isin(children))]
    row = within(changes(kept, people[people["image_id"].isin(kept["image_id"])])).loc["fear"]
    assert row["status"] == "not estimable: 0 faces of the class in child"
    assert pd.isna(row["estimate"])
    assert row["n_group"] == 0
