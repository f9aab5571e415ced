"""Files of raters: of the annotation page and of other tools, read, combined and refused."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fergap import tables
from fergap.errors import UserError
from fergap.people.annotation import annotate_people, read_source
from fergap.people.annotators import raters_file
from fergap.people.exchange import age_range, export_people, matched
from fergap.people.raters import combined, distinct, from_page

AGES = {"child": [0, 14], "adult": [15, 120]}
HEAD = "image_id,gender,age,rater,time,seconds,order,repeat,suggestion_shown,page\n"
ANNA = (
    HEAD
    + "a,female,child,anna,2026-01-01T10:00:00.000Z,1.2,1,0,0,p\n"
    + "b,male,,anna,2026-01-01T10:00:02.000Z,1.1,2,0,0,p\n"
    + '"c, d",unclear,adult,anna,2026-01-01T10:00:03.000Z,0.9,3,0,0,p\n'
    + "a,male,child,anna,2026-01-01T10:01:00.000Z,1.0,4,1,0,p\n"
)
BEN = (
    HEAD
    + "a,male,child,ben,2026-01-02T10:00:00.000Z,1.2,1,0,0,p\n"
    + "b,male,adult,ben,2026-01-02T10:00:02.000Z,1.1,2,0,0,p\n"
)


def save(text: str, path: Path) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def wide(ratings: pd.DataFrame) -> dict[str, dict[str, str]]:
    first = ratings[ratings["repeat"] == 0]
    return {a: dict(zip(g["image_id"], g["answer"], strict=True)) for a, g in first.groupby("attribute")}


def test_a_file_of_the_page_keeps_every_answer_and_the_second_views(tmp_path: Path) -> None:
    ratings = tables.check(from_page(save(ANNA, tmp_path / "anna.csv")), "raters", "here")
    assert wide(ratings)["gender"] == {"a": "female", "b": "male", "c, d": "unclear"}
    assert wide(ratings)["age"] == {"a": "child", "c, d": "adult"}
    again = ratings[ratings["repeat"] == 1].set_index("attribute")["answer"]
    assert again.to_dict() == {"gender": "male", "age": "child"}
    assert ratings["order"].tolist()[:3] == [1, 2, 3]


def test_csv_and_json_lines_say_the_same(tmp_path: Path) -> None:
    rows = tables.load(save(ANNA, tmp_path / "anna.csv"), text=tuple(HEAD.strip().split(","))).fillna("")
    numbers = {c: rows[c].astype(float) for c in ("seconds", "order", "repeat", "suggestion_shown")}
    lines = "".join(json.dumps(row) + "\n" for row in rows.assign(**numbers).to_dict("records"))
    pd.testing.assert_frame_equal(
        from_page(save(lines, tmp_path / "anna.jsonl")), from_page(save(ANNA, tmp_path / "anna.csv"))
    )


def test_a_raters_last_answer_counts_wherever_it_stands(tmp_path: Path) -> None:
    late = "a,male,adult,anna,2026-01-01T11:00:00.000Z,1.2,1,0,0,p\n"
    ratings = from_page(save(HEAD + late + ANNA.removeprefix(HEAD), tmp_path / "anna.csv"))
    assert wide(ratings)["gender"]["a"] == "male"
    assert wide(ratings)["age"]["a"] == "adult"


def test_several_raters_give_the_answer_of_most_and_none_where_they_tie(tmp_path: Path) -> None:
    paths = [save(ANNA, tmp_path / "anna.csv"), save(BEN, tmp_path / "ben.csv")]
    source, ratings = read_source(paths, AGES, None)
    source = source.set_index("image_id")
    assert source["gender"].fillna("?").to_dict() == {"a": "?", "b": "male", "c, d": "unclear"}  # two who differ: none
    assert source["age"].dropna().to_dict() == {"a": "child", "b": "adult", "c, d": "adult"}
    assert source.loc["b", "annotator"] == "anna+ben"
    assert source.loc["b", "gender_confidence"] == 1
    assert set(ratings["rater"]) == {"anna", "ben"}
    third = ratings[ratings["rater"] == "ben"].assign(rater="cleo")
    both = combined(pd.concat([ratings, third])).set_index("image_id")
    assert both.loc["a", "gender"] == "male"
    assert both.loc["a", "gender_confidence"] == pytest.approx(2 / 3)


def test_one_rater_gives_no_confidence(tmp_path: Path) -> None:
    source, _ = read_source([save(ANNA, tmp_path / "anna.csv")], AGES, None)
    assert "gender_confidence" not in source
    assert source.set_index("image_id").loc["a", "gender"] == "female"  # the first view


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", ANNA.replace(",1,0,0,p", ",1,2,0,p", 1), "'repeat', row 1: '2'"),
        ("a.csv", ANNA.replace(",anna,", ",,", 1), "row 1: the rater is empty"),
        ("a.csv", ANNA[:-30], "ends in the middle of a row"),
        ("a.csv", ANNA.replace(",2,0,0,p", ",second,0,0,p"), "'order', row 2: 'second'"),
        ("a.jsonl", '{"image_id": "a", "gen', "line 1 is no JSON object"),
        ("a.jsonl", "", "found the columns none"),
        ("a.csv", HEAD, "holds no answer"),
        ("a.jsonl", '{"image_id": "a", "gender": "male"}\n', "found the columns image_id, gender"),
        ("a.json", "{", "is no JSON"),
        ("a.json", '[{"id": 1, "data": {"image": "a.png"}, "annotations": []}]', "full JSON"),
        ("a.json", '[{"id": 1, "text": "hello", "annotator": 1}]', "one picture per task"),
        ("a.xml", "<annotations><image", "is no XML"),
        ("a.xml", "<annotations><image name='a'/></annotations>", "no attribute"),
        ("a.xml", "<!DOCTYPE x [<!ENTITY e 'e'>]><annotations/>", "document type"),
    ],
)
def test_damaged_and_foreign_files_are_told(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        read_source([save(text, tmp_path / name)], AGES, None)
    assert said in str(caught.value)
    assert name in str(caught.value)


def test_a_plain_table_is_a_raters_file_like_others(tmp_path: Path) -> None:
    text = "image_id,gender,age_years,cluster_id,annotator\na,male,9,k,cleo\nb,male,,l,cleo\ne,,,k,cleo\n"
    plain = save(text, tmp_path / "plain.csv")
    paths = [save(ANNA, tmp_path / "anna.csv"), save(BEN, tmp_path / "ben.csv"), plain]
    source, answers = read_source(paths, AGES, None)
    source = source.set_index("image_id")
    assert source.loc["a", ["gender", "age", "annotator"]].tolist() == ["male", "child", "anna+ben+cleo"]
    assert source.loc["a", "gender_confidence"] == pytest.approx(2 / 3)
    assert source["cluster_id"].dropna().to_dict() == {"a": "k", "b": "l", "e": "k"}
    assert answers.loc[answers["rater"] == "cleo", "answer"].tolist() == ["male", "male", "child"]
    alone, answers = read_source([plain], AGES, None)  # with its years, which a vote has not
    assert alone.set_index("image_id").loc["a", "age_value"] == 9
    tables.check(answers, "raters", "here")


VIEWS = st.tuples(st.sampled_from("ab"), st.sampled_from(["gender", "age"]), st.sampled_from("pq"), st.integers(1, 3))


@settings(deadline=None)
@given(
    st.lists(st.tuples(VIEWS, st.sampled_from("fm"), st.integers(0, 9), st.booleans()), min_size=1, max_size=20),
    st.integers(0, 20),
)
def test_answers_do_not_depend_on_the_files_over_which_they_are_spread(rows: list, cut: int) -> None:
    given_ = pd.DataFrame(
        [
            (face, name, said, "anna", int(last), 0, f"2026-01-01T10:00:0{second}Z", 1.0, float(order), 0.0, page)
            for (face, name, page, order), said, second, last in rows
        ],
        columns=list(tables.TABLES["raters"].columns),
    )
    whole = tables.check(distinct(given_), "raters", "here")
    parts = [distinct(part.reset_index(drop=True)) for part in (given_[:cut], given_[cut:])]
    pd.testing.assert_frame_equal(distinct(pd.concat(parts, ignore_index=True)), whole)
    assert whole.groupby(["image_id", "attribute", "adjudication"]).size().le(2).all()


def test_one_view_saved_twice_is_one_answer_and_another_page_a_second(tmp_path: Path) -> None:
    late = ANNA.replace("b,male,,anna,2026-01-01T10:00:02", "b,female,,anna,2026-01-01T12:00:00")
    other = "".join(ANNA.splitlines(keepends=True)[:3]).replace(",p\n", ",q\n")
    paths = [save(text, tmp_path / f"{i}.csv") for i, text in enumerate((late, ANNA, other))]
    _, answers = read_source(paths, AGES, None)
    gender = answers[answers["attribute"] == "gender"].set_index(["image_id", "repeat"])["answer"].to_dict()
    # c, d was seen once; a a second time on the page itself, of which a third view says nothing more
    assert gender == {
        ("a", 0): "female",
        ("a", 1): "male",
        ("b", 0): "female",
        ("b", 1): "male",
        ("c, d", 0): "unclear",
    }
    task = json.dumps(LABEL_STUDIO)
    twice = [save(task, tmp_path / f"export{i}.json") for i in (1, 2)]
    assert (read_source(twice, AGES, None)[1]["repeat"] == 0).all()


# Label Studio, https://labelstud.io/guide/export: JSON_MIN is a list of tasks with the choices as texts; the CSV has
# the same as columns, and {"choices": [...]} where a question allows several answers. Eight digits and a hyphen stand
# before the name of a file that was uploaded.
LABEL_STUDIO = [
    {
        "image": "/data/upload/3/cb044c20-fer0000016.png",
        "id": 1,
        "gender": "female",
        "age": "child",
        "annotator": 7,
        "annotation_id": 11,
        "created_at": "2026-03-09T22:16:08.728353Z",
        "updated_at": "2026-03-09T22:16:08.746926Z",
        "lead_time": 4.288,
    },
    {
        "image": "/data/upload/3/0a1b2c3d-fer0000017.png",
        "id": 2,
        "gender": {"choices": ["male"]},
        "annotator": 7.0,
        "annotation_id": 12,
        "created_at": "2026-03-09T22:17:08.728353Z",
        "updated_at": "2026-03-09T22:17:08.746926Z",
        "lead_time": 2.1,
    },
]
LABEL_STUDIO_CSV = (
    "age,annotation_id,annotator,created_at,gender,id,image,lead_time,updated_at\n"
    "child,11,7,2026-03-09T22:16:08Z,female,1,/data/upload/3/cb044c20-fer0000016.png,4.288,2026-03-09T22:16:08Z\n"
    ',12,7,2026-03-09T22:17:08Z,"{""choices"": [""male""]}",2,/data/upload/3/0a1b2c3d-fer0000017.png,2.1,'
    "2026-03-09T22:17:08Z\n"
)
# CVAT for images 1.1, https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/
CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta><task><id>4</id><name>faces</name><size>2</size><mode>annotation</mode></task></meta>
  <image id="0" name="fer0000016.png" width="48" height="48">
    <tag label="face" source="manual">
      <attribute name="gender">female</attribute>
      <attribute name="age">child</attribute>
    </tag>
  </image>
  <image id="1" name="train/fer0000017.png" width="48" height="48">
    <box label="face" source="manual" occluded="0" xtl="0.0" ytl="0.0" xbr="48.0" ybr="48.0" z_order="0">
      <attribute name="gender">male</attribute>
      <attribute name="age">__undefined__</attribute>
    </box>
  </image>
</annotations>
"""
# FiftyOne's CSVDataset, https://docs.voxel51.com/user_guide/export_datasets.html: filepath and the fields asked for
FIFTYONE = (
    "filepath,tags,gender.label,gender.confidence,age\n"
    '/home/me/faces/fer0000016.png,"validation,checked",female,0.9,child\n'
    "/home/me/faces/fer0000017.png,,male,,\n"
)
# FairFace's labels, https://github.com/joojs/fairface; 10-19 lies in no single group of AGES
FAIRFACE = "file,age,gender,race,service_test\nval/fer0000016.png,3-9,Female,East Asian,True\n"
FAIRFACE += "val/fer0000017.png,10-19,Male,Black,False\n"


