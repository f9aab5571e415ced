"""Damaged and hostile files, a full disk and want of memory: each named, refused, with how to go on."""

import errno
import io
import json
import re
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from fergap import files, tables
from fergap.errors import UserError
from fergap.faces.archives import opened
from fergap.faces.pictures import TOO_LARGE, UNREADABLE, read_pictures
from fergap.files import is_full, remove_drafts, whole
from fergap.job import job, machine_fault
from fergap.models.registry import build
from fergap.people.annotators import from_table
from fergap.training.checkpoint import ENTRY, save_tensors
from fergap.training.external import read_external
from fergap.training.weights import load_weights, save_weights

FOLDS = pd.DataFrame({"image_id": [f"{i:04d}" for i in range(200)], "repeat": 0, "fold": np.arange(200) % 5})
PEOPLE = "image_id,gender,age_years\n" + "".join(f"{i:03d},{'female' if i % 2 else 'male'},{i}\n" for i in range(40))


def refused(read: object, *arguments: object) -> str:
    with pytest.raises(UserError) as caught:
        read(*arguments)
    assert "\n  " in str(caught.value), "a message says what was expected or how to go on"
    return str(caught.value)


def test_a_parquet_cut_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "folds.parquet"
    tables.write(FOLDS, path, "folds")
    data = path.read_bytes()
    for cut in range(0, len(data), 97):
        path.write_bytes(data[:cut])
        message = refused(tables.read, path, "folds")
        assert str(path) in message
        assert "delete it and start the study again" in message


def test_a_byte_turned_in_a_parquet_never_passes_for_another_value(tmp_path: Path) -> None:
    path = tmp_path / "folds.parquet"
    tables.write(FOLDS, path, "folds")
    data, wanted = path.read_bytes(), tables.read(path, "folds")
    refusals = 0
    for at in range(4, len(data), 13):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])
        try:
            found = tables.read(path, "folds")
        except UserError:
            refusals += 1
        else:
            pd.testing.assert_frame_equal(found, wanted)
    assert refusals > 20


def test_a_csv_that_ends_in_the_middle_of_a_row_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    ages = {"child": [0, 14], "adult": [15, 120]}
    path.write_text(PEOPLE[: PEOPLE.rindex(",")])
    assert "ends in the middle of a row" in refused(from_table, path, ages)
    path.write_text(PEOPLE.rstrip("\n"))
    assert len(from_table(path, ages)) == 40
    path.write_text("image_id,true,predicted\n1,a,b\n2,b,b\n3,a")
    assert "ends in the middle of a row" in refused(read_external, path, "arm", 1, None)
    path.write_bytes(PEOPLE.encode("utf-16"))
    assert "cannot be read" in refused(from_table, path, ages)
    path.write_bytes(b"")
    assert "cannot be read" in refused(from_table, path, ages)


def archive(path: Path, name: str) -> None:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("README", "")
            packed.writestr(name, "a,b\n")
    else:
        with tarfile.open(path, "w:gz") as packed:
            info = tarfile.TarInfo(name)
            info.size = 4
            packed.addfile(info, io.BytesIO(b"a,b\n"))


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
@pytest.mark.parametrize(
    "name", ["../fer2013.csv", "/etc/fer2013.csv", "a/../../fer2013.csv", "C:/fer2013.csv", "..\\x"]
)
def test_an_entry_that_points_outside_of_its_archive_is_refused(tmp_path: Path, kind: str, name: str) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    path = folder / f"fer2013.{kind}"
    archive(path, name)

    def read() -> None:
        with opened(path, "fer2013.csv"):
            pass

    assert "points outside of the archive" in refused(read)
    assert sorted(tmp_path.rglob("*")) == [folder, path]


def test_a_link_in_an_archive_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a,b\n")
    with tarfile.open(tmp_path / "fer2013.tar.gz", "w:gz") as packed:
        info = tarfile.TarInfo("fer2013.csv")
        info.type, info.linkname = tarfile.SYMTYPE, str(tmp_path / "secret.csv")
        packed.addfile(info)

    def read() -> None:
        with opened(tmp_path / "fer2013.tar.gz", "fer2013.csv"):
            pass

    assert "holds no fer2013.csv" in refused(read)


