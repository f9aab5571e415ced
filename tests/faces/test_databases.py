"""RAF-DB, ExpW, AffectNet and CelebA, from the layouts of their owners to the faces of a study."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from small_databases import (
    RAFDB,
    noise,
    put,
    save,
    write_affectnet,
    write_affectnet_arrays,
    write_celeba,
    write_expw,
    write_rafdb,
)

from fergap import tables
from fergap.errors import UserError
from fergap.faces.locations import EMOTIONS, OWNED, source_files
from fergap.faces.pictures import OUTSIDE, read_pictures
from fergap.faces.reading import gather
from fergap.faces.vocabulary import (
    AFFECTNET,
    AFFECTNET_ASIDE,
    EXPW,
    NAMES,
    RAFDB_BASIC,
    RAFDB_COMPOUND,
    SYNONYMS,
    unified,
)

WRITE = {"rafdb": write_rafdb, "expw": write_expw, "affectnet": write_affectnet, "celeba": write_celeba}


def settings(source: str, folder: Path, **changes: object) -> dict:
    return {"source": source, "folder": str(folder), "size": 24, "near_duplicate": 1, "labels": "", **changes}


def read(faces: dict, people: bool = False):
    found = gather(faces, source_files(faces, "", people))
    tables.check(found.tables["faces"], "faces", "faces")
    return found


def refused(faces: dict, people: bool = False) -> str:
    with pytest.raises(UserError) as caught:
        read(faces, people)
    message = str(caught.value)
    assert "\n  " in message, "a message says what was expected or how to go on"
    return message


def test_one_name_for_each_expression():
    assert unified("Happy") == unified(" happiness") == RAFDB_BASIC[4] == EXPW[3] == AFFECTNET[1] == "happiness"
    assert unified("smiling") == "smiling"
    for names in (RAFDB_BASIC, EXPW):
        assert set(names.values()) == set(EMOTIONS) - {"contempt"}
    assert set(AFFECTNET.values()) == set(EMOTIONS)
    assert len(NAMES) == len(EMOTIONS) + sum(map(len, SYNONYMS.values())), "no word means two expressions"
    assert len(set(RAFDB_COMPOUND.values())) == 11
    assert not set(AFFECTNET) & set(AFFECTNET_ASIDE)


def test_rafdb_is_read_aligned_with_its_partition(tmp_path: Path):
    write_rafdb(tmp_path)
    found = read(settings("rafdb", tmp_path, size=100))
    table = found.tables["faces"]
    assert table["image_id"].tolist() == [f"{name}.jpg" for name in RAFDB]
    assert table["label"].tolist() == ["surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"]
    assert table["partition"].tolist() == ["train"] * 3 + ["test"] * 4
    assert not [column for column in table if column.startswith("owner_")], "nobody asked for the people"
    luma = noise(3, 100, 100) @ [0.299, 0.587, 0.114]
    assert np.abs(found.pixels[3] - luma).max() <= 1


def test_rafdb_original_pictures_are_cut_to_their_boxes(tmp_path: Path):
    write_rafdb(tmp_path)
    found = read(settings("rafdb", tmp_path, pictures="original"))
    assert [np.unique(face).tolist() for face in found.pixels] == [[100 + i] for i in range(7)]


def test_rafdb_compound_has_its_own_names(tmp_path: Path):
    write_rafdb(tmp_path, "compound", (1, 2, 3, 4, 9, 10, 11))
    labels = read(settings("rafdb", tmp_path, subset="compound")).tables["faces"]["label"].tolist()
    assert labels[0] == "happily surprised"
    assert labels[4:] == ["angrily surprised", "angrily disgusted", "disgustedly surprised"]


def test_rafdb_people_are_what_the_owners_noted(tmp_path: Path):
    write_rafdb(tmp_path)
    table = read(settings("rafdb", tmp_path), people=True).tables["faces"]
    assert table["owner_gender"].fillna("?").tolist() == ["male", "female", "?", "male", "female", "?", "male"]
    race = ["Caucasian", "African-American", "Asian"]
    assert table["owner_race"].tolist() == [*race, *race, "Caucasian"]
    assert table["owner_age"].tolist() == ["0-3", "4-19", "20-39", "40-69", "70+", "0-3", "4-19"]
    assert {c.removeprefix("owner_") for c in table if c.startswith("owner_")} == set(OWNED["rafdb"])


@pytest.mark.parametrize("note", ["", "1 2\n" * 5 + "0\n0\n", "1 2\n" * 5 + "3\n0\n0\n", "1 2\n" * 5 + "0\n0\n5\n"])
def test_a_broken_note_on_people_is_named(tmp_path: Path, note: str):
    write_rafdb(tmp_path)
    put(note, tmp_path / "basic/Annotation/manual/test_0002_manu_attri.txt")
    assert "test_0002_manu_attri.txt" in refused(settings("rafdb", tmp_path), people=True)


def test_a_broken_box_is_named(tmp_path: Path):
    write_rafdb(tmp_path)
    put("1 2 3", tmp_path / "basic/Annotation/boundingbox/test_0002_boundingbox.txt")
    assert "test_0002_boundingbox.txt: holds '1 2 3'" in refused(settings("rafdb", tmp_path, pictures="original"))


def test_expw_cuts_every_face_of_a_picture(tmp_path: Path):
    write_expw(tmp_path)
    found = read(settings("expw", tmp_path))
    table = found.tables["faces"]
    assert table["image_id"].tolist()[:3] == ["awed_asian_0.jpg#0", "awed_asian_0.jpg#1", "awed_asian_1.jpg#0"]
    assert table["label"].tolist() == [EXPW[i % 7] for i in range(8)]
    assert table["partition"].isna().all()
    assert [np.unique(face).tolist() for face in found.pixels] == [[v] for i in range(4) for v in (250 - i, 10 + i)]


def test_expw_repeats_leave_and_are_counted(tmp_path: Path):
    write_expw(tmp_path)
    path = tmp_path / "label/label.lst"
    put(path.read_text() + path.read_text().splitlines()[0] + "\n", path)
    found = read(settings("expw", tmp_path))
    dropped = found.tables["dropped"].set_index("reason")
    assert dropped.loc["repeated name", ["count", "examples"]].tolist() == [1, "awed_asian_0.jpg#0"]
    assert len(found.pixels) == 8


def test_a_box_is_clipped_to_its_picture_and_one_outside_is_told(tmp_path: Path):
    picture = np.zeros((40, 50, 3), "uint8")
    picture[30:, 40:] = 255
    save(picture, tmp_path / "a.png")
    boxes = np.array([[40, 30, 90, 99], [50, 0, 60, 10], [20, 20, 10, 30]], "float64")
    pixels, reason = read_pictures([tmp_path / "a.png"] * 3, 8, 1, boxes)
    assert reason.tolist() == ["", OUTSIDE, OUTSIDE]
    assert (pixels[0] == 255).all()


@pytest.mark.parametrize(("expressions", "classes"), [(8, 8), (7, 7)])
def test_affectnet_lists_leave_out_what_is_no_expression(tmp_path: Path, expressions: int, classes: int):
    write_affectnet(tmp_path)
    found = read(settings("affectnet", tmp_path, expressions=expressions))
    table, dropped = found.tables["faces"], found.tables["dropped"].set_index("reason")["count"]
    assert table["label"].tolist() == [AFFECTNET[i] for i in range(classes)] * 2
    assert table["partition"].tolist() == ["training"] * classes + ["validation"] * classes
    assert dropped[list(AFFECTNET_ASIDE.values())].tolist() == [2, 2, 2]
    assert dropped.sum() == 2 * (11 - classes)
    values = [100 + i for i in range(classes)] + [120 + i for i in range(classes)]
    assert [np.unique(face).tolist() for face in found.pixels] == [[value] for value in values]


def test_affectnet_rows_without_a_box_leave(tmp_path: Path):
    write_affectnet(tmp_path)
    path = tmp_path / "Manually_Annotated_file_lists/training.csv"
    path.write_text(path.read_text().replace("training0.jpg,10,20,16,12", "training0.jpg,NULL,20,16,-1"))
    dropped = read(settings("affectnet", tmp_path)).tables["dropped"].set_index("reason")
    assert dropped.loc["no box of the face", ["count", "examples"]].tolist() == [1, "0/training0.jpg"]


def test_affectnet_s_newer_distribution_is_read_as_well(tmp_path: Path):
    write_affectnet_arrays(tmp_path)
    table = read(settings("affectnet", tmp_path, expressions=7)).tables["faces"]
    assert table["label"].tolist() == [AFFECTNET[i] for i in range(7)] * 2
    assert table["image_id"].tolist()[6:8] == ["train_set/6.jpg", "val_set/0.jpg"]


def test_a_broken_array_is_named(tmp_path: Path):
    write_affectnet_arrays(tmp_path)
    np.save(tmp_path / "val_set/annotations/3_exp.npy", np.array([1, 2]))
    assert "3_exp.npy" in refused(settings("affectnet", tmp_path))
    (tmp_path / "val_set/annotations/3_exp.npy").unlink()
    assert "3_exp.npy" in refused(settings("affectnet", tmp_path))


@pytest.mark.parametrize("flat", [False, True])
def test_celeba_smiles_in_its_middle_square(tmp_path: Path, flat: bool):
    write_celeba(tmp_path, flat)
    found = read(settings("celeba", tmp_path))
    table = found.tables["faces"]
    assert table["label"].tolist() == ["smiling"] * 3 + ["not smiling"] * 3
    assert table["partition"].tolist() == ["train", "train", "validation", "validation", "test", "test"]
    assert table["owner_gender"].tolist() == ["male", "female"] * 3
    assert table["owner_young"].tolist() == ["young", "not young", "not young"] * 2
    assert [np.unique(face).tolist() for face in found.pixels] == [[100 + i] for i in range(6)]


@pytest.mark.parametrize("source", WRITE)
def test_what_is_missing_is_told_with_whom_to_ask_and_where_it_goes(tmp_path: Path, source: str):
    message = refused(settings(source, tmp_path))
    assert str(tmp_path) in message
    assert "http" in message
    assert message.count("\n") == 2, "where and what, what was expected, how to go on"


@pytest.mark.parametrize(
    ("source", "missing"),
    [
        ("rafdb", "basic/EmoLabel/list_patition_label.txt"),
        ("rafdb", "basic/Image/aligned"),
        ("rafdb", "basic/Annotation/manual"),
        ("expw", "label/label.lst"),
        ("expw", "image/origin"),
        ("affectnet", "Manually_Annotated_file_lists/validation.csv"),
        ("affectnet", "Manually_Annotated/Manually_Annotated_Images"),
        ("celeba", "Anno/list_attr_celeba.txt"),
        ("celeba", "Eval/list_eval_partition.txt"),
        ("celeba", "Img/img_align_celeba"),
    ],
)
def test_each_missing_file_is_named(tmp_path: Path, source: str, missing: str):
    WRITE[source](tmp_path)
    (tmp_path / missing).rename(tmp_path / "elsewhere")
    assert str(tmp_path / missing) in refused(settings(source, tmp_path), people=True)


def replaced(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return change


@pytest.mark.parametrize(
    ("source", "name", "old", "new", "says"),
    [
        (
            "rafdb",
            "basic/EmoLabel/list_patition_label.txt",
            "train_00002.jpg 2",
            "train_00002.jpg 8",
            "line 2: the number is",
        ),
        (
            "rafdb",
            "basic/EmoLabel/list_patition_label.txt",
            "train_00002.jpg 2",
            "train_00002.jpg",
            "line 2: the line is",
        ),
        ("rafdb", "basic/EmoLabel/list_patition_label.txt", "train_00002", "dev_00002", "'dev_00002.jpg'"),
        ("expw", "label/label.lst", "57.8 0", "57.8 7", "line 1: the number is '7'"),
        ("expw", "label/label.lst", "0 5 10 40", "0 5 10 4x", "line 1: '4x' is no whole number"),
        ("expw", "label/label.lst", " 57.8", "", "line 1"),
        (
            "affectnet",
            "Manually_Annotated_file_lists/training.csv",
            ",0,-0.1",
            ",11,-0.1",
            "line 2: the number is '11'",
        ),
        ("affectnet", "Manually_Annotated_file_lists/training.csv", "face_x", "x", "line 1: the header is"),
        ("celeba", "Anno/list_attr_celeba.txt", "Smiling", "Grinning", "line 2: the attributes lack Smiling"),
        ("celeba", "Anno/list_attr_celeba.txt", "000002.jpg  1 -1", "000002.jpg  1  0", "line 4: the number is '0'"),
        ("celeba", "Anno/list_attr_celeba.txt", "000002.jpg  1", "000002.jpg", "line 4: the line is"),
        ("celeba", "Eval/list_eval_partition.txt", "000002.jpg 0\n", "", "000002.jpg has no line in"),
        ("celeba", "Eval/list_eval_partition.txt", "000002.jpg 0", "000002.jpg 3", "line 2: the number is '3'"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, source: str, name: str, old: str, new: str, says: str):
    WRITE[source](tmp_path)
    replaced(name, old, new)(tmp_path)
    assert says in refused(settings(source, tmp_path))


def test_an_empty_list_is_told(tmp_path: Path):
    write_expw(tmp_path)
    put("\n", tmp_path / "label/label.lst")
    assert "lists no picture" in refused(settings("expw", tmp_path))
