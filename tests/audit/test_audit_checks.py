"""What the checks find: leaks between folds, dependent faces, empty cells, probabilities of another class."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from oracle_cases import faces, people_of, predictions_of

from fergap.audit.checks import LEARNED, checks
from fergap.audit.clusters import cluster_codes, clustering
from fergap.audit.inputs import make_sample
from fergap.audit.settings import Settings

NAME = "o7_clustered"


def found(predictions: pd.DataFrame, people: pd.DataFrame, clusters: pd.Series | None = None) -> pd.DataFrame:
    sample = make_sample(
        predictions, people, attributes=["gender", "age"], reference={}, groups={}, arms=None, classes=None
    )
    sample = replace(sample, clusters=cluster_codes(sample.faces, people, clusters))
    settings = Settings(0.05, 0.95, 100, 10, 0, ())
    return pd.DataFrame(checks(sample, settings, list(clustering(sample, settings))))


def one(table: pd.DataFrame, check: str, **where: str) -> pd.Series:
    for column, value in (where | {"check": check}).items():
        table = table[table[column] == value]
    assert len(table) == 1
    return table.iloc[0]


@pytest.fixture
def frame() -> pd.DataFrame:
    return faces(NAME)


def test_clusters_across_folds_are_counted(frame):
    clusters = frame.set_index("image_id")["cluster_id"]
    check = "clusters with faces in more than one fold"
    torn = int((frame.groupby("cluster_id")["fold"].nunique() > 1).sum())
    row = one(found(predictions_of(frame), people_of(frame), clusters), check, arm="before")
    assert (row["value"], row["verdict"]) == (f"{torn:,}", "look" if torn else "ok")
    together = frame.assign(fold=pd.factorize(frame["cluster_id"])[0] % 10)
    row = one(found(predictions_of(together), people_of(frame), clusters), check, arm="before")
    assert (row["value"], row["verdict"]) == ("0", "ok")
    parted = together.copy()
    twin = parted.index[parted["cluster_id"].duplicated()][0]
    parted.loc[twin, "fold"] = (parted.loc[twin, "fold"] + 1) % 10
    row = one(found(predictions_of(parted), people_of(frame), clusters), check, arm="before")
    assert (row["value"], row["verdict"]) == ("1", "look")
    assert check not in set(found(predictions_of(frame), people_of(frame))["check"])


def test_an_arm_that_learned_nothing_is_told():
    ids = [f"f{i:03}" for i in range(200)]
    true = np.array(["a"] * 80 + ["b"] * 60 + ["c"] * 60)
    people = pd.DataFrame({"image_id": ids, "attribute": "gender", "group": ["x", "y"] * 100})
    people = pd.concat([people, people.assign(attribute="age")])
    arms = {"always": np.array(["a"] * 200), "worse": np.roll(true, 80)}
    # 45 of 120 other faces right and 30 of 80 wrong: z = 15 / sqrt(75) = 1.73, p = 0.042; with 31: 1.61, p = 0.054
    for name, wrong in (("better", 30), ("no_better", 31)):
        said = true.copy()
        said[:wrong], said[80 + 45 :] = "b", "a"
        arms[name] = said
    predictions = pd.concat(
        [pd.DataFrame({"arm": n, "image_id": ids, "true": true, "predicted": p}) for n, p in arms.items()]
    )
    table = found(predictions, people)
    rows = table[table["check"] == LEARNED].set_index("arm")
    assert rows["verdict"].to_dict() == {"always": "look", "worse": "look", "better": "ok", "no_better": "look"}
    assert rows.loc["always", "value"] == "80 right, 80 by always saying a"


def test_faces_that_a_fold_trained_on_are_counted(frame):
    check = "tested faces that their model was trained on"
    test = predictions_of(frame).query("arm == 'before'")
    others = [test.assign(fold=(test["fold"] - 1 + k) % 10 + 1, role="train") for k in range(1, 10)]
    clean = pd.concat([test, *others], ignore_index=True)
    row = one(found(clean, people_of(frame)), check)
    assert (row["value"], row["verdict"]) == ("0", "ok")
    leaked = pd.concat([clean, test.iloc[[3, 8]].assign(role="train")], ignore_index=True)
    row = one(found(leaked, people_of(frame)), check)
    assert (row["value"], row["verdict"]) == ("2", "look")
    assert check not in set(found(test, people_of(frame))["check"])


def test_dependent_faces_are_told_apart(frame):
    clusters = frame.set_index("image_id")["cluster_id"]
    row = one(
        found(predictions_of(frame), people_of(frame), clusters), "independent faces", arm="before", group="child"
    )
    assert row["verdict"] == "look"
    assert row["value"].startswith("design effect 1.")
    alone = pd.Series(np.arange(len(frame)), index=frame["image_id"])
    row = one(found(predictions_of(frame), people_of(frame), alone), "independent faces", arm="before", group="child")
    assert (row["value"], row["verdict"]) == ("design effect 1.00 of the gap to adult (600 clusters)", "ok")


def test_empty_cells_are_listed():
    frame = faces("o2_zero_cells")  # no neutral child
    table = found(predictions_of(frame), people_of(frame))
    assert one(table, "empty cells", attribute="age")["value"] == "child × neutral"
    assert one(table, "empty cells", attribute="age")["verdict"] == "look"
    assert one(table, "empty cells", attribute="gender")["value"] == "none"


def test_probabilities_largest_for_another_class_are_counted(frame):
    test = predictions_of(frame).query("arm == 'before'").reset_index(drop=True)
    classes = sorted(set(test["true"]) | set(test["predicted"]))
    p = {f"p_{c}": np.where(test["predicted"] == c, 0.7, 0.3 / (len(classes) - 1)) for c in classes}
    test = test.assign(**p)
    assert one(found(test, people_of(frame)), "probabilities")["verdict"] == "ok"
    columns = list(p)
    test.loc[0, columns] = np.roll(test.loc[0, columns].to_numpy(float), 1)
    row = one(found(test, people_of(frame)), "probabilities")
    assert row["verdict"] == "look"
    assert row["value"] == "600 rows with probabilities, 1 largest for another class than predicted"


def test_arms_that_were_tuned_more_than_others_are_told(frame):
    sample = make_sample(
        predictions_of(frame), people_of(frame), attributes=["age"], reference={}, groups={}, arms=None, classes=None
    )
    settings = Settings(0.05, 0.95, 100, 10, 0, ())
    names = list(sample.arms)
    table = pd.DataFrame(checks(sample, settings, [], dict.fromkeys(names, 4) | {names[1]: 30, "other": 1}))
    rows = table[table["check"] == "settings tried"]
    assert rows[["arm", "value", "verdict"]].to_numpy().tolist() == [[names[0], "4", "ok"], [names[1], "30", "look"]]
    assert "settings tried" not in set(pd.DataFrame(checks(sample, settings, []))["check"])
