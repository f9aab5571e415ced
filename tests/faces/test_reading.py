"""Sources, from files to tables, and every kind of bad input."""

import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image
from small_faces import settings, some_pixels, some_votes, write_fer2013, write_ferplus

from fergap import tables
from fergap.errors import UserError
from fergap.faces.locations import LOCATIONS, source_files
from fergap.faces.pictures import TOO_LARGE, UNREADABLE, read_pictures
from fergap.faces.reading import gather, read_faces
from fergap.faces.sources import SOURCES, image_table
from fergap.study import SEVERAL

KAGGLE = "challenges-in-representation-learning-facial-expression-recognition-challenge.zip"
OUTPUTS = {
    "pixels": "pixels.npy",
    "table": "faces.parquet",
    "dropped": "dropped.csv",
    "labels": "labels.csv",
    "overlaps": "overlaps.csv",
}


def read(faces: dict):
    return gather(faces, source_files(faces, str(faces["folder"])))


def refused(faces: dict) -> str:
    with pytest.raises(UserError) as caught:
        read(faces)
    message = str(caught.value)
    assert "\n  " in message, "a message says what was expected or how to go on"
    return message


@pytest.fixture
def fer2013(tmp_path: Path) -> dict:
    write_fer2013(tmp_path, some_pixels(12), some_votes(12))
    return settings("fer2013", tmp_path)


@pytest.fixture
def ferplus(tmp_path: Path) -> dict:
    write_ferplus(tmp_path, some_pixels(12), some_votes(12))
    return settings("ferplus", tmp_path)


def change_line(path: Path, line: int, old: str, new: str) -> None:
    lines = path.read_text().splitlines()
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new, 1)
    path.write_text("\n".join(lines) + "\n")


def test_every_source_names_its_files():
    assert set(SOURCES) | {"none", SEVERAL} == set(LOCATIONS)


@pytest.mark.parametrize("source", ["fer2013", "drawn"])
def test_fer2013_is_read_in_order(tmp_path: Path, source: str):
    pixels, votes = some_pixels(12), some_votes(12)
    votes.loc[3, "NF"] = 1
    votes.loc[5, "Image name"] = ""
    votes.loc[6, "happiness"] = 0
    write_fer2013(tmp_path, pixels, votes)
    found = read(settings(source, tmp_path))
    rows = [0, 1, 2, 4, 7, 8, 9, 10, 11]
    assert (found.pixels == pixels[rows]).all()
    table = tables.check(found.tables["faces"], "faces", "faces")
    assert table["image_id"].tolist() == votes["Image name"][rows].tolist()
    assert table["label"].tolist() == [["happiness", "neutral"][row % 2] for row in rows]
    assert table["row"].tolist() == list(range(len(rows)))
    assert table["votes_unknown"].tolist() == votes["unknown"][rows].tolist()
    # ten of ten for happiness; eight for neutral, which the two for unknown leave as it is and do not answer
    tagger = [[1.0, 0.8][row % 2] for row in rows]
    assert table["tagger_answered"].tolist() == table["tagger_right"].tolist() == pytest.approx(tagger)
    assert set(table["tagger_kept"]) == {1.0}
    dropped = found.tables["dropped"].set_index("reason")
    assert dropped["count"].loc[["NF > 0", "no image name", "no votes"]].tolist() == [1, 1, 1]
    assert dropped["examples"]["no image name"] == "line 7"


