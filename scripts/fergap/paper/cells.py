"""What the tables of the paper have in common: names, sizes, estimates, and what is told of very few people."""

import re

import pandas as pd

from fergap.paper.markdown import group as group_name
from fergap.paper.markdown import name
from fergap.paper.numbers import MINUS, MISSING, count, fixed, interval, level, points
from fergap.paper.results import WHOLE, Results

FEWEST_SHOWN = 3  # one or two faces of a group might be recognised
FEW = "<\N{NO-BREAK SPACE}3"


def whole_name(attribute: str, group: str) -> str:
    """Return a group's name for a reader: ``all faces`` for the group of all."""
    return "all faces" if attribute == WHOLE else group_name(group)


def pair(row: object) -> str:
    """Return a pair of groups as ``child − adult``; one of combinations may break after its minus sign."""
    sides = [group_name(g).replace(" × ", "\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}") for g in (row.group, row.reference)]
    after = " " if "×" in sides[0] else "\N{NO-BREAK SPACE}"
    return f"{sides[0]}\N{NO-BREAK SPACE}{MINUS}{after}{sides[1]}"


def sizes(row: object) -> str:
    """Return the faces of a group and of its reference as ``187 / 1,313``."""
    return f"{faces(row.n_group)}\N{NO-BREAK SPACE}/\N{NO-BREAK SPACE}{faces(row.n_reference)}"


def heading(results: Results) -> str:
    """Return what a column of intervals is called, such as ``95 % CI``."""
    return f"{level(results.confidence)}\N{NO-BREAK SPACE}CI"


def reason(status: str) -> str:
    """Return why something could not be estimated."""
    return name(told(status.removeprefix("not estimable: ")))


def faces(number: float | None) -> str:
    """Return a number of faces of a group, one or two as ``< 3``."""
    return FEW if is_few(number) else count(number)


def is_few(number: float | None) -> bool:
    """Whether a number of faces of a group is so small that it is not told."""
    return number is not None and 0 < number < FEWEST_SHOWN


def told(text: str) -> str:
    """Return a sentence of the audit in which one or two faces are ``fewer than 3 faces``."""
    return re.sub(r"(?<![\d,.])[12] faces?\b", f"fewer than {FEWEST_SHOWN} faces", text)


def any_few(row: object) -> bool:
    """Whether a row rests on one or two faces of a group."""
    return any(is_few(getattr(row, key, None)) for key in ("n", "n_group", "n_reference"))


def estimate(row: object, signed: bool = True, shown: str = "estimate") -> str:
    """Return a row's estimate and interval, in points or percent, or why there is no estimate."""
    value = getattr(row, shown)
    if any_few(row):
        return MISSING
    if pd.isna(value):
        return reason(row.status) if row.status != "ok" else MISSING
    text = points(value) if signed else fixed(100 * value, 1)
    return f"{text} {interval(row.ci_low, row.ci_high)}" if pd.notna(row.ci_low) else text


def key_of(row: object) -> dict[str, str]:
    """Return what names an arm's pair of groups in every table of the audit."""
    return {"arm": row.arm, "attribute": row.attribute, "group": row.group, "reference": row.reference}


def of_pair(table: pd.DataFrame, row: object) -> pd.DataFrame:
    """Return the rows of ``table`` on the arm's pair of groups that ``row`` is about."""
    for column, value in key_of(row).items():
        table = table[table[column] == value]
    return table


def find(table: pd.DataFrame, **values: object) -> object | None:
    """Return the first row of ``table`` with these values as a named tuple, or None."""
    for column, value in values.items():
        table = table[table[column] == value]
    return next(table.itertuples(index=True), None)


def renamed(rows: pd.DataFrame) -> list[object]:
    """Return named tuples in which ``count`` and ``class``, which tuples or Python reserve, end with an underscore."""
    return list(rows.rename(columns={"count": "count_", "class": "class_"}).itertuples())


def ratio(row: object | None) -> str:
    """Return a ratio with its interval as ``0.94 [0.90, 0.98]``, or why there is none."""
    if row is None or pd.isna(row.estimate):
        return MISSING if row is None or row.status == "ok" else reason(row.status)
    text = fixed(row.estimate, 2)
    if pd.isna(row.ci_low) or pd.isna(row.ci_high):
        return text
    return f"{text} [{fixed(row.ci_low, 2)},\N{NO-BREAK SPACE}{fixed(row.ci_high, 2)}]"
