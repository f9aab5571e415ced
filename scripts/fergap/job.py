"""What every script of the workflow shares: its log, and how its errors reach the user."""

import contextlib
import errno
import io
import itertools
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from fergap.errors import UserError
from fergap.files import disk_full, is_full, write_text

MENDED = "mend this and start the same command again; earlier results are as they were"
MOST = 3  # messages that are repeated at the end of a run
FAILURES = Path(".snakemake", "failures")  # beside what it mends: Snakemake's notes of each output
AGAIN = "start the same command again: what is finished stays, and training goes on after its last whole epoch"
BUG = (
    "this is a mistake of the program and none of yours: report it with this log, or start the same command again "
    "after an update; earlier results are as they were"
)
MEMORY = "free memory or start the same command with fewer cores (--cores); training: with a smaller batch_size"
# how PyTorch, on the CPU and on a GPU, says what Python calls a MemoryError
NO_MEMORY = ("OutOfMemoryError", "can't allocate memory", "not enough memory", "out of memory")


class Ended(SystemExit):
    """Somebody asked this process to end."""


class Tee(io.TextIOBase):
    """Text stream that writes to the terminal and, without a progress bar's rewritten lines, to a log file.

    A log that cannot be written (the disk is full) is given up without a word: the terminal still tells.
    """

    def __init__(self, terminal: TextIO, log: TextIO):
        self.terminal, self.log = terminal, log

    def write(self, text: str) -> int:
        self.terminal.write(text)
        if "\r" not in text:
            with contextlib.suppress(OSError):
                self.log.write(text)
        return len(text)

    def flush(self) -> None:
        self.terminal.flush()
        with contextlib.suppress(OSError):
            self.log.flush()

    def isatty(self) -> bool:
        return self.terminal.isatty()

    def fileno(self) -> int:
        return self.terminal.fileno()


def machine_fault(error: Exception) -> UserError | None:
    """Return a fault of the machine (memory, disk, rights, processes) as a message, None for any other error."""
    where = str(getattr(error, "filename", None) or "")
    words = f"{type(error).__name__}: {error}"
    if isinstance(error, MemoryError) or any(sign in words for sign in NO_MEMORY):
        return UserError(f"memory ran out ({str(error).splitlines()[0] if str(error) else 'no more is to be had'})")
    if is_full(error):
        return disk_full(where or f"temporary folder or {Path.cwd()}")
    if type(error).__name__ == "BrokenProcessPool":
        return UserError("a worker process was killed from outside, most often because memory ran out")
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return UserError(
            "may not be read or written",
            where=where,
            expected="the right to do so",
            fix="give yourself that right, or run in a folder of your own, and start the same command again",
        )
    if isinstance(error, OSError) and error.errno in (errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE):
        return UserError(
            f"{error.strerror}", where=where, fix=f"see to the disk or the limits (ulimit -a), then {AGAIN}"
        )
    return None


