"""Each fold's metrics, and who annotated."""

import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from fergap.audit import audit


@pytest.fixture(scope="module")
def predictions():
    classes = ["a", "b", "c"]
    rows = [
        {"arm": "m", "image_id": f"{i:03d}", "seed": 1, "repeat": 0, "fold": i % 4, "role": role,
         "true": classes[i % 3], "predicted": classes[(i % 3 + (i * 7 % 5 == 0) + (role == "train")) % 3]}
        for i in range(240) for role in ("test", "train")
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def tables(predictions):
    ids = predictions["image_id"].unique()
    people = pd.DataFrame(
        {
            "image_id": ids,
            "attribute": "gender",
            "group": pd.Series(["male", "female", None, "female"] * 60),
            "annotator": pd.Series(["x", "x", None, "y"] * 60),
        }
    )
    stranger = pd.DataFrame({"image_id": ["zzz"], "attribute": ["gender"], "group": ["male"], "annotator": ["x"]})
    return audit(predictions, pd.concat([people, stranger]), attributes=["gender"], resamples=100)


def test_folds_agree_with_scikit_learn(predictions, tables):
    test = predictions[predictions["role"] == "test"]
    found = tables["fold_metrics"].pivot_table(index="fold", columns="metric", values="estimate")
    assert list(found.index) == [0, 1, 2, 3]
    for fold, part in test.groupby("fold"):
        # precision_recall_fscore_support(true, predicted, average="macro", zero_division=0)
        p, r, f, _ = precision_recall_fscore_support(part["true"], part["predicted"], average="macro", zero_division=0)
        expected = [accuracy_score(part["true"], part["predicted"]), f, p, r]
        assert found.loc[fold, ["accuracy", "f1", "precision", "recall"]].to_list() == pytest.approx(expected)
    assert (tables["fold_metrics"].groupby("metric")["n"].sum() == 240).all()


def test_annotators_count_the_audited_faces(tables):
    counts = tables["annotators"].set_index(["group", "annotator"])["n"]
    assert counts.sum() == 240
    assert counts["male", "x"] == 60
    assert counts["female", "y"] == 60
    assert tables["annotators"].query("group == 'unknown'")["n"].item() == 60


def test_people_without_annotator(predictions):
    people = pd.DataFrame({"image_id": predictions["image_id"].unique(), "attribute": "gender"})
    people["group"] = ["male", "female"] * 120
    assert audit(predictions, people, attributes=["gender"], resamples=100)["annotators"]["annotator"].isna().all()
