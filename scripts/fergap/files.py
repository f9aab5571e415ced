"""Whole files or none: every result is written under a temporary name and renamed."""

import errno
import glob
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fergap.errors import UserError

# NumPy and safetensors tell of a full disk in words alone
FULL = re.compile(
    r"No space left|StorageFull|quota exceeded|File too large|\d+ requested and \d+ written", re.IGNORECASE
)


def is_full(error: BaseException | None) -> bool:
    """Return whether an error, or one that led to it, says that the disk or the user's share of it is full."""
    while error is not None:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or FULL.search(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


def disk_full(where: str) -> UserError:
    """Return the error for a write that found no room."""
    return UserError(
        "cannot be written, because the disk is full",
        where=where,
        fix="make room (`df -h` and `quota` tell how much there is) and start the same command again; earlier results "
        "are as they were",
    )


def is_alive(process: int) -> bool:
    """Return whether a process of this machine is there."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def remove_drafts(path: Path) -> None:
    """Delete what processes that were killed while they wrote ``path`` left beside it."""
    for draft in path.parent.glob(f".{glob.escape(path.stem)}.*{glob.escape(path.suffix)}"):
        number = draft.name[len(path.stem) + 2 : len(draft.name) - len(path.suffix)]
        if number.isdecimal() and not is_alive(int(number)):
            draft.unlink(missing_ok=True)


@contextmanager
def whole(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` if the block succeeds, delete it if not.

    The folder of ``path`` is made when it is missing. The suffix is kept, for writers that go by it.

    Raises
    ------
    UserError
        The disk is full.
    """
    path = Path(path)
    draft = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_drafts(path)
        yield draft
        os.replace(draft, path)
    except Exception as error:
        if is_full(error) and not isinstance(error, UserError):
            raise disk_full(str(path)) from error
        raise
    finally:
        draft.unlink(missing_ok=True)


def write_text(text: str, path: str | os.PathLike) -> None:
    """Write ``text`` to ``path`` as UTF-8, whole or not at all."""
    with whole(path) as draft:
        draft.write_text(text, encoding="utf-8")