def failures(log: str | os.PathLike) -> int:
    """Return how often the job with this log did not come to its end; see :func:`counted`."""
    try:
        return int((FAILURES / log).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0


@contextmanager
def counted(log: str | os.PathLike, known: int) -> Iterator[None]:
    """Count a job's failures, SIGKILL among them: one is added before the block; after it the ``known`` ones stay.

    After a failure Snakemake puts back the earlier files of outputs marked by ``update()``, and notes for them the
    inputs and parameters of the job that failed, so that it would take them for up to date ever after. Rules with such
    outputs have this count among their parameters: it differs after a failure, and the job runs again.
    """
    write_text(f"{failures(log) + 1}\n", FAILURES / log)
    yield
    write_text(f"{known}\n", FAILURES / log)


def last_errors(logs: Path, since: float) -> list[str]:
    """Return the messages of the jobs that failed, from the logs below a folder that were written ``since``.

    Parameters
    ----------
    since : float
        Seconds of the epoch.
    """
    found = []
    for log in sorted(logs.rglob("*.log")):
        with contextlib.suppress(OSError):
            if log.stat().st_mtime < since:
                continue
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            starts = [i for i, line in enumerate(lines) if line.startswith("error: ")]
            if starts:
                found.append(
                    "\n".join(itertools.takewhile(lambda s: s.startswith(("error: ", "  ")), lines[starts[-1] :]))
                )
    return list(dict.fromkeys(found))


def after_error(study: str, since: float) -> str:
    """Return what Snakemake's terminal ends with after a failed run that began ``since`` (seconds of the epoch)."""
    logs = Path("logs", study)
    if told := last_errors(logs, since):
        more = f"\n\nand {len(told) - MOST} more, in {logs}/" if len(told) > MOST else ""
        return "\n" + "\n\n".join(told[:MOST]) + more
    return (
        f"\nto go on: do what the message of the failed job says; it stands above and in logs/{study}/. A job that "
        "died with\nSIGKILL and left no message most often ran out of memory: use fewer --cores. Then start the same "
        "command again:\nwhat is finished stays, and training goes on after its last whole epoch."
    )


def tell(error: UserError, fix: str) -> None:
    """Print an error as one message that ends in what to do: its own words, else ``fix``."""
    print(f"error: {error}" + ("" if error.fix else f"\n  to go on: {fix}"), file=sys.stderr, flush=True)


@contextmanager
def ended_with_parent() -> Iterator[None]:
    """End this process once the one that started it is gone: a killed run leaves no job behind beside the next."""
    parent, done = os.getppid(), threading.Event()

    def watch() -> None:
        while not done.wait(0.5):
            if os.getppid() != parent:
                os.kill(os.getpid(), signal.SIGTERM)
                return

    threading.Thread(target=watch, daemon=True, name="end with parent").start()
    try:
        yield
    finally:
        done.set()


@contextmanager
def asked_to_end() -> Iterator[None]:
    """Turn SIGTERM (`scancel`, `kill`, a time limit) into an exception, so that nothing half-written stays."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: object) -> None:
        raise Ended(1)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def job(log: str | os.PathLike, about: str = "", known: int | None = None) -> Iterator[None]:
    """Run a script's body with standard error also in ``log``; end with exit code 1 on any error.

    A :class:`UserError` and a fault of the machine (memory, disk, rights, an end from outside) are told as a message
    alone; anything else is a bug and is told with its traceback. Each message ends in what to do.

    Parameters
    ----------
    log : path
        The job's log file.
    about : str, optional
        What stands first in the log, such as the seed and the device that a training job is to use.
    known : int, optional
        The parameter ``failures`` of a rule whose outputs are marked by ``update()``; see :func:`counted`.
    """
    terminal, file = sys.stderr, None
    try:
        Path(log).parent.mkdir(parents=True, exist_ok=True)
        file = open(log, "w", buffering=1, encoding="utf-8")  # noqa: SIM115 - kept open until the message is told
        sys.stderr = Tee(terminal, file)
        if about:
            print(about, file=sys.stderr, flush=True)
        with asked_to_end(), ended_with_parent(), contextlib.nullcontext() if known is None else counted(log, known):
            yield
    except UserError as error:
        tell(error, MENDED)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        tell(UserError("interrupted from the keyboard"), AGAIN)
        raise SystemExit(1) from None
    except Ended:
        tell(UserError("ended from outside (SIGTERM: kill, scancel, a time limit, or Snakemake is gone)"), AGAIN)
        raise SystemExit(1) from None
    except Exception as error:
        if fault := machine_fault(error):
            tell(fault, f"{MEMORY}; finished results and epochs stay" if "memory" in str(fault) else AGAIN)
        else:
            traceback.print_exc(file=sys.stderr)
            print(f"error: {type(error).__name__}: {error}\n  to go on: {BUG}", file=sys.stderr, flush=True)
        raise SystemExit(1) from None
    finally:
        sys.stderr = terminal
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()
