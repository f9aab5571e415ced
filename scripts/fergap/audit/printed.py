"""What follows from what in a printed table: summaries that recompute, counts that fit, values that cannot be."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from pathlib import Path

import numpy as np
import pandas as pd

from fergap.errors import UserError

SUMMARIES: dict[str, Callable[[np.ndarray], float]] = {
    "max": np.max,
    "min": np.min,
    "mean": np.mean,
    "sd": lambda values: np.std(values),
    "sample_sd": lambda values: np.std(values, ddof=1),
    "range": np.ptp,
    "ratio": lambda values: np.min(values) / np.max(values),
    "sum": np.sum,
}
"""What a column may claim of the values beside it; ``sd`` divides by their number, ``sample_sd`` by one less."""
KNOWN_AS = {
    "max": "max",
    "maximum": "max",
    "min": "min",
    "minimum": "min",
    "mean": "mean",
    "average": "mean",
    "avg": "mean",
    "sd": "sd",
    "std": "sd",
    "range": "range",
    "difference": "range",
    "ratio": "ratio",
    "disparate impact": "ratio",
    "sum": "sum",
    "total": "sum",
}
"""Names of columns, in lower case, and the summary that they are read as."""
LARGEST = 100_000  # faces that a table may rest on
FOLLOWS, TRUNCATED, POSSIBLE, NOT = "follows", "follows, truncated", "possible", "does not follow"


@dataclass(frozen=True)
class Claim:
    """A printed number that others should make.

    Attributes
    ----------
    where : str
        Table, row and column.
    summary : str
        A key of ``SUMMARIES``.
    printed : Decimal
    values : tuple of Decimal
        The printed values that it summarises.
    """

    where: str
    summary: str
    printed: Decimal
    values: tuple[Decimal, ...]


def step_of(value: Decimal) -> Decimal:
    """Return the unit of a printed number's last digit, such as 0.1."""
    return Decimal(1).scaleb(value.as_tuple().exponent)


def judge(claim: Claim) -> dict:
    """Say whether a printed summary follows from the printed values.

    It *follows* if the summary of the printed values, rounded to the digits printed, is the printed number, and
    *follows, truncated* if cut off there it is. It is *possible* if only values that round to the printed ones give it:
    then the authors computed from more digits than they print. Else it *does not follow*, by any rounding or cutting.

    Returns
    -------
    dict
        ``where``, ``summary``, ``printed``, ``computed`` (float, from the printed values), ``finding``. Where an sd
        does not follow and the sample form does, ``summary`` is ``sample_sd``.
    """
    forms = ("sd", "sample_sd") if claim.summary == "sd" and len(claim.values) > 1 else (claim.summary,)
    found = [_judge(claim, form) for form in forms]
    rank = (FOLLOWS, TRUNCATED, POSSIBLE, NOT)
    return min(found, key=lambda row: rank.index(row["finding"]))


def _judge(claim: Claim, form: str) -> dict:
    values, step = np.array([float(v) for v in claim.values]), step_of(claim.printed)
    computed = float(SUMMARIES[form](values))
    row = {"where": claim.where, "summary": form, "printed": claim.printed, "computed": computed}
    # a mean of decimals is rarely exact in binary: what is a hair below the printed number is on it
    exact = Decimal(repr(round(computed, 9)))
    if claim.printed in {exact.quantize(step, ROUND_HALF_UP), exact.quantize(step, ROUND_HALF_EVEN)}:
        return row | {"finding": FOLLOWS}
    if claim.printed == exact.quantize(step, ROUND_FLOOR):
        return row | {"finding": TRUNCATED}
    low, high = reach(form, claim.values)
    printed, unit = float(claim.printed), float(step)
    near = low < printed + unit and high >= printed - unit / 2
    return row | {"finding": POSSIBLE if near else NOT}


def reach(form: str, values: Sequence[Decimal]) -> tuple[float, float]:
    """Return bounds of a summary over all values that round to the printed ones, or are cut to them.

    Each value moves by up to half a unit of its last digit down and a whole one up. Monotone summaries take their ends
    there; the standard deviation moves by no more than the largest move of a value (a norm), the range by twice.
    """
    centre = np.array([float(v) for v in values])
    units = np.array([float(step_of(v)) for v in values])
    low, high = centre - units / 2, centre + units
    if form in ("sd", "sample_sd"):
        middle, spread = SUMMARIES[form](centre), 0.75 * units.max()
        return max(0.0, middle - spread), middle + spread
    if form == "range":
        return max(0.0, float(low.max() - high.min())), float(high.max() - low.min())
    if form == "ratio":
        return float(max(low.min(), 0) / high.max()), float(min(1.0, high.min() / low.max()) if low.max() > 0 else 1.0)
    return float(SUMMARIES[form](low)), float(SUMMARIES[form](high))