@pytest.mark.parametrize(
    ("name", "text", "rater"),
    [
        ("ls.json", json.dumps(LABEL_STUDIO), "7"),
        ("ls.csv", LABEL_STUDIO_CSV, "7"),
        ("cvat.xml", CVAT, "cvat"),
        ("fiftyone.csv", FIFTYONE, "fiftyone"),
        ("fairface.csv", FAIRFACE, "fairface"),
    ],
)
def test_other_tools_files_are_read(tmp_path: Path, name: str, text: str, rater: str) -> None:
    ids = pd.Series(["fer0000016.png", "fer0000017.png", "fer0000018.png"])
    source, ratings = read_source([save(text, tmp_path / name)], AGES, ids)
    source = source.set_index("image_id")
    assert source["gender"].to_dict() == {"fer0000016.png": "female", "fer0000017.png": "male"}
    assert source["age"].dropna().to_dict() == {"fer0000016.png": "child"}
    assert set(ratings["rater"]) == {rater}
    tables.check(ratings, "raters", name)


def test_what_is_written_for_other_tools_is_read_back(tmp_path: Path) -> None:
    ids = ['a/"1".png', "b & <b>, c.png", "c.png", "d.png"]
    people = pd.DataFrame(
        {
            "image_id": ids * 2,
            "attribute": ["gender"] * 4 + ["age"] * 4,
            "group": ["female", "male", None, None, "child", None, "adult", None],
        }
    )
    export_people(people, 48, tmp_path / "exchange")
    files = sorted((tmp_path / "exchange").iterdir())
    assert [file.name for file in files] == [
        "cvat.xml",
        "fairface.csv",
        "fiftyone.csv",
        "label_studio.csv",
        "label_studio.json",
    ]
    known = people.dropna().set_index(["image_id", "attribute"])["group"].sort_index()
    for file in files:
        back = raters_file(file, AGES).set_index(["image_id", "attribute"])["answer"].sort_index()
        assert back.to_dict() == known.to_dict(), file


