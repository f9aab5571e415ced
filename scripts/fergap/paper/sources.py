"""Where each number of the text comes from: its table, line, column, and the rule that wrote the table."""

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral

import pandas as pd

CONFIGURATION = "study.json"
COLUMNS = ("id", "value", "table", "line", "column", "rule")
# rule of each folder beside the paper; the configuration has none
RULES = {
    "audit": "audit",
    "faces": "read_faces",
    "training": "collect_history",
    "people": "annotate_people",
    "calibration": "make calibrate",
}


@dataclass(frozen=True)
class Source:
    """Where a value stands: ``lines`` count as an editor does, the header being line 1; 0 is the whole table."""

    table: str
    lines: tuple[int, ...]
    column: str

    @property
    def rule(self) -> str:
        """The rule that wrote the table."""
        return RULES.get(self.table.split("/")[0], "configuration")

    @property
    def where(self) -> str:
        """The place in words, such as ``audit/gaps.csv, line 3, estimate``."""
        if self.table == CONFIGURATION:
            return f"configuration, {self.column}"
        lines = f", line {self.line}" if any(self.lines) else ""
        return f"{self.table}{lines}" + (f", {self.column}" if self.column else "")

    @property
    def line(self) -> str:
        """The lines as text: ``3``, or ``3–5 8``; empty for a whole table."""
        if not any(self.lines):
            return ""
        runs: list[list[int]] = []
        for line in sorted(self.lines):
            if runs and line == runs[-1][-1] + 1:
                runs[-1].append(line)
            else:
                runs.append([line])
        return " ".join(f"{run[0]}–{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


class Shown(str):
    """A value as printed; in the text of a document it carries its source."""

    marked: str

    def __new__(cls, text: str, marked: str) -> "Shown":
        """Return ``text`` that shows ``marked``, Markdown, where a document prints it inline."""
        made = super().__new__(cls, text)
        made.marked = marked
        return made

    def _repr_markdown_(self) -> str:
        return self.marked


class Sources:
    """The values that a paper has printed, in the order in which they were first printed."""

    def __init__(self) -> None:
        self.ids: dict[tuple[str, Source], str] = {}

    def mark(self, text: str, table: str, rows: int | Iterable[int] = (), column: str = "") -> str:
        """Return Markdown ``text`` with its source as a tooltip.

        Parameters
        ----------
        text : str
            The value as printed, Markdown without brackets of its own that are not closed.
        table : str
            File relative to the study's folder, such as ``audit/gaps.csv``, or a key of the configuration.
        rows : int or iterable of int
            Positions of the table's rows, from 0; none: the value is of the whole table.
        column : str
            The table's column or columns.
        """
        rows = (rows,) if isinstance(rows, Integral) else tuple(rows)
        source = Source(table, tuple(int(r) + 2 for r in rows) or (0,), column)
        name = self.ids.setdefault((text, source), f"v{len(self.ids) + 1}")
        about = source.where if source.rule == "configuration" else f"{source.where} (rule {source.rule})"
        return f'[{text}]{{title="{name}: {about}"}}'

    def table(self) -> pd.DataFrame:
        """Return one row per value: ``id, value, table, line, column, rule``."""
        rows = [
            (name, text.replace("\\", ""), source.table, source.line, source.column, source.rule)
            for (text, source), name in self.ids.items()
        ]
        return pd.DataFrame(rows, columns=list(COLUMNS))