def claims(table: pd.DataFrame, name: str) -> list[Claim]:
    """Return what a table of printed numbers claims of itself.

    Parameters
    ----------
    table : pandas.DataFrame
        Text as printed. A column that ``KNOWN_AS`` names summarises the numeric columns of its row that no other
        summary stands in. Columns without a number in any row are labels; so are ``n`` and those ending in ``_n``.
    name : str
        What findings call the table.
    """
    numbers = table.map(number)
    numeric = [c for c in table if numbers[c].notna().any() and not is_count(c)]
    summaries = [c for c in numeric if is_summary(c)]
    labels = [c for c in table if c not in numeric and not is_count(c) and not is_summary(c)]
    found = []
    for i in range(len(table)):
        row = numbers.iloc[i]
        values = tuple(row[c] for c in numeric if c not in summaries and row[c] is not None)
        title = " ".join([name, *(str(table.iloc[i][c]) for c in labels)])
        for column in summaries:
            if row[column] is not None and len(values) > 1:
                found.append(Claim(f"{title}: {column}", KNOWN_AS[column.strip().lower()], row[column], values))
    return found


def is_count(column: str) -> bool:
    """Tell whether a column holds numbers of faces."""
    name = column.strip().lower()
    return name == "n" or name.endswith(("_n", " n"))


def is_summary(column: str) -> bool:
    """Tell whether a column summarises the others of its row."""
    return column.strip().lower() in KNOWN_AS


def number(text: object) -> Decimal | None:
    """Return a printed number with the digits that it was printed with, or None where there is none."""
    match = re.fullmatch(r"\s*([-−+]?\d+(?:\.\d+)?)\s*%?\s*", str(text))
    return Decimal(match[1].replace("−", "-")) if match else None


def fitting_counts(printed: Iterable[Decimal], counts: np.ndarray) -> np.ndarray:
    """Return those of ``counts`` for which each printed percentage is some k of n, rounded or cut off.

    The granularity test (Brown & Heathers 2017) for proportions: an accuracy over n faces is one of n + 1 numbers. From
    100 divided by the smallest unit printed on, every n fits.
    """
    fits = np.ones(len(counts), bool)
    for value in printed:
        unit, percent = float(step_of(value)), float(value)
        # the largest k below percent + unit, which is what is cut off; half a unit below percent is still rounded up
        most = np.ceil(counts * (percent + unit) / 100 - 1e-9) - 1
        fits &= 100 * most / counts >= percent - unit / 2 - 1e-9
    return counts[fits]


def impossible(table: pd.DataFrame, name: str) -> list[dict]:
    """Return the printed shares outside 0 … 100, and those that no number of right faces out of the printed n gives.

    Parameters
    ----------
    table : pandas.DataFrame
        Text as printed, in percent. A count stands in the column ``n``, for all the row's shares, or for one column in
        ``<column>_n``.
    """
    numbers, found = table.map(number), []
    counts = {c: c for c in table if is_count(c)}
    for column in table:
        if is_count(column) or is_summary(column):
            continue
        of = next((c for c in counts if c.lower() in (f"{column.lower()}_n", f"{column.lower()} n")), None)
        of = of or next((c for c in counts if c.strip().lower() == "n"), None)
        for i, value in enumerate(numbers[column]):
            if value is None:
                continue
            where = f"{name} row {i + 1}: {column}"
            if not 0 <= value <= 100:
                found.append({"where": where, "printed": value, "finding": "is no share of faces in percent"})
            elif of and numbers[of].iloc[i] is not None:
                n = int(numbers[of].iloc[i])
                if not len(fitting_counts([value], np.array([n]))):
                    found.append({"where": where, "printed": value, "finding": f"no count of {n} faces makes it"})
    return found


def read_printed(path: str) -> pd.DataFrame:
    """Return a CSV of printed numbers as text.

    Raises
    ------
    UserError
        The file cannot be read as a table with a row.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise UserError(f"cannot be read: {error}", where=path, expected="a CSV with a header") from error
    if table.empty:
        raise UserError("has no row", where=path, expected="one row per model or group")
    return table


def findings_of(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Return the findings on one CSV, and what is worth a line beside them.

    Raises
    ------
    UserError
        The file cannot be read.
    """
    table = read_printed(str(path))
    rows = [judge(claim) for claim in claims(table, path.stem)] + impossible(table, path.stem)
    said = []
    if not any(is_count(column) for column in table):
        values = [v for column in table if not is_summary(column) for v in table[column].map(number)]
        shares = [v for v in values if v is not None and 0 <= v <= 100]
        fits = fitting_counts(shares, np.arange(1, LARGEST + 1))
        some = ", ".join(map(str, fits[:5])) + (", …" if len(fits) > 5 else "")
        said = [f"{path.stem}: one number of faces for all shares: {some or f'none up to {LARGEST:,}'}"]
    return pd.DataFrame(rows, columns=["where", "summary", "printed", "computed", "finding"]), said
