"""One line that tells how far a long loop is: a bar on a terminal, a line every few seconds in a log."""

import sys
import time
from types import TracebackType
from typing import Self

from tqdm import tqdm


class Progress:
    """Count steps of a long loop where the user can see them.

    Parameters
    ----------
    title : str
        What is being done, such as ``training baseline``.
    total : int
        Number of steps.
    unit : str
        What a step is, such as ``faces``.
    every : float
        Seconds between two lines where standard error is no terminal.
    """

    def __init__(self, title: str, total: int, unit: str = "steps", every: float = 10.0):
        self.title, self.total, self.unit, self.every = title, total, unit, every
        self.done, self.started = 0, time.monotonic()
        self.shown = self.started
        terminal = sys.stderr.isatty()
        self.bar = tqdm(desc=title, total=total, unit=f" {unit}", leave=False, file=sys.stderr) if terminal else None

    def step(self, count: int = 1, note: str = "") -> None:
        """Add ``count`` finished steps; ``note`` says where the loop is, such as ``fold 3, epoch 5 of 12``."""
        self.done += count
        if self.bar is not None:
            self.bar.set_postfix_str(note, refresh=False)
            self.bar.update(count)
        elif time.monotonic() - self.shown >= self.every and self.done < self.total:
            self._line(note)

    def _line(self, note: str) -> None:
        self.shown = time.monotonic()
        spent = self.shown - self.started
        left = spent / self.done * (self.total - self.done) if self.done else float("nan")
        parts = [f"{self.title}: {self.done} of {self.total} {self.unit}", f"{spent:.0f} s", f"about {left:.0f} s left"]
        print(", ".join(parts + [note] * bool(note)), file=sys.stderr, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.close()
        if kind is None:
            spent = time.monotonic() - self.started
            print(f"{self.title}: {self.done} {self.unit} in {spent:.1f} s", file=sys.stderr, flush=True)
