"""Thousands of damaged and odd files and configurations: each is read, or refused in one message; never a traceback.

``make fuzz`` runs many more (the profile ``fuzz``).
"""

import copy
import io
import os
import resource
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

from fergap import tables
from fergap.config import checked, declared_groups
from fergap.errors import UserError
from fergap.faces.archives import opened
from fergap.faces.delimited import blocks
from fergap.faces.expressions import evaluate
from fergap.faces.locations import VOTES
from fergap.faces.pictures import read_pictures
from fergap.faces.pixel_text import parse_pixels
from fergap.faces.sources import FER2013_HEADER, image_table, read_fer2013
from fergap.faces.votes import read_votes
from fergap.people.annotators import from_table
from fergap.training.external import read_external
from fergap.training.plan import arm_packs, trained_arms

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "schemas" / "config.schema.yaml"
DEMO = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
AGES = {"child": [0, 14], "adult": [15, 120]}
MEMORY = 1 << 30  # bytes by which the process may grow over all cases
TIMES = 20 if os.environ.get("HYPOTHESIS_PROFILE") == "fuzz" else 1


def cases(count: int) -> Callable:
    """Return hypothesis' settings for so many cases, twenty times as many under the profile ``fuzz``."""
    return settings(
        max_examples=count * TIMES,
        deadline=20_000,  # a hang is a failure
        database=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@pytest.fixture(autouse=True)
def bounded():
    """The tests' own process may not grow without bound."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before < MEMORY


def survives(read: Callable[[], object]) -> object:
    """Return what is read, or None where it is refused in one message of a few lines."""
    try:
        return read()
    except UserError as error:
        message = str(error)
        assert len(message.splitlines()) <= 6, message
        assert len(message) < 3000, message
        assert "Traceback" not in message
        return None


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Return a file cut off, with bytes turned, taken out, put in or doubled."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        match draw(st.integers(0, 5)):
            case 0:
                del data[at:]
            case 1 if data:
                data[at] ^= draw(st.integers(1, 255))
            case 2:
                del data[at : at + draw(st.integers(1, 60))]
            case 3:
                data[at:at] = draw(st.binary(min_size=1, max_size=30))
            case 4:
                data[at:at] = data[at : at + draw(st.integers(1, 200))]
            case 5:
                data[at : at + 8] = b"\xff" * 8
    return bytes(data)


ODD = st.sampled_from(
    [
        "", "0", "-1", "1e999", "nan", "NA", "=1+1", "'", '"', "a,b", "a\nb", "\r", "\x00", "\ufeff", "é", "0x10",
        "1.5",
        "9" * 400, "true", "None", " ", "\t", "a" * 3000, "😀", "-0", "1_000", "١", "../../x", "train", "test", "child",
    ]
)  # fmt: skip
CELL = st.one_of(ODD, st.text(max_size=8), st.integers(-3, 200).map(str))


@st.composite
def table(draw: st.DrawFn, *columns: str) -> bytes:
    """Return a CSV with most of the columns and cells of any kind, well or badly quoted, in any of three encodings."""
    names = [c for c in draw(st.permutations(columns)) if draw(st.integers(0, 9))]
    names += draw(st.lists(CELL, max_size=2))
    rows = draw(st.lists(st.lists(CELL, min_size=len(names), max_size=len(names)), max_size=5))
    if draw(st.booleans()):
        text = pd.DataFrame(rows, columns=names).to_csv(index=False)
    else:
        text = "\n".join(",".join(row) for row in [names, *rows]) + "\n" * draw(st.integers(0, 2))
    return text.encode(draw(st.sampled_from(["utf-8", "utf-8", "utf-16", "latin-1"])), errors="replace")


def file_in(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


PEOPLE = pd.DataFrame(
    {
        "image_id": [f"{i:03d}" for i in range(30)],
        "gender": ["female", "male"] * 15,
        "age_years": np.arange(30) * 3.5,
        "confidence": 0.5,
    }
)
PREDICTIONS = pd.DataFrame(
    {
        "image_id": PEOPLE["image_id"],
        "true": ["sad", "glad", "glad"] * 10,
        "predicted": ["sad", "sad", "glad"] * 10,
        "fold": np.arange(30) % 3,
        "p_glad": 0.25,
        "p_sad": 0.75,
    }
)
LABELLED = b"image,label,partition\n" + b"".join(b"a%d.png,x,Training\n" % i for i in range(9))
USAGE = pd.Series(["Training"] * 3 + ["PublicTest"] + ["PrivateTest"])
VOTE_LINES = [f"{usage},fer{i:07d}.png,{i},0,0,0,{10 - i},0,0,0,0,0" for i, usage in enumerate(USAGE)]
VOTES_FILE = ("Usage,Image name," + ",".join(VOTES) + "\n" + "\n".join(VOTE_LINES) + "\n").encode()
PIXEL_LINES = [f"3,{' '.join(['7', '255'] * 1152)},{usage}" for usage in USAGE]
PIXELS_FILE = (",".join(FER2013_HEADER) + "\n" + "\n".join(PIXEL_LINES) + "\n").encode()


def parquet(frame: pd.DataFrame) -> bytes:
    out = io.BytesIO()
    frame.to_parquet(out, index=False, write_page_checksum=True)
    return out.getvalue()


def packed(kind: str) -> bytes:
    out = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("fer2013/fer2013.csv", PIXELS_FILE)
    else:
        with tarfile.open(fileobj=out, mode="w:gz") as tar:
            info = tarfile.TarInfo("fer2013/fer2013.csv")
            info.size = len(PIXELS_FILE)
            tar.addfile(info, io.BytesIO(PIXELS_FILE))
    return out.getvalue()


def picture(kind: str) -> bytes:
    out = io.BytesIO()
    pixels = np.random.default_rng(1).integers(0, 256, (24, 20), dtype="uint8")
    Image.fromarray(pixels).convert("P" if kind == "GIF" else "L").save(out, kind)
    return out.getvalue()


PACKED = {kind: packed(kind) for kind in ("zip", "tar.gz")}
PICTURES = [picture(kind) for kind in ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")]
PARQUETS = [parquet(PREDICTIONS), parquet(PEOPLE)]


@cases(250)
@given(data=st.one_of(table("image_id", "gender", "age", "age_years", "confidence", "annotator", "cluster_id"),
                      damaged(PEOPLE.to_csv(index=False).encode())))  # fmt: skip
def test_tables_of_people(tmp_path: Path, data: bytes) -> None:
    found = survives(lambda: from_table(file_in(tmp_path, "people.csv", data), AGES))
    if found is not None:
        assert found["image_id"].is_unique


@cases(250)
@given(data=st.one_of(table("image_id", "true", "predicted", "fold", "seed", "repeat", "role", "p_a", "p_b"),
                      damaged(PREDICTIONS.to_csv(index=False).encode())))  # fmt: skip
def test_tables_of_predictions(tmp_path: Path, data: bytes) -> None:
    found = survives(lambda: read_external(file_in(tmp_path, "p.csv", data), "arm", 1, None))
    if found is not None:
        tables.check(found[0], "predictions", "p.csv")


@cases(300)
@given(data=st.sampled_from(PARQUETS).flatmap(damaged))
def test_parquet(tmp_path: Path, data: bytes) -> None:
    path = file_in(tmp_path, "p.parquet", data)
    survives(lambda: read_external(path, "arm", 1, None))
    survives(lambda: tables.read(path, "people"))


@cases(250)
@given(data=st.one_of(table("image", "label", "image_id", "partition"), damaged(LABELLED)))
def test_tables_of_pictures(tmp_path: Path, data: bytes) -> None:
    path = file_in(tmp_path, "t.csv", data)
    survives(lambda: image_table({"size": 8}, {"table": str(path)}, 1))


@cases(250)
@given(data=st.one_of(table("Usage", "Image name", *VOTES), damaged(VOTES_FILE)))
def test_votes(tmp_path: Path, data: bytes) -> None:
    found = survives(lambda: read_votes(file_in(tmp_path, "fer2013new.csv", data)))
    assert found is None or found[list(VOTES)].to_numpy().max(initial=0) <= 10


@cases(100)
@given(data=st.one_of(table(*FER2013_HEADER), damaged(PIXELS_FILE)))
def test_pixels_as_text(tmp_path: Path, data: bytes) -> None:
    path = file_in(tmp_path, "fer2013.csv", data)
    found = survives(lambda: read_fer2013(str(path), USAGE, "votes.csv", np.arange(len(USAGE)), 48, 1))
    assert found is None or found[0].shape == (len(USAGE), 48, 48)


@cases(200)
@given(text=st.lists(st.text("0123456789 .-x\t\n", max_size=12), max_size=4), count=st.integers(1, 4))
def test_pixels_in_a_cell(text: list[str], count: int) -> None:
    import pyarrow as pa

    found = survives(lambda: parse_pixels(pa.array(text, pa.string()), count, where="f", line=2)) if text else None
    assert found is None or found.tolist() == [[int(value) for value in row.split()] for row in text]


@cases(150)
@given(kind=st.sampled_from(list(PACKED)), data=st.data())
def test_archives(tmp_path: Path, kind: str, data: st.DataObject) -> None:
    path = file_in(tmp_path, f"fer2013.{kind}", data.draw(damaged(PACKED[kind])))
    before = sorted(tmp_path.rglob("*"))

    def read() -> list:
        with opened(path, "fer2013.csv") as stream:
            return list(blocks(stream, str(path), FER2013_HEADER, exact=True))

    survives(read)
    assert sorted(tmp_path.rglob("*")) == before


@cases(400)
@given(data=st.one_of(st.sampled_from(PICTURES).flatmap(damaged), st.binary(max_size=60)))
def test_pictures(tmp_path: Path, data: bytes) -> None:
    pixels, reason = read_pictures([file_in(tmp_path, "a.png", data)], 16)
    assert pixels.shape == (1, 16, 16)
    assert pixels.dtype == np.uint8
    assert not (reason[0] and pixels.any())


@cases(200)
@given(data=damaged(np.lib.format.magic(1, 0) + b"\x76\x00" + b"{'descr': '|u1', 'fortran_order': False, 'shape': "
                    b"(3, 4, 4), }".ljust(117) + b"\n" + bytes(48)))  # fmt: skip
def test_arrays_of_pixels(tmp_path: Path, data: bytes) -> None:
    found = survives(lambda: np.array(tables.load_pixels(file_in(tmp_path, "pixels.npy", data), pd.Series([0, 2]))))
    assert found is None or (found.dtype == np.uint8 and found.ndim in (3, 4))


@cases(150)
@given(name=st.sampled_from(sorted(tables.TABLES)), data=st.data())
def test_tables_between_stages(tmp_path: Path, name: str, data: st.DataObject) -> None:
    path = file_in(tmp_path, "t.csv", data.draw(table(*tables.TABLES[name].columns)))
    survives(lambda: tables.read(path, name))


@cases(200)
@given(texts=st.lists(st.text(st.sampled_from("=+-@' ,\"a1.é%"), min_size=1, max_size=6), min_size=1, unique=True))
def test_texts_come_back_as_they_went_and_none_is_a_formula(tmp_path: Path, texts: list[str]) -> None:
    path = tmp_path / "labels.csv"
    tables.write(pd.DataFrame({"label": texts, "matched": 1, "assigned": 2}), path, "labels")
    assert tables.read(path, "labels")["label"].tolist() == texts
    for cell in tables.load(path, text=("label",))["label"]:
        assert cell[0] not in "=+-@" or float(cell) == float(cell)


WORDS = [
    *VOTES, "others(anger)", "and", "or", "not", "(", ")", "+", "-", "<", "==", "1", "9" * 9, "**", "[", "lambda:",
    "__import__('os')", "others", ",", "'a'", "~", ":=",
]  # fmt: skip


@cases(300)
@given(rule=st.one_of(st.text(max_size=30), st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join)))
def test_rules_on_votes(rule: str) -> None:
    votes = {name: np.arange(4) for name in VOTES}
    found = survives(lambda: evaluate(rule, votes, ("anger", "fear"), key="k"))
    assert found is None or (found.shape == (4,) and found.dtype == bool)


ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), ODD, st.text(max_size=5), st.just(10**30)),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(ODD | st.integers() | st.none(), part, max_size=3),
    max_leaves=6,
)


def places(value: object, path: tuple = ()) -> list[tuple]:
    """Return the paths of everything in a configuration."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] + [found for key, part in steps for found in places(part, (*path, key))]


@cases(500)
@given(changes=st.lists(st.tuples(st.sampled_from(places(DEMO)[1:]), ANYTHING), min_size=1, max_size=3))
def test_configurations(changes: list[tuple[tuple, object]]) -> None:
    config = copy.deepcopy(DEMO)
    for path, value in changes:
        here = config
        for step in path[:-1]:
            here = here[step] if isinstance(here, dict) and step in here else here
            here = here[step] if isinstance(here, list) and isinstance(step, int) and step < len(here) else here
        if isinstance(here, dict) or (isinstance(here, list) and isinstance(path[-1], int) and path[-1] < len(here)):
            here[path[-1]] = value
    found = survives(lambda: checked(config, SCHEMA))
    if found is not None:
        declared_groups(found)
        assert all(arm_packs(found, arm) for arm in trained_arms(found))
