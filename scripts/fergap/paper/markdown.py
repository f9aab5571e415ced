"""Markdown: names, lists and pipe tables."""

import re
from collections.abc import Sequence

BREAK = "\N{ZERO WIDTH SPACE}"
LONG = 20
LINE, BETWEEN = 110, 2  # letters of a table on one line of the page, and between two columns
SIGNS = re.compile(r"([\\`*_\[\]<>#|$@~^])")


def prose(text: object) -> str:
    """Return plain text as Markdown that prints the same."""
    return SIGNS.sub(r"\\\1", str(text))


def name(text: object) -> str:
    """Return a name from a config or table as Markdown; a long one may break after ``_``, ``/``, ``-`` and ``*``."""
    plain = prose(text)
    return plain if len(plain) <= LONG else re.sub(r"(\\?[_/*-])(?=\w)", rf"\1{BREAK}", plain)


def group(text: object) -> str:
    """Return a group's or an attribute's name as Markdown; of a combination, ``male × child``."""
    return name(str(text).replace("*", " × "))


def sentence(text: str) -> str:
    """Return a sentence of the audit as Markdown in which no line breaks between a number and its sign."""
    bound = re.sub(r" (?=%)|(?<= [np]) | (?=[=<>])|(?<=[=<>]) ", "\N{NO-BREAK SPACE}", text)
    return prose(bound)


def listing(words: Sequence[str]) -> str:
    """Return ``a``, ``a and b`` or ``a, b and c``."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def bullets(lines: Sequence[str]) -> str:
    """Return a Markdown list."""
    return "\n".join(f"- {line}" for line in lines)


def width(cell: str) -> int:
    """Return how many letters wide a cell is when printed."""
    return len(cell.replace(BREAK, "").replace("\\", "").replace("**", ""))


def longest_word(cell: str) -> int:
    """Return the letters of the longest part of a cell that no line break may split."""
    return max((width(word) for word in re.split(f"[ {BREAK}]", cell)), default=0)


def pipe(header: Sequence[str], rows: Sequence[Sequence[str]], align: str) -> str:
    """Return a Markdown pipe table.

    Parameters
    ----------
    header : sequence of str
        One heading per column.
    rows : sequence of sequences of str
        Cells as Markdown, without line breaks.
    align : str
        One letter per column: ``l``, ``r`` or ``c``.

    Returns
    -------
    str
        The dashes, which pandoc takes for the columns' widths where the table is wide, are as long as the longest word
        of their column; what a line of the page has left goes to the columns whose widest cell below the heading (up
        to 30 letters of it) is wider, those that need least first.
    """
    columns = list(zip(header, *rows, strict=True))
    least = [max(3, *map(longest_word, cells)) + BETWEEN for cells in columns]
    wanted = [
        max(a, min(30, max(map(width, cells[1:]), default=0)) + BETWEEN)
        for a, cells in zip(least, columns, strict=True)
    ]
    spare, widths = LINE - sum(least), list(least)
    for i in sorted(range(len(columns)), key=lambda i: wanted[i] - least[i]):
        more = max(0, min(wanted[i] - least[i], spare))
        widths[i], spare = widths[i] + more, spare - more
    rule = [
        (":" if a in "lc" else "-") + "-" * w + (":" if a in "rc" else "-") for a, w in zip(align, widths, strict=True)
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, rule, *rows))


def plain_rows(table: str) -> list[list[str]]:
    """Return the header and the rows of a pipe table as plain text."""
    lines = [line for i, line in enumerate(table.splitlines()) if i != 1]
    cells = [re.split(r"(?<!\\) \|(?: |$)", line.removeprefix("| ")) for line in lines]
    return [[re.sub(r"\\(.)|\*\*", r"\1", c.replace(BREAK, "")).strip() for c in row[:-1]] for row in cells]
