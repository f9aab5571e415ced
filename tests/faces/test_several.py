"""Several sources in one study: one name for each expression, ids that differ, duplicates across sources."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_databases import RAFDB, noise, save, write_affectnet, write_celeba, write_expw, write_rafdb
from small_faces import SCHEMES, some_pixels, some_votes, write_ferplus

from fergap import tables
from fergap.errors import UserError
from fergap.faces.drawn import draw, write
from fergap.faces.locations import published_count, source_files
from fergap.faces.reading import gather
from fergap.people.annotators import from_drawn, from_source
from fergap.study import drawn_sources, entries

SEVEN = ["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """RAF-DB, ExpW, AffectNet, CelebA, FER+ and a table of two pictures, of which one is RAF-DB's."""
    write_rafdb(tmp_path / "rafdb")
    write_expw(tmp_path / "expw")
    write_affectnet(tmp_path / "affectnet")
    write_celeba(tmp_path / "celeba")
    (tmp_path / "ferplus").mkdir()
    write_ferplus(tmp_path / "ferplus", some_pixels(12), some_votes(12))
    save(noise(3, 100, 100), tmp_path / "mine/train_00001.jpg")
    save(noise(99, 100, 100), tmp_path / "mine/b.jpg")
    (tmp_path / "mine/table.csv").write_text("image,label\ntrain_00001.jpg,Happy\nb.jpg,Neutral\n")
    return tmp_path


def several(folder: Path, *sources: str | dict, **changes: object) -> dict:
    given = [{"source": s, "folder": str(folder / s)} if isinstance(s, str) else s for s in sources]
    base = {"source": "several", "sources": given, "size": 48, "near_duplicate": 0.99, "drop": ["NF > 0"]}
    return base | {"labels": "two", "schemes": SCHEMES} | changes


def read(faces: dict, people: bool = False):
    found = gather(faces, source_files(faces, "", people))
    for name, table in found.tables.items():
        tables.check(table, name, name)
    assert len(found.pixels) == len(found.tables["faces"])
    return found


def refused(faces: dict) -> str:
    with pytest.raises(UserError) as caught:
        read(faces)
    assert "\n  " in str(caught.value)
    return str(caught.value)


def test_each_face_keeps_its_source_and_expressions_have_one_name(folder: Path):
    found = read(several(folder, "rafdb", "expw"))
    table = found.tables["faces"]
    assert table["source"].tolist() == ["rafdb"] * 7 + ["expw"] * 8
    assert table["image_id"].tolist()[:8] == [f"rafdb/{n}.jpg" for n in RAFDB] + ["expw/awed_asian_0.jpg#0"]
    assert sorted(table["label"].unique()) == SEVEN
    assert table["row"].tolist() == list(range(15))
    labels = found.tables["labels"].set_index("label")
    assert labels.loc["anger"].tolist() == [3, 3]
    assert labels.index[0] == "anger"
    assert (np.unique(found.pixels[7]), np.unique(found.pixels[8])) == ([250], [10])


def test_classes_that_do_not_agree_are_refused_and_may_be_left_out(folder: Path):
    assert "affectnet has the classes anger, contempt" in refused(several(folder, "rafdb", "affectnet"))
    found = read(several(folder, "rafdb", "affectnet", classes=SEVEN))
    assert found.tables["labels"]["label"].tolist() == SEVEN
    dropped = found.tables["dropped"].set_index("reason")
    assert dropped.loc["affectnet: not in faces.classes", ["count", "examples"]].tolist() == [
        2,
        "7/training7.jpg; 7/validation7.jpg",
    ]
    assert dropped.loc["affectnet: annotator uncertain", "count"] == 2
    assert "in every source" in refused(several(folder, "rafdb", "expw", classes=[*SEVEN, "contempt"]))


def test_each_source_has_settings_of_its_own(folder: Path):
    affectnet = {"name": "web", "source": "affectnet", "folder": str(folder / "affectnet"), "expressions": 7}
    original = {"source": "rafdb", "folder": str(folder / "rafdb"), "pictures": "original"}
    found = read(several(folder, original, affectnet))
    assert found.tables["faces"]["source"].tolist() == ["rafdb"] * 7 + ["web"] * 14
    assert found.tables["faces"]["image_id"].tolist()[7] == "web/0/training0.jpg"
    assert [np.unique(face).tolist() for face in found.pixels[:7]] == [[100 + i] for i in range(7)]