def test_several_answers_to_one_question_are_told(tmp_path: Path) -> None:
    tasks = json.dumps(LABEL_STUDIO).replace('["male"]', '["male", "female"]')
    with pytest.raises(UserError, match="several answers"):
        raters_file(save(tasks, tmp_path / "ls.json"), AGES)
    with pytest.raises(UserError, match="two answers to 'gender': female, male"):
        raters_file(
            save(CVAT.replace("</tag>", '<attribute name="gender">male</attribute></tag>'), tmp_path / "c.xml"), AGES
        )


def test_pictures_are_recognised_only_where_one_face_fits() -> None:
    ids = pd.Series(["a/1.png", "b/1.png", "a/2.png"])
    found = pd.Series(["a/1.png", "/x/1.png", r"C:\x\2.png", "http://h/cb044c20-2.png?d=1", "3.png"])
    assert matched(found, ids).tolist() == ["a/1.png", "/x/1.png", "a/2.png", "a/2.png", "3.png"]


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ("0-2", "child"),
        ("10-19", None),
        ("20-29", "adult"),
        ("more than 70", "adult"),
        ("70+", "adult"),
        ("old", None),
        ("child", "child"),
    ],
)
def test_ranges_of_ages_lie_in_one_group_or_none(text: str, group: str | None) -> None:
    assert age_range(text, AGES) == group


