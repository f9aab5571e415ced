"""A file as a stream of bytes, be it plain or inside an archive, without unpacking it to disk."""

import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from fergap.errors import UserError

# what Python's own readers of archives raise beside these for some damaged ones
ODD = (TypeError, ValueError, AttributeError, IndexError, struct.error)
BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError)


def is_outside(name: str) -> bool:
    """Return whether an archive's entry points out of the folder into which it would be unpacked."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or ":" in name.split("/")[0]


def check_inside(archive: Path, name: str) -> None:
    """Refuse an archive's entry that points outside of the archive: whoever made it meant harm."""
    if is_outside(name):
        raise UserError(
            f"holds the entry {name[:200]!r}, which points outside of the archive",
            where=str(archive),
            expected="an archive as published",
            fix="do not unpack it; download it again from where it is published",
        )


def lacking(archive: Path, member: str, names: list[str]) -> UserError:
    """Return the error for an archive without the wanted file."""
    shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "") if names else "nothing"
    return UserError(
        f"holds no {member} (found: {shown})",
        where=str(archive),
        expected=f"an archive with {member} in it",
        fix=f"download it again, or put {member} itself beside it",
    )


@contextmanager
def tar_member(tar: tarfile.TarFile, archive: Path, member: str) -> Iterator[BinaryIO]:
    """Yield the first file called ``member`` of a tar that is read in one pass."""
    names = []
    for info in tar:
        check_inside(archive, info.name)
        if info.isfile() and PurePosixPath(info.name).name == member:
            with tar.extractfile(info) as stream:
                yield stream
            return
        names.append(info.name)
    raise lacking(archive, member, names)


@contextmanager
def opened(path: str | os.PathLike, member: str) -> Iterator[BinaryIO]:
    """Yield a file's bytes: of ``path`` itself, or of ``member`` where ``path`` is a ``.zip`` or ``.tar.gz``.

    A ``.tar.gz`` within a zip, as Kaggle ships FER2013, is looked into too. The folder within the archive is of no
    account.

    Raises
    ------
    UserError
        The file is missing, the archive is broken, lacks ``member`` or holds an entry that points outside of it.
    """
    path = Path(path)
    packed = path.suffix == ".zip" or path.name.endswith(".tar.gz")
    broken = BROKEN + ODD if packed else BROKEN
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    check_inside(path, name)
                by_name = {PurePosixPath(name).name: name for name in archive.namelist()[::-1]}
                tarred = f"{Path(member).stem}.tar.gz"
                if member in by_name:
                    with archive.open(by_name[member]) as stream:
                        yield stream
                elif tarred in by_name:
                    with (
                        archive.open(by_name[tarred]) as inner,
                        tarfile.open(fileobj=inner, mode="r|gz") as tar,
                        tar_member(tar, path, member) as stream,
                    ):
                        yield stream
                else:
                    raise lacking(path, member, archive.namelist())
        elif packed:
            with tarfile.open(path, mode="r|gz") as tar, tar_member(tar, path, member) as stream:
                yield stream
        else:
            with open(path, "rb") as stream:
                yield stream
    except FileNotFoundError:
        raise UserError("there is no such file", where=str(path)) from None
    except broken as error:
        raise UserError(
            f"cannot be read ({str(error).splitlines()[0] if str(error) else type(error).__name__})",
            where=str(path),
            expected=f"a whole archive with {member} in it" if packed else "a readable file",
            fix="download it again" if packed else "",
        ) from error