def test_both_forms_of_fer2013_give_the_same(fer2013: dict, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("ferplus")
    write_ferplus(folder, some_pixels(12), some_votes(12))
    first, second = read(fer2013), read(settings("ferplus", folder))
    assert (first.pixels == second.pixels).all()
    columns = [c for c in first.tables["faces"] if c != "source"]
    pd.testing.assert_frame_equal(first.tables["faces"][columns], second.tables["faces"][columns])


@hypothesis_settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(count=st.integers(4, 40), seed=st.integers(0, 99), threads=st.sampled_from([1, 2]))
def test_what_is_written_as_fer2013_is_read_back(tmp_path: Path, count: int, seed: int, threads: int):
    pixels = some_pixels(count, seed)
    write_fer2013(tmp_path, pixels, some_votes(count))
    faces = settings("fer2013", tmp_path)
    assert (gather(faces, source_files(faces, ""), threads).pixels == pixels).all()


@pytest.mark.parametrize(
    "name", ["fer2013.csv.zip", "fer2013.zip", KAGGLE, "my download.zip", "fer2013.tar.gz", "both"]
)
def test_fer2013_is_read_from_archives(fer2013: dict, tmp_path: Path, name: str):
    plain = read(fer2013)
    table = tmp_path / "fer2013.csv"
    tarred = tmp_path / "fer2013.tar.gz"
    if name in ("fer2013.tar.gz", "both"):
        with tarfile.open(tarred, "w:gz") as tar:
            tar.add(table, "fer2013/fer2013.csv")
    if name != "fer2013.tar.gz":
        with zipfile.ZipFile(tmp_path / (KAGGLE if name == "both" else name), "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("README", "")
            archive.write(tarred if name == "both" else table, f"fer2013/{(tarred if name == 'both' else table).name}")
    if name == "both":
        tarred.unlink()
    table.unlink()
    packed = read(fer2013)
    assert (packed.pixels == plain.pixels).all()
    assert list(tmp_path.iterdir())  # and nothing was unpacked beside the archive
    assert not table.exists()


def test_pictures_are_resized(fer2013: dict):
    assert read(fer2013 | {"size": 24}).pixels.shape == (12, 24, 24)


def test_an_image_table_of_any_pictures(tmp_path: Path):
    rng = np.random.default_rng(4)
    (tmp_path / "faces").mkdir()
    modes = {"a.png": "RGB", "b.png": "L", "c.png": "RGBA", "d.png": "P", "e.jpg": "RGB", "f.png": "I;16"}
    for name, mode in modes.items():
        grey = np.kron(rng.integers(0, 256, (5, 7)), np.ones((13, 17))).astype("uint8")
        image = Image.fromarray(grey.astype("uint16") * 257) if mode == "I;16" else Image.fromarray(grey).convert(mode)
        image.save(tmp_path / "faces" / name)
    rows = [f"faces/{name},{'sad' if i % 2 else 'glad'},{i + 20}" for i, name in enumerate(modes)]
    (tmp_path / "table.csv").write_text("\n".join(["image,label,age_years", *rows, "faces/a2.png,,30"]) + "\n")
    found = read(settings("image_table", tmp_path))
    assert found.pixels.shape == (6, 48, 48)
    table = tables.check(found.tables["faces"], "faces", "faces")
    assert table["image_id"].tolist() == [f"faces/{name}" for name in modes]
    assert table["partition"].isna().all()
    assert found.tables["labels"].to_numpy().tolist() == [["glad", 3, 3], ["sad", 3, 3]]
    assert found.tables["dropped"].set_index("reason")["count"]["no label"] == 1


def test_grey_is_kept_whatever_the_mode(tmp_path: Path):
    grey = some_pixels(1)[0]
    paths = [tmp_path / f"{mode}.png" for mode in ("L", "RGB", "RGBA", "deep")]
    for path in paths[:3]:
        Image.fromarray(grey).convert(path.stem).save(path)
    Image.fromarray(grey.astype("uint16") * 257).save(paths[3])
    pixels, reason = read_pictures(paths, 48, threads=2)
    assert (pixels == grey).all()
    assert (reason == "").all()


def test_a_few_unreadable_pictures_are_counted(tmp_path: Path):
    names = [f"{i}.png" for i in range(300)]
    for i, name in enumerate(names):
        Image.fromarray(np.full((4, 4), i % 256, "uint8")).save(tmp_path / name)
    (tmp_path / names[7]).write_bytes(b"no picture")
    (tmp_path / names[8]).write_bytes((tmp_path / names[9]).read_bytes()[:-20])
    (tmp_path / names[10]).unlink()
    table = pd.DataFrame({"image": names, "label": np.where(np.arange(300) % 3, "sad", "glad")})
    table.to_csv(tmp_path / "table.csv", index=False)
    found = read(settings("image_table", tmp_path, size=8))
    dropped = found.tables["dropped"].set_index("reason")
    assert dropped["count"].loc[["picture cannot be read", "picture file missing"]].tolist() == [2, 1]
    assert dropped["examples"]["picture cannot be read"] == "7.png; 8.png"
    assert len(found.pixels) == len(found.tables["faces"]) == 297
    assert found.pixels[[7, 8], 0, 0].tolist() == [9, 11]
    (tmp_path / names[11]).unlink()
    message = refused(settings("image_table", tmp_path, size=8))
    assert "4 of 300 pictures cannot be read: 7.png, 8.png, 10.png, 11.png" in message


def test_one_unreadable_picture_among_few_is_fatal(ferplus: dict, tmp_path: Path):
    (tmp_path / "FER2013Train" / "fer0000001.png").write_bytes(b"")
    assert "1 of 12 pictures cannot be read: fer0000001.png (picture cannot be read)" in refused(ferplus)


def test_pictures_with_damaged_metadata_are_read_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    upright = np.zeros((8, 8), "uint8")
    upright[:4] = 255
    exif = Image.Exif()
    exif[0x0112], exif[0x0131] = 3, "a maker of pictures"  # turned upside down
    for name, about in {"whole": exif.tobytes(), "cut": exif.tobytes()[:-9], "broken": exif.tobytes()[:-9]}.items():
        Image.fromarray(upright[::-1]).save(tmp_path / f"{name}.png", exif=about)
    data = (tmp_path / "broken.png").read_bytes()
    (tmp_path / "broken.png").write_bytes(data[: data.index(b"IDAT")])
    pixels, reason = read_pictures([tmp_path / f"{name}.png" for name in ("whole", "cut", "broken")], 8, threads=2)
    assert reason.tolist() == ["", "", UNREADABLE]
    assert (pixels[:2] == upright).all(), "what stands before the damage counts"
    heard = capsys.readouterr().err
    told = f"look at {tmp_path / 'cut.png'}: 1 picture was read though Pillow warns of it (Truncated File Read)\n"
    assert told in heard
    assert "Warning" not in heard


def test_a_picture_of_absurd_size_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    Image.new("L", (30, 30)).save(tmp_path / "a.png")
    for limit in (800, 400):  # a warning above the limit, an error above twice of it: both refuse
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        assert read_pictures([tmp_path / "a.png"], 8)[1].tolist() == [TOO_LARGE]
    monkeypatch.undo()
    Image.new("1", (10_000, 5_001)).save(tmp_path / "a.png")
    assert read_pictures([tmp_path / "a.png"], 8)[1].tolist() == [TOO_LARGE]


@pytest.mark.parametrize(
    ("source", "missing", "told"),
    [
        ("fer2013", "fer2013.csv", "Challenges in Representation Learning: Facial Expression Recognition Challenge"),
        ("fer2013", "fer2013new.csv", "https://github.com/microsoft/FERPlus"),
        ("ferplus", "fer2013new.csv", "https://github.com/microsoft/FERPlus"),
        ("ferplus", "FER2013Valid", "generate_training_data.py"),
        ("image_table", "table.csv", "columns image (a path, relative to the CSV's folder) and label"),
    ],
)
def test_a_missing_file_is_told_with_where_to_get_it(tmp_path: Path, source: str, missing: str, told: str):
    for name in {"fer2013.csv", "fer2013new.csv"} - {missing}:
        (tmp_path / name).touch()
    for name in {"FER2013Train", "FER2013Valid", "FER2013Test"} - {missing}:
        (tmp_path / name).mkdir()
    message = refused(settings(source, tmp_path))
    assert told in message
    assert str(tmp_path) in message
    assert missing in message


def test_a_source_without_its_folder_or_table_is_refused(tmp_path: Path):
    assert refused(settings("ferplus", tmp_path) | {"folder": None}).startswith("faces.folder: is not given")
    assert refused(settings("image_table", tmp_path) | {"table": None}).startswith("faces.table: is not given")
    assert refused(settings("somewhere", tmp_path)).startswith("faces.source: 'somewhere' is no source")


@pytest.mark.parametrize(
    ("file", "line", "old", "new", "told"),
    [
        ("fer2013.csv", 1, "pixels", "points", "fer2013.csv, line 1: the header is 'emotion,points,Usage'"),
        ("fer2013.csv", 4, "Training", "Training,1", "fer2013.csv, line 4: 4 values in the row"),
        ("fer2013.csv", 4, "Training", "PublicTest", "fer2013.csv, line 4: Usage is 'PublicTest', but 'Training' in"),
        ("fer2013new.csv", 1, "NF", "noface", "fer2013new.csv, line 1: the header is"),
        ("fer2013new.csv", 1, ",NF", "", "fer2013new.csv, line 1: the header is"),
        ("fer2013new.csv", 3, ",8,", ",11,", "fer2013new.csv, line 3: neutral is '11'"),
        ("fer2013new.csv", 3, ",8,", ",8.5,", "fer2013new.csv, line 3: neutral is '8.5'"),
        ("fer2013new.csv", 3, ",8,", ",,", "fer2013new.csv, line 3: neutral is ''"),
        ("fer2013new.csv", 3, ",8,", ",", "fer2013new.csv, line 3: 11 values in the row 'Training,fer0000001.png"),
        ("fer2013new.csv", 5, "Training", "Schooling", "fer2013new.csv, line 5: Usage is 'Schooling'"),
    ],
)
def test_a_changed_line_is_told(fer2013: dict, tmp_path: Path, file: str, line: int, old: str, new: str, told: str):
    change_line(tmp_path / file, line, old, new)
    assert told in refused(fer2013)


@pytest.mark.parametrize("row", [0, 5, 11])
@pytest.mark.parametrize(
    ("pixel", "told"),
    [
        (["7"] * 2303, "2303 pixels"),
        (["7"] * 2305, "2305 pixels"),
        (["7", "256", *["7"] * 2302], "pixel 2 is 256"),
        (["7", "-1", *["7"] * 2302], "pixel 2 is '-1'"),
        (["7", "x", *["7"] * 2302], "pixel 2 is 'x'"),
        (["7", "0x7", *["7"] * 2302], "pixel 2 is '0x7'"),
        (["7", "7.5", *["7"] * 2302], "pixel 2 is '7.5'"),
        (["7", "", *["7"] * 2303], "pixels separated by other than single spaces"),
        ([], "0 pixels"),
    ],
)
def test_bad_pixels_are_told_by_line(fer2013: dict, tmp_path: Path, row: int, pixel: list[str], told: str):
    table = pd.read_csv(tmp_path / "fer2013.csv", dtype=str)
    table.loc[row, "pixels"] = " ".join(pixel)
    table.to_csv(tmp_path / "fer2013.csv", index=False)
    message = refused(fer2013)
    assert message.startswith(f"{tmp_path}/fer2013.csv, line {row + 2}: {told}\n  expected: 2304 pixels")


def test_the_bad_row_is_found_in_a_later_block(tmp_path: Path):
    count = 1100  # more than one block of 8 MiB
    write_fer2013(tmp_path, np.full((count, 48, 48), 200, "uint8"), some_votes(count))
    change_line(tmp_path / "fer2013.csv", count, "200 200", "200 300")
    assert f"fer2013.csv, line {count}: pixel 2 is 300" in refused(settings("fer2013", tmp_path))


@pytest.mark.parametrize(("rows", "votes"), [(12, 11), (11, 12), (0, 12)])
def test_files_of_different_length_are_told(tmp_path: Path, rows: int, votes: int):
    write_fer2013(tmp_path, some_pixels(12), some_votes(12))
    for name, count in {"fer2013.csv": rows, "fer2013new.csv": votes}.items():
        lines = (tmp_path / name).read_text().splitlines(keepends=True)
        (tmp_path / name).write_text("".join(lines[: count + 1]))
    message = refused(settings("fer2013", tmp_path))
    assert (f"has {rows} rows, but" in message and f"has {votes}" in message) or (
        rows == 0 and "has a header and no row" in message
    )


def test_a_zip_without_the_table_is_told(fer2013: dict, tmp_path: Path):
    (tmp_path / "fer2013.csv").unlink()
    with zipfile.ZipFile(tmp_path / "fer2013.zip", "w") as archive:
        archive.writestr("other.csv", "a,b\n")
    message = refused(fer2013)
    assert message.startswith(f"{tmp_path}/fer2013.zip: holds no fer2013.csv (found: other.csv)")
    (tmp_path / "fer2013.zip").rename(tmp_path / "else.zip")
    assert "(found: else.zip)" in refused(fer2013)


@pytest.mark.parametrize("name", ["fer2013.zip", "fer2013.tar.gz"])
def test_a_broken_archive_is_told(fer2013: dict, tmp_path: Path, name: str):
    (tmp_path / "fer2013.csv").rename(tmp_path / "aside.csv")
    if name.endswith("zip"):
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(tmp_path / "aside.csv", "fer2013.csv")
    else:
        with tarfile.open(tmp_path / name, "w:gz") as tar:
            tar.add(tmp_path / "aside.csv", "fer2013.csv")
    whole = (tmp_path / name).read_bytes()
    for broken in (whole[: len(whole) // 2], whole[:3000] + bytes(500) + whole[3500:], b""):
        (tmp_path / name).write_bytes(broken)
        assert f"{tmp_path}/{name}" in refused(fer2013)


def test_an_empty_class_is_told(tmp_path: Path):
    write_fer2013(tmp_path, some_pixels(12), some_votes(12).assign(happiness=0))
    message = refused(settings("fer2013", tmp_path))
    assert message.startswith("faces.schemes.two: no face belongs to the class 'happiness'")


def test_a_repeated_id_is_told(tmp_path: Path):
    (tmp_path / "table.csv").write_text("image,label,image_id\na.png,x,1\nb.png,y,2\nc.png,y,1\n")
    message = refused(settings("image_table", tmp_path))
    assert message.startswith(f"{tmp_path}/table.csv, line 4: the id '1' stands in line 2 already")


def test_an_image_table_without_its_columns_is_told(tmp_path: Path):
    (tmp_path / "table.csv").write_text("file,label\na.png,x\n")
    assert "table.csv, line 1: the header is 'file,label'" in refused(settings("image_table", tmp_path))


def test_outputs_are_written_whole_and_survive_a_later_error(fer2013: dict, tmp_path: Path):
    out = {name: tmp_path / "out" / file for name, file in OUTPUTS.items()}
    files = source_files(fer2013, "")
    read_faces(fer2013, files, **out)
    before = {path: path.read_bytes() for path in out.values()}
    for name, table in (("faces", "table"), ("dropped", "dropped"), ("labels", "labels"), ("overlaps", "overlaps")):
        tables.read(out[table], name)
    assert np.load(out["pixels"]).shape == (12, 48, 48)
    change_line(tmp_path / "fer2013.csv", 13, "PrivateTest", "Nowhere")
    with pytest.raises(UserError):
        read_faces(fer2013, files, **out)
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


@pytest.mark.parametrize("rows", ["", "\n", "\n\n\n"])
def test_a_table_of_blank_lines_is_told(tmp_path: Path, rows: str):
    (tmp_path / "t.csv").write_text("image,label\n" + rows, encoding="utf-8")
    with pytest.raises(UserError, match="has a header and no row"):
        image_table({"size": 8}, {"table": str(tmp_path / "t.csv")}, 1)