def test_a_study_takes_raters_before_the_rest_and_keeps_what_they_said(tmp_path: Path) -> None:
    ids = ["a", "b", "c, d", "e"]
    faces = pd.DataFrame(
        {
            "image_id": ids,
            "source": "test",
            "partition": "",
            "label": "angry",
            "row": range(4),
            "exact_set": range(4),
            "duplicate_set": range(4),
            "ambiguity": 0.0,
        }
    )
    tables.write(faces, tmp_path / "faces.parquet", "faces")
    np.save(tmp_path / "pixels.npy", np.zeros((4, 8, 8), np.uint8))
    plain = pd.DataFrame({"image_id": ids, "gender": "female", "age": "adult"})
    plain.to_csv(tmp_path / "plain.csv", index=False)
    raters = [save(ANNA, tmp_path / "anna.csv"), save(BEN, tmp_path / "ben.csv")]
    same = {
        "age_groups": AGES,
        "sample_per_class": None,
        "seed": 1,
        "faces": tmp_path / "faces.parquet",
        "pixels": tmp_path / "pixels.npy",
        "drawn": {},
        "workers": 1,
        "owners_ages": {},
        "people": tmp_path / "people.parquet",
        "raters": tmp_path / "raters.parquet",
        "adjudication": tmp_path / "adjudication.csv",
    }
    annotate_people(sources=[{"table": raters}, {"table": str(tmp_path / "plain.csv")}], **same)
    people = tables.read(tmp_path / "people.parquet", "people").set_index(["attribute", "image_id"])
    assert people.loc[("gender", "b"), "annotator"] == "anna+ben"
    assert people.loc[("gender", "a"), "group"] == "female"  # the raters tie: the next source
    assert people.loc[("gender", "a"), "annotator"] == "plain"
    assert people.loc[("gender", "c, d"), "annotator"] == "anna"  # who looked and could not tell
    assert pd.isna(people.loc[("gender", "c, d"), "group"])
    assert len(tables.read(tmp_path / "raters.parquet", "raters")) == 11 + 8
    differ = tables.read(tmp_path / "adjudication.csv", "adjudication").set_index(["attribute", "image_id"])
    assert differ.loc[("gender", "a"), "answers"] == "anna: female; anna: male; ben: male; plain: female"
    assert differ["adjudicated"].isna().all()
    # who adjudicates decides, in whatever file and at whatever place in the list
    decided = HEAD.replace("page", "adjudication,page") + "a,male,,cleo,2026-01-03T10:00:00.000Z,1.2,1,0,0,1,r\n"
    decided += '"c, d",not a face,,anna,2026-01-03T10:00:02.000Z,1.2,2,0,0,1,r\n'
    third = save(decided, tmp_path / "decided.csv")
    annotate_people(sources=[{"table": str(tmp_path / "plain.csv")}, {"table": [*raters, third]}], **same)
    people = tables.read(tmp_path / "people.parquet", "people").set_index(["attribute", "image_id"])
    assert people.loc[("gender", "a"), ["group", "annotator"]].tolist() == ["male", "cleo"]
    assert people.loc[("gender", "b"), "group"] == "female"
    assert pd.isna(people.loc[("gender", "c, d"), "group"])
    assert people.loc[("gender", "c, d"), "annotator"] == "anna"
    differ = tables.read(tmp_path / "adjudication.csv", "adjudication").set_index(["attribute", "image_id"])
    assert differ.loc[("gender", "a"), ["group", "adjudicated"]].tolist() == ["male", "cleo"]
    assert "cleo" not in differ.loc[("gender", "a"), "answers"]
    assert pd.isna(differ.loc[("gender", "c, d"), "group"])
    assert differ.loc[("gender", "b"), "adjudicated"] != "cleo"
    assert tables.read(tmp_path / "raters.parquet", "raters")["adjudication"].sum() == 2
