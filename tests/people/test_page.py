"""The annotation page as Python makes it: whom it asks about, what it asks, what it holds."""

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fergap import tables
from fergap.errors import UserError
from fergap.people.annotation import sample
from fergap.people.page.building import (
    answer_keys,
    build_page,
    looks_aged,
    questions,
    sheets,
    write_adjudication,
    write_page,
)
from fergap.people.page.sample import allocation, draw_sample, listed_sample

AGES = {"child": [0, 14], "adult": [15, 120]}
SETTINGS = {
    "size": 40,
    "faces": None,
    "raters": [],
    "repeats": 0.1,
    "suggestions": "hidden",
    "disputes": "people",
    "definitions": {},
    "seed": None,
}


@given(st.lists(st.integers(1, 300), min_size=1, max_size=30), st.integers(1, 4000))
def test_allocation_gives_rare_strata_in_full_and_the_others_alike(sizes: list[int], total: int) -> None:
    given_ = allocation(np.array(sizes), total)
    assert given_.sum() == min(total, sum(sizes))
    assert (given_ <= sizes).all()
    spare = given_[given_ < sizes]
    assert spare.size == 0 or (np.ptp(spare) <= 1 and given_.max() <= spare.max() + 1)


def made_up(n: int = 600) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(3)
    ids = [f"f{i:04d}" for i in range(n)]
    faces = pd.DataFrame(
        {
            "image_id": ids,
            "source": "test",
            "partition": "",
            "label": rng.choice(["angry", "happy"], n, p=[0.2, 0.8]),
            "row": rng.permutation(n),
            "exact_set": range(n),
            "duplicate_set": range(n),
            "ambiguity": 0.0,
        }
    )
    groups = {"gender": rng.choice(["female", "male"], n), "age": np.where(rng.random(n) < 0.02, "child", "adult")}
    parts = [
        pd.DataFrame(
            {"image_id": ids, "attribute": a, "group": g, "value": np.nan, "confidence": np.nan, "annotator": "model"}
        )
        for a, g in groups.items()
    ]
    return faces, pd.concat(parts, ignore_index=True)


def test_the_sample_finds_the_rare_group_and_says_with_what_probability() -> None:
    faces, people = made_up()
    drawn = draw_sample(faces, people, 80, seed=5)
    assert len(drawn) == 80
    children = people.loc[people["group"] == "child", "image_id"]
    assert set(children) <= set(drawn["image_id"])  # 2 % of the faces, and all of them are asked about
    weights = 1 / drawn["probability"]
    assert weights.sum() == pytest.approx(len(faces))  # Horvitz–Thompson: the weights count the faces
    assert drawn.equals(draw_sample(faces, people, 80, seed=5))
    assert not drawn.equals(draw_sample(faces, people, 80, seed=6))
    assert len(draw_sample(faces, people, None, seed=5)) == len(faces)


def test_listed_faces_must_be_the_studys_and_stand_there_once() -> None:
    faces, people = made_up(20)
    drawn = draw_sample(faces, people, None, seed=5)
    assert listed_sample(drawn, pd.Series(["f0003", "f0001"]), "x")["image_id"].tolist() == ["f0001", "f0003"]
    with pytest.raises(UserError, match=r"f0001.*twice"):
        listed_sample(drawn, pd.Series(["f0001", "f0001"]), "x")
    with pytest.raises(UserError, match="'g1'"):
        listed_sample(drawn, pd.Series(["f0001", "g1"]), "x")


def test_every_answer_has_a_key_of_its_own() -> None:
    asked = questions({"gender": ["female", "male"], "age": ["child", "adult", "unknown age"]}, AGES, {})
    keys = [a["key"] for q in asked for a in q["answers"]]
    assert keys[:4] == ["f", "m", "c", "a"]
    assert len(set(keys)) == len(keys)
    assert not set(keys) & set("uxzyphn")
    assert [a["definition"] for a in asked[1]["answers"][:2]] == ["looks younger than 15", "looks 15 or older"]
    assert looks_aged(20, 39) == "looks 20 to 39 years old"
    with pytest.raises(UserError, match="more answers than keys"):
        answer_keys([f"group {i}" for i in range(40)], set())


