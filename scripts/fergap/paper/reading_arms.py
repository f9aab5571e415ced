"""What the comparison of many arms says: for each gap, in which contrasts it changed and in which that is not shown."""

import pandas as pd

from fergap.paper.cells import any_few, pair
from fergap.paper.markdown import listing, name, prose
from fergap.paper.numbers import count, interval, missing, points
from fergap.paper.reading import some, was
from fergap.paper.results import Results
from fergap.paper.tables_arms import LEVELLED, contrast_called, plain_rows

# verdict on a change: how a sentence on many contrasts tells it
TOLD = {
    "narrowed and equivalent": "narrowed, to within the margin,",
    "narrowed, not shown equivalent": "narrowed, not shown to be within the margin after,",
    "reversed": "changed its sign",
    "widened": "widened",
    "moved": "moved, not shown to be smaller or larger than before,",
    "equivalent, change not shown": "was within the margin after, though no change of it is shown,",
    "no change shown": "was not shown to change",
    "not estimable": "could not be estimated",
}
CALLED = {"gap": "a gap"}
NOT_SAID = ("no change shown", "not estimable")
WITH_NUMBERS = ("narrowed and equivalent", "narrowed, not shown equivalent", "reversed", "widened", "moved")


def told_in_full(results: Results) -> str:
    """Say which arms the paper tells in full, and where the rest is; nothing where these are all."""
    if results.in_full == results.arms:
        return ""
    shown = results.in_full
    are = "is told in full" if len(shown) == 1 else "are told in full"
    return (
        f"Of {count(len(results.arms))} arms, {listing([name(arm) for arm in shown])} {are}. The others have rows "
        "where arms are compared (@sec-interventions), and the same numbers in the tables that @tbl-files lists."
    )


def one_change(results: Results, row: object) -> str:
    """Return an arm with the change of a gap in its contrast, marked with its source."""
    shown = f"{points(row.gap_before)} to {points(row.gap_after)}, change {points(row.estimate)} "
    shown += interval(row.ci_low, row.ci_high)
    marked = results.cite(prose(shown), "verdicts", row, "gap_before, gap_after, estimate, ci_low, ci_high")
    return f"{name(contrast_called(results, row))} ({marked}{f'; {LEVELLED}' if row.levelling_down == 1 else ''})"


def spread(results: Results, rows: list[object]) -> str:
    """Return between what values the changes of some contrasts lie, and their intervals; nothing without any."""
    rows = [row for row in rows if not (missing(row.ci_low) or any_few(row))]
    if not rows:
        return ""
    index = [row.Index for row in rows]
    if len(rows) == 1:
        text = f"change {points(rows[0].estimate)} {interval(rows[0].ci_low, rows[0].ci_high)}"
        return f" ({results.cite(prose(text), 'verdicts', index, 'estimate, ci_low, ci_high')})"
    change, whole = (
        f"{points(min(getattr(row, low) for row in rows))} to {points(max(getattr(row, high) for row in rows))}"
        for low, high in (("estimate", "estimate"), ("ci_low", "ci_high"))
    )
    text = f"changes from {change} points, intervals within {whole}"
    return f" ({results.cite(text, 'verdicts', index, 'estimate, ci_low, ci_high')})"


def changes_of_gap(results: Results, rows: pd.DataFrame) -> str:
    """Return one sentence on the contrasts of one gap, those with a change shown by their numbers."""
    parts = []
    for verdict, words in TOLD.items():
        own = [row for row in rows.itertuples() if row.verdict == verdict]
        if not own:
            continue
        index = [row.Index for row in own]
        if verdict in WITH_NUMBERS and not any(missing(row.ci_low) or any_few(row) for row in own):
            arms = some([one_change(results, row) for row in own])
        else:
            all_of = ("any of " if verdict in NOT_SAID else "all ") if len(own) == len(rows) > 1 else ""
            number = results.cite(all_of + was(len(own), "contrast", "contrasts"), "verdicts", index, "verdict")
            named = "" if all_of else f": {some([name(contrast_called(results, row)) for row in own])}"
            arms = f"{number}{spread(results, own)}{named}"
        parts.append(f"{words} {'under' if verdict in WITH_NUMBERS else 'in'} {arms}")
    first = next(rows.itertuples())
    return f"The gap {pair(first)} {'; it '.join(parts)}."


def changes_of_arms(results: Results) -> list[str]:
    """Return one sentence for each gap on its change in every contrast; combinations are left to the tables."""
    rows = plain_rows(results, True)
    return [changes_of_gap(results, own) for _, own in rows.groupby(["attribute", "group", "reference"], sort=False)]


def verdicts_of_arms(results: Results) -> list[str]:
    """Return one sentence for each gap on how many arms have which verdict on it."""
    found = []
    for _, own in plain_rows(results, False).groupby(["attribute", "group", "reference"], sort=False):
        parts = []
        for verdict, rows in own.groupby("verdict", sort=False):
            all_of = "all " if len(rows) == len(own) > 1 else ""
            number = results.cite(all_of + was(len(rows), "arm", "arms"), "verdicts", rows.index, "verdict")
            named = "" if all_of else f" ({some([name(arm) for arm in rows['arm']])})"
            parts.append(f"*{prose(CALLED.get(verdict, verdict))}* under {number}{named}")
        found.append(f"The gap {pair(next(own.itertuples()))} is {listing(parts)}.")
    return found