def test_labels_are_renamed_to_the_classes_of_the_study(folder: Path):
    table = {"name": "mine", "source": "image_table", "table": str(folder / "mine/table.csv")}
    smile = {"rename": {"happiness": "smiling", "neutral": "not smiling"}}
    found = read(
        several(folder, "celeba", table | smile, {"source": "ferplus", "folder": str(folder / "ferplus")} | smile)
    )
    faces = found.tables["faces"]
    counts = faces.groupby("source")["label"].value_counts().to_dict()
    assert counts == {
        ("celeba", "smiling"): 3,
        ("celeba", "not smiling"): 3,
        ("mine", "smiling"): 1,
        ("mine", "not smiling"): 1,
        ("ferplus", "smiling"): 6,
        ("ferplus", "not smiling"): 6,
    }
    of_votes = [column for column in faces if column.startswith(("votes_", "tagger_"))]
    assert not of_votes, "not every source has votes"
    assert faces["ambiguity"].notna().sum() == 12
    assert faces["owner_gender"].notna().sum() == 6


def test_the_same_picture_in_two_sources_is_a_duplicate_set(folder: Path):
    table = {"name": "mine", "source": "image_table", "table": str(folder / "mine/table.csv")}
    found = read(several(folder, "rafdb", table, classes=["happiness", "neutral"]))
    faces = found.tables["faces"].set_index("image_id")
    assert faces.loc["mine/train_00001.jpg", "exact_set"] == faces.loc["rafdb/test_0001.jpg", "exact_set"]
    assert faces["exact_set"].nunique() == len(faces) - 1


def test_two_sources_with_votes_keep_them(folder: Path):
    (folder / "again").mkdir()
    write_ferplus(folder / "again", some_pixels(12, seed=7), some_votes(12))
    again = {"name": "again", "source": "ferplus", "folder": str(folder / "again"), "drop": ["unknown > 0"]}
    with pytest.raises(UserError, match="no face belongs to the class 'neutral'"):
        read(several(folder, "ferplus", again))
    faces = read(several(folder, "ferplus", again | {"drop": []})).tables["faces"]
    assert faces["votes_happiness"].sum() == 120
    assert set(faces["tagger_answered"]) == {1.0, 0.8}
    assert faces["image_id"].is_unique


def test_entries_take_from_the_study_what_they_do_not_state(folder: Path):
    faces = several(folder, {"source": "ferplus", "folder": "a", "labels": "rules"}, {"source": "ferplus", "name": "b"})
    first, second = entries(faces)
    assert (first["labels"], second["labels"]) == ("rules", "two")
    assert (first["name"], second["name"]) == ("ferplus", "b")
    with pytest.raises(UserError, match=r"faces.sources \(b\).folder: is not given"):
        source_files(several(folder, {"source": "ferplus", "name": "b"}), "")
    assert published_count(several(folder, "rafdb", "celeba")) == 15_339 + 202_599
    assert published_count({"source": "drawn"}) == 0
    assert entries({"source": "drawn"}) == [{"source": "drawn"}]


def test_people_are_asked_of_the_owners_that_know_them(folder: Path):
    table = read(several(folder, "rafdb", "expw"), people=True).tables["faces"]
    assert table["owner_race"].notna().tolist() == [True] * 7 + [False] * 8
    assert isinstance(table["owner_race"].dtype, pd.StringDtype)


def test_drawn_sources_have_truths_of_their_own(tmp_path: Path, config: dict):
    sources = [{"source": "drawn", "name": "studio", "drawn": {"children": 0}}, {"source": "drawn", "name": "street"}]
    faces = config | several(tmp_path, *sources) | {"labels": "emotion7", "schemes": config["schemes"]}
    faces |= {"drawn": config["drawn"] | {"count": 150, "children": 0.5}}
    truths = drawn_sources(faces)
    assert {prefix: (t["count"], t["children"]) for prefix, t in truths.items()} == {
        "studio/": (150, 0),
        "street/": (150, 0.5),
    }
    for prefix, truth in truths.items():
        write(draw(truth, 1), tmp_path / prefix)
    found = gather(faces, source_files(faces, str(tmp_path))).tables["faces"]
    assert found["source"].unique().tolist() == ["studio", "street"]
    people = from_drawn({prefix: tmp_path / prefix / "people.csv" for prefix in truths}, {"child": [0, 14]})
    assert set(found["image_id"]) <= set(people["image_id"])
    told = from_source(found)
    assert told.merge(people, on="image_id").groupby("source")["age"].count().to_dict().get("studio", 0) == 0
    assert from_source(found[found["source"] == "studio"]) is None
