"""Reading, dropping and labelling votes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from small_faces import settings, some_votes

from fergap.errors import UserError
from fergap.faces.expressions import evaluate
from fergap.faces.labels import label
from fergap.faces.reading import Dropped, select_by_votes
from fergap.faces.sources import voted
from fergap.faces.votes import VOTES, ambiguity, read_votes

COLUMNS = {"a": np.array([0, 1, 2, 3]), "b": np.array([3, 2, 1, 0]), "c": np.array([0, 0, 5, 0])}


@pytest.fixture(scope="module")
def real_votes(real_data: Path) -> pd.DataFrame:
    return voted(read_votes(real_data / "fer2013new.csv"))


def frame_of(rows: np.ndarray) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(VOTES))
    return frame.assign(image_id=[f"i{n}" for n in range(len(rows))], partition="Training", line=range(len(rows)))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a > 1", [0, 0, 1, 1]),
        ("0 < a <= 2", [0, 1, 1, 0]),
        ("a + 2 < b or not a != 3", [1, 0, 0, 1]),
        ("a - b == -1 and c == 0", [0, 1, 0, 0]),
        ("a > others(a)", [0, 0, 0, 1]),
        ("1 > 0", [1, 1, 1, 1]),
    ],
)
def test_expressions(expression: str, expected: list[int]):
    assert evaluate(expression, COLUMNS, ("a", "b", "c"), key="k").tolist() == [bool(e) for e in expected]


@pytest.mark.parametrize(
    "expression",
    [
        "a",
        "a +",
        "",
        "a * 2 > 1",
        "d > 1",
        "a > 1.5",
        "a > 'x'",
        "max(a, b) > 1",
        "others(1) > 1",
        "others(d) > 1",
        "a and b",
        "(a > 1) + 1 > 1",
        "a in b",
        "__import__('os')",
        "a.shape > 1",
        "a > True",
        "[x for x in a] == 1",
    ],
)
def test_an_expression_beyond_the_language_is_refused_by_key(expression: str):
    with pytest.raises(UserError) as caught:
        evaluate(expression, COLUMNS, ("a", "b", "c"), key="faces.drop[0]")
    assert str(caught.value).startswith(f"faces.drop[0]: the rule `{expression}` is not understood")


def test_golden_counts_of_cleaning(real_votes: pd.DataFrame, config: dict):
    dropped = Dropped()
    select_by_votes(real_votes, config | {"labels": "engagement"}, dropped)
    counts = dropped.table().set_index("reason")["count"]
    assert counts.to_dict() == {
        "NF > 0": 35_887 - 35_538,
        "unknown >= 5": 35_538 - 35_459,
        "no votes": 0,
        "no class under scheme engagement": 35_459 - 16_247,
        "no image name": 0,
        "repeated name": 2,
    }


def test_golden_counts_of_engagement(real_votes: pd.DataFrame, config: dict):
    kept = real_votes[(real_votes["NF"] == 0) & (real_votes["unknown"] < 5)]
    labelling = label(kept, "engagement", config["schemes"])
    before = pd.Series(np.array([*labelling.classes, ""])[labelling.code]).value_counts()
    assert before.drop("").to_dict() == {"focused": 4_553, "neutral": 3_789, "bored": 3_960, "angry": 3_945}
    selection = select_by_votes(real_votes, config | {"labels": "engagement"}, Dropped())
    after = selection.frame["label"].value_counts().to_dict()
    assert after == {"focused": 4_552, "neutral": 3_789, "bored": 3_959, "angry": 3_945}
    assert selection.frame["image_id"].is_unique


def test_golden_counts_of_engagement_as_printed(real_votes: pd.DataFrame, config: dict):
    selection = select_by_votes(real_votes, config | {"labels": "engagement_as_printed"}, Dropped())
    assert selection.matched == {"angry": 3_049, "focused": 4_553, "neutral": 7_620, "bored": 4_277}
    overlaps = selection.overlaps.set_index(["first", "second"])["count"]
    assert overlaps["focused", "neutral"] == 3_802


def test_contempt_among_the_others_changes_the_printed_classes(real_votes: pd.DataFrame, config: dict):
    kept = real_votes[(real_votes["NF"] == 0) & (real_votes["unknown"] < 5)]
    scheme = config["schemes"]["engagement_as_printed"]
    wider = {"s": scheme | {"emotions": [*scheme["emotions"], "contempt"]}}
    matched = label(kept, "s", wider).matched.sum(axis=0)
    assert matched[:2].tolist() == [3_032, 4_501]


@hypothesis_settings(deadline=None, max_examples=30)
@given(rows=arrays("int64", st.tuples(st.integers(1, 30), st.just(10)), elements=st.integers(0, 10)))
def test_labels_are_exclusive_and_every_row_is_accounted_for(rows: np.ndarray):
    frame = frame_of(rows)
    for scheme in ("two", "rules"):
        dropped = Dropped()
        faces = settings("fer2013", Path("nowhere"), labels=scheme)
        selection = select_by_votes(frame, faces, dropped)
        assert selection.frame["image_id"].is_unique
        assert selection.frame["label"].isin(list(selection.matched)).all()
        assert len(selection.frame) + dropped.table()["count"].sum() == len(rows)
        for name, count in selection.frame["label"].value_counts().items():
            assert count <= selection.matched[name]


def test_precedence_is_the_order_of_the_classes():
    rows = np.zeros((3, 10), "int64")
    rows[:, VOTES.index("anger")] = [3, 3, 0]
    rows[:, VOTES.index("neutral")] = [7, 0, 7]
    labelling = label(frame_of(rows), "rules", settings("drawn", Path())["schemes"])
    assert labelling.code.tolist() == [0, 0, 1]
    assert labelling.overlaps().to_numpy().tolist() == [["angry", "calm", 1]]


def test_majority_counts_ties_and_minorities_apart():
    rows = np.zeros((5, 10), "int64")
    rows[:, :3] = [[6, 4, 0], [5, 5, 0], [5, 3, 2], [4, 3, 3], [0, 0, 0]]
    rows[4, VOTES.index("contempt")] = 10
    scheme = {"s": {"majority": ["neutral", "happiness", "surprise"], "share": 0.5}}
    labelling = label(frame_of(rows), "s", scheme)
    assert labelling.reason.tolist() == ["", "tie", "no majority", "no majority", "no class under scheme s"]
    assert labelling.code.tolist() == [0, -1, -1, -1, -1]


def test_of_a_repeated_name_the_files_last_row_stays_even_if_it_is_dropped():
    frame = frame_of(some_votes(6)[list(VOTES)].to_numpy())
    frame.loc[[0, 4], "image_id"] = "same"
    frame.loc[[1, 5], "image_id"] = "other"
    frame.loc[5, "NF"] = 1
    dropped = Dropped()
    kept = select_by_votes(frame, settings("fer2013", Path()), dropped).frame
    assert kept.index.tolist() == [2, 3, 4]
    assert dropped.table().set_index("reason")["count"]["repeated name"] == 2


def test_ambiguity_is_the_entropy_of_the_votes_for_emotions():
    rows = np.zeros((4, 10), "int64")
    rows[0, 0] = 9
    rows[1, :2] = 5
    rows[2, :8] = 1
    rows[3, 8] = 10
    rows[:2, 8] = 1
    # scipy.stats.entropy([5, 5], base=2), scipy.stats.entropy([1] * 8, base=2)
    assert ambiguity(frame_of(rows)).tolist() == pytest.approx([0, 1, 3, np.nan], nan_ok=True)


@pytest.mark.parametrize(
    ("scheme", "where"),
    [
        ({"classes": [{"label": "x", "when": "anger >"}]}, "faces.schemes.s.classes[0].when"),
        ({"classes": [{"label": "x", "when": "anger > 1"}] * 2}, "faces.schemes.s.classes"),
        ({"majority": ["joy"]}, "faces.schemes.s.majority"),
        ({"share": 0.5}, "faces.schemes.s"),
    ],
)
def test_a_bad_scheme_is_refused_by_key(scheme: dict, where: str):
    with pytest.raises(UserError) as caught:
        label(frame_of(np.ones((2, 10), "int64")), "s", {"s": scheme})
    assert str(caught.value).startswith(f"{where}: ")


def test_an_unknown_scheme_is_refused():
    with pytest.raises(UserError, match=r"faces\.labels: 'x' is no scheme"):
        label(frame_of(np.ones((2, 10), "int64")), "x", {"s": {}})
