"""What every script of the workflow shares: its log, and how its errors reach the user."""

import io
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from fergap.errors import UserError


class Tee(io.TextIOBase):
    """Text stream that writes to the terminal and, without a progress bar's rewritten lines, to a log file."""

    def __init__(self, terminal: TextIO, log: TextIO):
        self.terminal, self.log = terminal, log

    def write(self, text: str) -> int:
        self.terminal.write(text)
        if "\r" not in text:
            self.log.write(text)
        return len(text)

    def flush(self) -> None:
        self.terminal.flush()
        self.log.flush()

    def isatty(self) -> bool:
        return self.terminal.isatty()

    def fileno(self) -> int:
        return self.terminal.fileno()


@contextmanager
def job(log: str | os.PathLike) -> Iterator[None]:
    """Run a script's body with standard error also in ``log``; end with exit code 1 on any error.

    A :class:`UserError` is told as its message alone; anything else is a bug and is told with its traceback.
    """
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    terminal = sys.stderr
    with open(log, "w", buffering=1, encoding="utf-8") as file:
        sys.stderr = Tee(terminal, file)
        try:
            yield
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            raise SystemExit(1) from None
        except Exception:
            traceback.print_exc(file=sys.stderr)
            raise SystemExit(1) from None
        finally:
            sys.stderr = terminal
