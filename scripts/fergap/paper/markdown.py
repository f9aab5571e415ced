"""Markdown: names, lists and pipe tables."""

import re
from collections.abc import Sequence

BREAK = "\N{ZERO WIDTH SPACE}"
LONG = 20
LINE, BETWEEN, WIDEST = 110, 2, 50  # letters of a table on one line of the page, between two columns, of one column
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


def lines_of(cell: str, wide: int) -> int:
    """Return on how many lines a cell is printed in a column of ``wide`` letters."""
    lines, filled = 1, 0
    for space, word in re.findall(f"(^|[ {BREAK}])([^ {BREAK}]*)", cell):
        own = width(word)
        if filled and filled + (space == " ") + own > wide:
            lines, filled = lines + 1, own
        else:
            filled += (space == " ") + own
    return lines


def column_widths(columns: Sequence[Sequence[str]]) -> list[int]:
    """Return how many letters wide each column is to be, ``BETWEEN`` among them.

    Every column has room for its longest word. What a line of the page has left goes, step by step, to the column in
    which a letter more saves most lines of the table; then to the columns that need least until they break no cell,
    and at last no heading.
    """
    least = [max(3, *map(longest_word, cells)) for cells in columns]
    wanted = [
        max(a, min(WIDEST, max(map(width, cells[1:]), default=0))) for a, cells in zip(least, columns, strict=True)
    ]
    widths, spare = list(least), LINE - BETWEEN * len(columns) - sum(least)
    if sum(wanted) - sum(least) > spare:
        heights = [
            {w: [lines_of(cell, w) for cell in cells] for w in range(low, high + 1)}
            for low, high, cells in zip(least, wanted, columns, strict=True)
        ]

        def cost(at: Sequence[int]) -> float:
            found = [of[w] for of, w in zip(heights, at, strict=True)]
            return sum(map(max, zip(*found, strict=True))) + 0.1 * sum(map(sum, found))

        while spare > 0:
            now, steps = cost(widths), []
            for i, high in enumerate(wanted):
                for wide in range(widths[i] + 1, min(high, widths[i] + spare) + 1):
                    saved = now - cost([*widths[:i], wide, *widths[i + 1 :]])
                    steps.append((saved / (wide - widths[i]), i, wide))
            saved, i, wide = max(steps, default=(0.0, 0, 0))
            if saved <= 0:
                break
            spare, widths[i] = spare - (wide - widths[i]), wide
    for goal in (wanted, [max(a, width(cells[0])) for a, cells in zip(wanted, columns, strict=True)]):
        for i in sorted(range(len(columns)), key=lambda i: goal[i] - widths[i]):
            more = max(0, min(goal[i] - widths[i], spare))
            widths[i], spare = widths[i] + more, spare - more
    return [w + BETWEEN for w in widths]


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
        The dashes, which pandoc takes for the columns' widths where the table is wide, are those of
        :func:`column_widths`.
    """
    widths = column_widths(list(zip(header, *rows, strict=True)))
    rule = [
        (":" if a in "lc" else "-") + "-" * w + (":" if a in "rc" else "-") for a, w in zip(align, widths, strict=True)
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, rule, *rows))


def plain_rows(table: str) -> list[list[str]]:
    """Return the header and the rows of a pipe table as plain text."""
    lines = [line for i, line in enumerate(table.splitlines()) if i != 1]
    cells = [re.split(r"(?<!\\) \|(?: |$)", line.removeprefix("| ")) for line in lines]
    return [[re.sub(r"\\(.)|\*\*", r"\1", c.replace(BREAK, "")).strip() for c in row[:-1]] for row in cells]