def png(width: int, height: int) -> bytes:
    """Return a PNG of any size whose zeros take next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(width + 1)) for _ in range(min(height, 200))) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("width", "height"), [(50_001, 1_000), (20_000, 20_000), (2**31 - 1, 2**31 - 1)])
def test_a_picture_of_absurd_size_is_not_decoded(tmp_path: Path, width: int, height: int) -> None:
    (tmp_path / "a.png").write_bytes(png(min(width, 60_000), 1)[:16] + png(1, 1)[16:])
    data = bytearray(png(100, 100))
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    (tmp_path / "b.png").write_bytes(data)
    assert read_pictures([tmp_path / "b.png"], 8)[1].tolist() == [TOO_LARGE]


def test_a_picture_that_another_program_would_draw_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\nshowpage\n")
    assert read_pictures([tmp_path / "a.png"], 8)[1].tolist() == [UNREADABLE]


def test_nothing_pickled_is_ever_loaded(root: Path, tmp_path: Path) -> None:
    # torch.load with weights_only=True takes tensors and refuses all else: tests/models/test_pretrained.py
    tensors = r"torch\.load\b(?!\([^()]*weights_only=True\))"
    loads = re.compile(tensors + r"|pickle\.load|import pickle|read_pickle|joblib|allow_pickle=True|\bdill\b|shelve")
    for path in (root / "scripts").rglob("*.py"):
        assert not loads.search(path.read_text(encoding="utf-8")), path
    np.save(tmp_path / "pixels.npy", np.array([{}], dtype=object), allow_pickle=True)
    assert "cannot be read" in refused(tables.load_pixels, tmp_path / "pixels.npy", pd.Series([0]))


def test_pixels_that_are_short_or_something_else_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "pixels.npy"
    np.save(path, np.zeros((5, 8, 8), "uint8"))
    assert tables.load_pixels(path, pd.Series([4])).shape == (5, 8, 8)
    assert "the table of faces has row 5" in refused(tables.load_pixels, path, pd.Series([5]))
    data = path.read_bytes()
    for cut in (0, 3, 20, 100, len(data) - 1):
        path.write_bytes(data[:cut])
        assert "delete it and start the study again" in refused(tables.load_pixels, path, pd.Series([4]))
    np.save(path, np.zeros((5, 8, 8), "float64"))
    assert "holds something else" in refused(tables.load_pixels, path, pd.Series([4]))
    path.unlink()
    assert "there is no such file" in refused(tables.load_pixels, path, pd.Series([4]))


def test_a_byte_turned_in_weights_is_told(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    model = build("b1_n1_k1", 2, 1, 8)
    about = {"network": "b1_n1_k1", "classes": ["a", "b"], "channels": 1, "size": 8, "mean": [0.0], "std": [1.0]}
    save_weights(path, model.state_dict(), about)
    assert load_weights(path).about["classes"] == ["a", "b"]
    data = path.read_bytes()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    for at in [*range(start, len(data), 41), 0, 9, 20, start - 3]:
        path.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
        message = refused(load_weights, path)
        assert str(path) in message
        assert "its networks are trained anew" in message
    # as somebody else would write them: no checksum
    save_file(model.state_dict(), path, metadata={ENTRY: json.dumps(about)})
    assert "do not match their checksum" in refused(load_weights, path)


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB of memory, full but for a few."""
    folder = tmp_path / "full"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("skipped: mounting a file system is not allowed here")
    try:
        (folder / "earlier.csv").write_bytes(bytes(40_000))
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_each_writer_tells_of_a_full_disk_and_leaves_nothing_half_written(full_disk: Path) -> None:
    frame = pd.DataFrame({"image_id": [f"{i:09d}" for i in range(9000)], "repeat": 0, "fold": np.arange(9000) % 5})

    def pixels(path: Path) -> None:
        with whole(path) as draft:
            np.save(draft, np.random.default_rng(1).integers(0, 256, 60_000, dtype="uint8"))

    writers = {
        "folds.csv": lambda path: tables.write(frame, path, "folds"),
        "folds.parquet": lambda path: tables.write(
            frame.assign(image_id=np.random.default_rng(1).permutation(frame["image_id"])), path, "folds"
        ),
        "pixels.npy": pixels,
        "w.safetensors": lambda path: save_tensors({"a": torch.rand(20_000)}, {}, path),
        "paper.html": lambda path: files.write_text("x" * 60_000, path),
    }
    for name, write in writers.items():
        message = refused(write, full_disk / name)
        assert message.startswith(f"{full_disk / name}: cannot be written, because the disk is full"), message
        assert "to go on: make room" in message
        assert [path.name for path in full_disk.iterdir()] == ["earlier.csv"]
    assert (full_disk / "earlier.csv").stat().st_size == 40_000