def test_definitions_are_the_studys_own_and_may_ask_more() -> None:
    asked = questions({"age": ["child"]}, AGES, {"age": {"child": "has not grown up"}, "hat": {"yes": "", "no": ""}})
    assert asked[0]["answers"][0]["definition"] == "has not grown up"
    assert [a["group"] for a in asked[1]["answers"]] == ["yes", "no"]
    with pytest.raises(UserError, match="declares no groups"):
        questions({}, AGES, {})
    with pytest.raises(UserError, match="unclear"):
        questions({"gender": ["female", "unclear"]}, AGES, {})


@pytest.mark.parametrize("shape", [(101, 6, 6), (3, 3, 6, 6)])
def test_sheets_hold_every_face_at_its_place(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    made = [np.asarray(Image.open(io.BytesIO(base64.b64decode(s)))) for s in sheets(pixels)]
    assert len(made) == -(-shape[0] // 100)
    for i in (0, shape[0] // 2, shape[0] - 1):
        row, column = divmod(i % 100, 10)
        cut = made[i // 100][row * 6 : row * 6 + 6, column * 6 : column * 6 + 6]
        assert (cut == (pixels[i] if pixels.ndim == 3 else pixels[i].transpose(1, 2, 0))).all()


def content(text: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="content">(.*?)</script>', text, re.S)[1])


def test_hidden_suggestions_are_not_in_the_file_and_names_cannot_end_the_script() -> None:
    same = {
        "image_ids": ["</script><b>", "b"],
        "pixels": np.zeros((2, 8, 8), np.uint8),
        "asked": questions({"gender": ["female", "male"]}, AGES, {}),
        "raters": [],
        "repeats": 0.0,
        "disputed": None,
        "seed": 1,
    }
    hidden = build_page(study="s", suggestions=None, **same)
    shown = build_page(study="s", suggestions=[{"gender": "guessed"}] * 2, **same)
    assert content(hidden)["ids"][0] == "</script><b>"
    assert "guessed" in shown
    assert content(hidden)["suggestions"] is None
    assert content(hidden)["page"] != content(shown)["page"]
    assert not re.search(r"https?://", hidden)


def test_the_page_of_a_study_asks_about_its_sample_in_mixed_order(tmp_path: Path) -> None:
    faces, people = made_up(100)
    tables.write(faces, tmp_path / "faces.parquet", "faces")
    tables.write(people, tmp_path / "people.parquet", "people")
    pixels = np.repeat(np.arange(100, dtype=np.uint8), 64).reshape(100, 8, 8)
    np.save(tmp_path / "pixels.npy", pixels)
    same = {
        "study": "s",
        "sample_per_class": 30,
        "age_groups": AGES,
        "groups": {"gender": ["female", "male"]},
        "seed": 1,
        "faces": tmp_path / "faces.parquet",
        "pixels": tmp_path / "pixels.npy",
        "people": tmp_path / "people.parquet",
        "page": tmp_path / "annotate.html",
        "drawn": tmp_path / "sample.csv",
    }
    write_page(settings=SETTINGS, **same)
    drawn = tables.read(tmp_path / "sample.csv", "annotation_sample")
    text = (tmp_path / "annotate.html").read_text(encoding="utf-8")
    ids = content(text)["ids"]
    assert sorted(ids) == drawn["image_id"].tolist() != ids
    assert len(ids) == 40
    sheet = base64.b64decode(re.search(r'id="sheet-0">(.*?)</script>', text)[1])
    rows = faces.set_index("image_id")["row"]
    for i in (0, 21, 39):  # the picture under an id is that face's
        row, column = divmod(i, 10)
        assert np.asarray(Image.open(io.BytesIO(sheet)))[8 * row, 8 * column] == rows[ids[i]]
    # what people answered is known now, and the page goes on with the same faces
    tables.write(people.assign(group="adult"), tmp_path / "people.parquet", "people")
    write_page(settings=SETTINGS, **same)
    assert (tmp_path / "annotate.html").read_text(encoding="utf-8") == text
    write_page(settings=SETTINGS | {"seed": 2}, **same)
    assert sorted(content((tmp_path / "annotate.html").read_text(encoding="utf-8"))["ids"]) != sorted(ids)
    write_page(settings=SETTINGS | {"size": 41}, **same)
    assert len(tables.read(tmp_path / "sample.csv", "annotation_sample")) == 41
    (tmp_path / "list.csv").write_text("image_id\nf0007\nf0003\n", encoding="utf-8")
    write_page(settings=SETTINGS | {"faces": str(tmp_path / "list.csv")}, **same)
    listed = tables.read(tmp_path / "sample.csv", "annotation_sample")
    assert listed["image_id"].tolist() == ["f0003", "f0007"]
    assert listed["probability"].isna().all()
    write_page(settings=SETTINGS | {"size": 2}, **same)  # a list is not taken for a sample
    assert tables.read(tmp_path / "sample.csv", "annotation_sample")["probability"].notna().all()


def test_another_seed_of_the_page_takes_only_faces_whose_answers_count(tmp_path: Path) -> None:
    faces, people = made_up(100)
    tables.write(faces, tmp_path / "faces.parquet", "faces")
    tables.write(people, tmp_path / "people.parquet", "people")
    np.save(tmp_path / "pixels.npy", np.zeros((100, 8, 8), np.uint8))
    write_page(
        study="s",
        settings=SETTINGS | {"seed": 99, "size": None},
        sample_per_class=5,
        age_groups=AGES,
        groups={"gender": ["female", "male"]},
        seed=1,
        faces=tmp_path / "faces.parquet",
        pixels=tmp_path / "pixels.npy",
        people=tmp_path / "people.parquet",
        page=tmp_path / "annotate.html",
        drawn=tmp_path / "sample.csv",
    )
    counted = faces["image_id"][sample(faces["label"], 5, 1)]
    assert tables.read(tmp_path / "sample.csv", "annotation_sample")["image_id"].tolist() == sorted(counted)


def test_the_adjudication_page_holds_what_differs_and_nobodys_answers(tmp_path: Path) -> None:
    faces, _ = made_up(30)
    tables.write(faces, tmp_path / "faces.parquet", "faces")
    np.save(tmp_path / "pixels.npy", np.repeat(np.arange(30, dtype=np.uint8), 64).reshape(30, 8, 8))
    differ = pd.DataFrame(
        {
            "image_id": ["f0003", "f0003", "f0011", "f0020"],
            "attribute": ["gender", "age", "age", "hat"],
            "group": ["female", None, "child", "yes"],
            "answers": ["anna: female; ben: male"] * 4,
            "people_differ": [1, 1, 0, 1],
            "adjudicated": [None, None, "cleo", None],
        }
    )
    same = {
        "study": "s",
        "age_groups": AGES,
        "groups": {"gender": ["female", "male"], "age": ["child", "adult"], "race": ["one", "other"]},
        "seed": 1,
        "faces": tmp_path / "faces.parquet",
        "pixels": tmp_path / "pixels.npy",
        "adjudication": tmp_path / "adjudication.csv",
        "page": tmp_path / "adjudicate.html",
    }
    tables.write(differ, tmp_path / "adjudication.csv", "adjudication")
    write_adjudication(settings=SETTINGS, **same)
    assert content((tmp_path / "adjudicate.html").read_text(encoding="utf-8"))["ids"] == ["f0003"]
    every = SETTINGS | {"suggestions": "shown", "disputes": "all"}
    write_adjudication(settings=every, **same)
    text = (tmp_path / "adjudicate.html").read_text(encoding="utf-8")
    held = content(text)
    asked = dict(zip(held["ids"], held["disputed"], strict=True))
    assert asked == {"f0003": ["gender", "age"], "f0011": ["age"]}  # the study knows no hat
    assert [q["attribute"] for q in held["questions"]] == ["gender", "age"]
    assert held["suggestions"] is None
    assert held["repeats"] == 0
    assert not any(name in text for name in ("anna", "ben:", "cleo"))
    sheet = Image.open(io.BytesIO(base64.b64decode(re.search(r'id="sheet-0">(.*?)</script>', text)[1])))
    rows = faces.set_index("image_id")["row"]
    assert [np.asarray(sheet)[0, 8 * i] for i in range(2)] == rows[held["ids"]].tolist()
    # what was decided since changes nothing on the page, so that one can go on
    tables.write(differ.assign(adjudicated="cleo", group="male"), tmp_path / "adjudication.csv", "adjudication")
    write_adjudication(settings=every, **same)
    assert (tmp_path / "adjudicate.html").read_text(encoding="utf-8") == text
    tables.write(differ[differ["attribute"] == "hat"], tmp_path / "adjudication.csv", "adjudication")
    with pytest.raises(UserError, match=r"nothing to adjudicate"):
        write_adjudication(settings=SETTINGS, **same)
