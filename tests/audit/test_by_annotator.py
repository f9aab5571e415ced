"""Gaps by annotator: by hand, against audits of each annotator's labels, and what is left out."""

import numpy as np
import pandas as pd
import pytest

from fergap.audit import audit
from fergap.audit.by_annotator import ANSWERED, COMMON
from fergap.audit.proportions import newcombe, wilson

SHOWN = ["n_group", "n_reference", "estimate", "ci_low", "ci_high", "p_value", "p_adjusted", "verdict"]
OPTIONS = {"attributes": ["age"], "reference": {"age": "adult"}, "margin": 0.05, "resamples": 100}


def study(*blocks: tuple[str, str | None, int, int]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Predictions, the first's labels as people, and both annotators' answers; blocks: first, second, right, wrong."""
    first, second, right = [], [], []
    for one, other, correct, wrong in blocks:
        first += [one] * (correct + wrong)
        second += [other] * (correct + wrong)
        right += [True] * correct + [False] * wrong
    ids = [f"face{i:04d}" for i in range(len(first))]
    predictions = pd.DataFrame({"image_id": ids, "true": "happy", "predicted": np.where(right, "happy", "sad")})
    people = pd.DataFrame({"image_id": ids, "attribute": "age", "group": first, "annotator": "one"})
    said = [
        pd.DataFrame(
            {"image_id": ids, "attribute": "age", "answer": answer, "rater": who, "adjudication": 0, "repeat": 0}
        )
        for who, answer in (("one", first), ("two", second))
    ]
    return predictions, people, pd.concat(said).dropna(subset=["answer"]).reset_index(drop=True)


def table_of(predictions: pd.DataFrame, people: pd.DataFrame, raters: pd.DataFrame, **more: object) -> pd.DataFrame:
    return audit(predictions, people, raters=raters, **(OPTIONS | more))["by_annotator"]


BLOCKS = (
    ("child", "child", 20, 20),
    ("child", "adult", 60, 0),
    ("adult", "adult", 170, 20),
    ("adult", "unclear", 5, 5),
    ("adult", None, 9, 1),
)


def test_gaps_and_shares_by_hand() -> None:
    found = table_of(*study(*BLOCKS))
    own = found[found["among"] == ANSWERED].reset_index(drop=True)
    assert own["annotator"].fillna("study").tolist() == ["study", "one", "two"]
    assert own["faces"].tolist() == [310, 310, 290]
    assert own["n_group"].tolist() == [100, 100, 40]
    counts = [(80, 100, 184, 210), (80, 100, 184, 210), (20, 40, 230, 250)]
    for row, (x1, n1, x0, n0) in zip(own.itertuples(), counts, strict=True):
        assert row.estimate == pytest.approx(x1 / n1 - x0 / n0)
        assert (row.ci_low, row.ci_high) == pytest.approx(newcombe(x1, n1, x0, n0, 0.95))
        assert row.share == pytest.approx(n1 / (n1 + n0))
        assert (row.share_low, row.share_high) == pytest.approx(wilson(n1, n1 + n0, 0.95))
    # Fisher's p: scipy.stats.fisher_exact([[80, 20], [184, 26]]) is 0.0892, of [[20, 20], [230, 20]] far below 0.001
    assert own["verdict"].tolist() == ["undecided", "undecided", "gap"]
    assert own["verdict_differs"].tolist() == [0, 0, 1]


def test_faces_that_all_annotators_labelled_are_compared_again() -> None:
    found = table_of(*study(*BLOCKS))
    common = found[found["among"] == COMMON]
    assert common["faces"].tolist() == [290, 290, 290]
    assert common["estimate"].tolist() == pytest.approx([80 / 100 - 170 / 190] * 2 + [20 / 40 - 230 / 250])


def test_where_all_label_the_same_faces_they_are_not_compared_twice() -> None:
    found = table_of(*study(*BLOCKS[:3]))
    assert found["among"].unique().tolist() == [ANSWERED]


@pytest.mark.parametrize("attributes", [["age"], ["gender", "age", "gender*age"]])
def test_each_annotators_rows_are_those_of_an_audit_with_their_labels(attributes: list[str]) -> None:
    rng = np.random.default_rng(7)
    n, ids = 900, [f"f{i}" for i in range(900)]
    true = rng.choice(["happy", "sad"], n)
    predicted = np.where(rng.random(n) < 0.75, true, rng.choice(["happy", "sad"], n))
    predictions = pd.DataFrame({"image_id": ids, "true": true, "predicted": predicted})
    answers = []
    for who in ("one", "two"):
        for attribute, groups in {"gender": ["female", "male"], "age": ["child", "adult"]}.items():
            said = pd.DataFrame(
                {"image_id": ids, "attribute": attribute, "answer": rng.choice(groups, n), "rater": who}
            )
            answers.append(said[rng.random(n) < 0.95])
    raters = pd.concat(answers, ignore_index=True).assign(adjudication=0, repeat=0)
    labels = {who: own.rename(columns={"answer": "group"}) for who, own in raters.groupby("rater")}
    every = pd.MultiIndex.from_product([ids, ["gender", "age"]], names=["image_id", "attribute"])
    labels = {who: own.set_index(every.names)["group"].reindex(every).reset_index() for who, own in labels.items()}
    options = {"attributes": attributes, "reference": {"age": "adult", "gender": "male"}}
    found = table_of(predictions, labels["one"], raters, **options)
    for who, people in labels.items():
        alone = audit(predictions, people, **(OPTIONS | options))["verdicts"].reset_index(drop=True)
        rows = found[(found["annotator"] == who) & (found["among"] == ANSWERED)].reset_index(drop=True)
        pd.testing.assert_frame_equal(rows[["attribute", "group", *SHOWN]], alone[["attribute", "group", *SHOWN]])


def test_a_group_that_one_annotator_alone_names_is_compared_too() -> None:
    blocks = (("child", "child", 30, 10), ("adult", "elder", 20, 20), ("adult", "adult", 90, 10))
    found = table_of(*study(*blocks)).set_index(["group", "annotator"])
    elder = found.loc[("elder", "two")]
    assert elder["n_group"] == 40
    assert elder["estimate"] == pytest.approx(0.5 - 0.9)
    assert np.isnan(elder["verdict_differs"])
    assert ("elder", "one") not in found.index


@pytest.mark.parametrize(
    "blocks",
    [
        (("child", None, 30, 10), ("adult", None, 90, 10)),  # nobody else answered
        (("child", None, 30, 10), ("adult", None, 90, 10), ("adult", "adult", 19, 0)),  # too few for two groups
    ],
)
def test_a_single_annotator_is_not_compared(blocks: tuple) -> None:
    assert table_of(*study(*blocks)).empty


def test_without_answers_there_is_no_row() -> None:
    predictions, people, _ = study(*BLOCKS)
    assert audit(predictions, people, **OPTIONS)["by_annotator"].empty


def test_an_annotator_without_a_face_of_a_group_is_told() -> None:
    found = table_of(*study(("child", "adult", 30, 10), ("adult", "adult", 90, 10))).set_index("annotator")
    row = found.loc["two"]
    assert row["status"] == "not estimable: 0 faces of child"
    assert row["share"] == 0
    assert row["verdict"] == "not estimable"
    assert np.isnan(row["verdict_differs"])