def test_a_log_on_a_full_disk_is_told_on_the_terminal(full_disk: Path, capsys: pytest.CaptureFixture) -> None:
    (full_disk / "rest").write_bytes(bytes(60_000 - 40_000 - 4096))

    def work() -> None:
        with job(full_disk / "logs" / "job.log"):
            print("x" * 30_000, file=sys.stderr)
            files.write_text("x" * 60_000, full_disk / "table.csv")

    with pytest.raises(SystemExit):
        work()
    said = capsys.readouterr().err
    assert "the disk is full" in said
    assert "to go on: " in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError(), "memory ran out"),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"),
            "memory ran out",
        ),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), "memory ran out"),
        (BrokenProcessPool("a child process terminated abruptly"), "a worker process was killed from outside"),
        (
            OSError(errno.ENOSPC, "No space left on device", "/tmp/a"),
            "/tmp/a: cannot be written, because the disk is full",
        ),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "because the disk is full"),
        (OSError("700 requested and 0 written"), "because the disk is full"),
        (PermissionError(errno.EACCES, "Permission denied", "/x/y"), "/x/y: may not be read or written"),
        (OSError(errno.EROFS, "Read-only file system", "/x/y"), "/x/y: may not be read or written"),
        (OSError(errno.EIO, "Input/output error", "/x/y"), "/x/y: Input/output error"),
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files"),
    ],
)
def test_a_fault_of_the_machine_is_told_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture, error: Exception, told: str
) -> None:
    log = tmp_path / "job.log"
    with pytest.raises(SystemExit) as end, job(log, "training a: study seed 7, device cpu"):
        raise error
    assert end.value.code == 1
    said = capsys.readouterr().err
    assert said == log.read_text(encoding="utf-8")
    first, *_, last = said.splitlines()
    assert first == "training a: study seed 7, device cpu"
    assert told in said
    assert last.startswith("  to go on: ")
    assert "Traceback" not in said


def test_memory_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit), job(tmp_path / "job.log"):
        np.empty(1 << 60, "uint8")
    said = capsys.readouterr().err
    assert said.startswith("error: memory ran out (Unable to allocate")
    assert "to go on: free memory" in said


def test_what_is_a_bug_is_no_fault_of_the_machine(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for error in (KeyError("x"), ValueError("y"), FileNotFoundError(errno.ENOENT, "No such file", "z")):
        assert machine_fault(error) is None
        assert not is_full(error)
        with pytest.raises(SystemExit), job(tmp_path / "job.log"):
            raise error
        said = capsys.readouterr().err
        assert "Traceback" in said
        assert "report it" in said.splitlines()[-1]


def test_every_message_of_a_job_ends_in_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for error in (UserError("is wrong"), UserError("is wrong", expected="right"), KeyboardInterrupt()):
        with pytest.raises(SystemExit), job(tmp_path / "job.log"):
            raise error
        assert capsys.readouterr().err.splitlines()[-1].startswith("  to go on: ")


def test_drafts_of_the_dead_are_removed_and_those_of_the_living_stay(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    names = [f".a.{dead.pid}.csv", ".a.1.csv", f".a.b.{dead.pid}.csv", f".a.{dead.pid}.txt", ".a.x.csv", "a.csv"]
    for name in names:
        (tmp_path / name).touch()
    remove_drafts(tmp_path / "a.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[1:])
