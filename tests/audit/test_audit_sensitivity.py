"""Gaps on other choices of faces: by hand, against an audit of those faces alone, and what is left out."""

import numpy as np
import pandas as pd
import pytest
from oracle_cases import faces, people_of, predictions_of
from scipy.stats import fisher_exact

from fergap.audit import audit
from fergap.audit.proportions import newcombe
from fergap.errors import UserError

KEY = ["arm", "attribute", "group"]
SHOWN = ["n_group", "n_reference", "estimate", "ci_low", "ci_high", "p_value", "p_adjusted", "verdict"]


def study(*blocks: tuple[str, float | None, int, int]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predictions and people from blocks of one age: group, confidence, correct and wrong answers."""
    group, sure, right = [], [], []
    for name, confidence, correct, wrong in blocks:
        group += [name] * (correct + wrong)
        sure += [confidence] * (correct + wrong)
        right += [True] * correct + [False] * wrong
    ids = [f"face{i:04d}" for i in range(len(group))]
    predictions = pd.DataFrame({"image_id": ids, "true": "happy", "predicted": np.where(right, "happy", "sad")})
    people = pd.DataFrame({"image_id": ids, "attribute": "age", "group": group, "confidence": sure})
    return predictions, people


def sensitivity_of(predictions: pd.DataFrame, people: pd.DataFrame, **more) -> pd.DataFrame:
    options = {"attributes": ["age"], "reference": {"age": "adult"}, "margin": 0.05, "resamples": 100} | more
    return audit(predictions, people, **options)["sensitivity"]


@pytest.fixture
def by_hand() -> tuple[pd.DataFrame, pd.DataFrame]:
    return study(
        ("child", 0.95, 33, 7),
        ("child", 0.8, 2, 18),
        ("child", None, 5, 5),
        ("adult", 0.95, 90, 10),
        ("adult", 0.8, 85, 15),
    )


def test_confidence_by_hand(by_hand):
    found = sensitivity_of(*by_hand, confidence_thresholds=[0.8, 0.9, 0.96])
    assert found["choice"].tolist() == ["all faces", *["label confidence"] * 3]
    assert found["threshold"].fillna(0).tolist() == [0, 0.8, 0.9, 0.96]
    assert found["faces"].tolist() == [270, 260, 140, 0]
    assert found["n_group"].tolist() == [70, 60, 40, 0]
    assert found["n_reference"].tolist() == [200, 200, 100, 0]
    # 40/70 − 175/200, 35/60 − 175/200, 33/40 − 90/100
    assert found["estimate"].tolist()[:3] == pytest.approx([40 / 70 - 0.875, 35 / 60 - 0.875, -0.075])
    for i, counts in enumerate([(40, 70, 175, 200), (35, 60, 175, 200), (33, 40, 90, 100)]):
        x1, n1, x0, n0 = counts
        assert found.loc[i, ["ci_low", "ci_high"]].tolist() == pytest.approx(newcombe(*counts, 0.95))
        # with one class the primary test is Fisher's
        assert found.loc[i, "p_value"] == pytest.approx(fisher_exact([[x1, n1 - x1], [x0, n0 - x0]]).pvalue)
    assert found["verdict"].tolist() == ["gap", "gap", "undecided", "not estimable"]
    assert found["verdict_differs"].fillna(-1).tolist() == [0, 0, 1, -1]
    assert found["status"].tolist()[:3] == ["ok"] * 3
    assert found.loc[3, "status"] == (
        "not estimable: 0 faces of child and 0 faces of adult, with a confidence of at least 0.96"
    )


def test_what_is_not_estimable_is_listed(by_hand):
    predictions, people = by_hand
    out = audit(predictions, people, attributes=["age"], resamples=100)["not_estimable"]
    assert "sensitivity" not in set(out["table"])
    out = audit(predictions, people, attributes=["age"], resamples=100, confidence_thresholds=[0.96])["not_estimable"]
    row = out[out["table"] == "sensitivity"].squeeze()
    assert (row["attribute"], row["group"], row["metric"]) == ("age", "child", "label confidence")
    assert "at least 0.96" in row["reason"]


def test_duplicates_by_hand():
    # of three copies the first by id counts, of known group: 11 children and 12 adults remain
    predictions, people = study(("child", None, 8, 6), ("adult", None, 10, 4))
    copies = {f"face{i:04d}": "a" for i in (1, 0, 13)} | {"face0014": "b", "face0015": "b", "face0027": "b"}
    copies |= {"face0016": "c", "face0002": "c"}
    unknown = people["image_id"] == "face0000"  # so that face0001 stands for the first set
    people = people.assign(group=people["group"].mask(unknown))
    found = sensitivity_of(predictions.iloc[::-1], people, duplicates={"near": copies}).set_index("choice")
    assert found.index.tolist() == ["all faces", "without near duplicates"]
    assert found["n_group"].tolist() == [13, 12]
    assert found["n_reference"].tolist() == [14, 11]
    # face0013 was wrong; face0015 and face0016 were right, face0027 was wrong
    assert found["estimate"].tolist() == pytest.approx([7 / 13 - 10 / 14, 7 / 12 - 8 / 11])


@pytest.fixture
def real() -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    frame = faces("o7_clustered")
    people = people_of(frame)
    sure = np.random.default_rng(4).choice([0.5, 0.7, 0.95, np.nan], len(people))
    people = people.assign(confidence=np.where(people["attribute"] == "gender", sure, sure[::-1]))
    return predictions_of(frame), people, frame.set_index("image_id")["cluster_id"]


OPTIONS = {
    "attributes": ["gender", "age", "gender*age"],
    "reference": {"gender": "male", "age": "adult"},
    "resamples": 100,
}


def same(found: pd.DataFrame, whole: pd.DataFrame) -> None:
    """Assert that the rows of a choice are those of an audit's verdicts."""
    one, other = (frame.set_index(KEY)[SHOWN] for frame in (found, whole))
    pd.testing.assert_frame_equal(one, other, check_like=True, check_dtype=False)


def test_each_choice_is_an_audit_of_its_faces(real):
    predictions, people, clusters = real
    out = audit(predictions, people, clusters=clusters, **OPTIONS)
    table = out["sensitivity"]
    assert len(table) == len(out["verdicts"]) * 6
    same(table[table["choice"] == "all faces"], out["verdicts"])
    for threshold in (0.6, 0.9):
        sure = people.assign(group=people["group"].where(people["confidence"] >= threshold))
        same(table[table["threshold"] == threshold], audit(predictions, sure, **OPTIONS)["verdicts"])
    first = clusters.sort_index().drop_duplicates().index
    alone = predictions[predictions["image_id"].isin(first)]
    chosen = table[table["choice"] == "one face per cluster"]
    same(chosen, audit(alone, people[people["image_id"].isin(first)], **OPTIONS)["verdicts"])
    assert set(chosen["faces"]) == {len(first)}


def test_an_attribute_without_confidence_keeps_its_faces_and_its_place_in_the_family(real):
    predictions, people, _ = real
    people["confidence"] = people["confidence"].where(people["attribute"] == "gender")
    table = audit(predictions, people, confidence_thresholds=[0.9], **OPTIONS)["sensitivity"]
    assert set(table["attribute"]) == {"gender"}
    sure = people.assign(group=people["group"].where((people["confidence"] >= 0.9) | (people["attribute"] == "age")))
    whole = audit(predictions, sure, **OPTIONS)["verdicts"]
    same(table[table["threshold"] == 0.9], whole[whole["attribute"] == "gender"])


def test_kinds_of_duplicates_come_before_clusters_which_are_not_repeated(real):
    predictions, people, clusters = real
    people = people.drop(columns="confidence")
    exact = pd.Series(range(len(clusters)), index=clusters.index)
    kinds = {"exact": exact, "near": clusters}
    table = audit(predictions, people, clusters=clusters.map("set {}".format), duplicates=kinds, **OPTIONS)[
        "sensitivity"
    ]
    names = ["all faces", "without exact duplicates", "without near duplicates"]
    assert table["choice"].tolist()[:4] == [*names, "all faces"]
    assert set(table["choice"]) == set(names)
    whole, alone = (table[table["choice"] == name].drop(columns="choice").reset_index(drop=True) for name in names[:2])
    pd.testing.assert_frame_equal(whole, alone)  # no face is a copy
    table = audit(predictions, people, clusters=clusters, duplicates={"exact": exact}, **OPTIONS)["sensitivity"]
    assert set(table["choice"]) == {*names[:2], "one face per cluster"}


def test_without_confidences_and_clusters_there_is_no_row(by_hand):
    predictions, people = by_hand
    assert sensitivity_of(predictions, people.drop(columns="confidence")).empty
    assert sensitivity_of(predictions, people.assign(confidence=np.nan)).empty
    assert sensitivity_of(predictions, people, confidence_thresholds=[]).empty


def test_what_users_get_wrong(by_hand):
    predictions, people = by_hand
    for value in (95, -0.1, "sure"):
        broken = people.assign(confidence=people["confidence"].astype(object))
        broken.loc[3, "confidence"] = value
        with pytest.raises(UserError, match="face 'face0003': its confidence of age is none"):
            sensitivity_of(predictions, broken)
    for thresholds in ([0.5, 0], [1.2], [float("nan")]):
        with pytest.raises(UserError, match=r"audit\.confidence_thresholds: .* is not allowed"):
            sensitivity_of(predictions, people, confidence_thresholds=thresholds)
