"""Tables with one row of each arm: the verdict on each gap, its change in each contrast, and metrics of each class."""

import pandas as pd

from fergap.paper.cells import any_few, estimate, find, heading, key_of, pair, sizes
from fergap.paper.markdown import name, pipe
from fergap.paper.numbers import MISSING, fixed, p_value, points
from fergap.paper.results import Results

LEVELLED, BEYOND = "levelling down", "beyond the placebo"
CLASS_METRICS = {"equal_opportunity_difference": (100, 1), "demographic_parity_ratio": (1, 2)}  # scale and decimals


def plain_rows(results: Results, contrasts: bool) -> pd.DataFrame:
    """Return the verdicts on gaps, or on their changes, by attributes that are no combinations: each gap together."""
    rows = results.verdicts()
    rows = rows[rows["attribute"].isin(results.plain) & (rows["contrast"].notna() == contrasts)]
    of = rows[["attribute", "group", "reference"]].agg("\n".join, axis=1) if len(rows) else rows["attribute"]
    order = {key: i for i, key in enumerate(dict.fromkeys(of))}
    return rows.loc[of.map(order).sort_values(kind="stable").index]


def change_called(row: object) -> str:
    """Return the verdict on a change, and whether it is levelling down."""
    return f"{row.verdict}; {LEVELLED}" if row.levelling_down == 1 else row.verdict


def contrast_called(results: Results, row: object) -> str:
    """Return a contrast's name: the arm after, where all contrasts start from one arm."""
    return row.after if len({before for before, _ in results.contrasts}) == 1 else row.contrast


def verdicts_of_arms(results: Results) -> str:
    """Return the verdict on each gap under each arm; combinations of attributes are left to the audit's own table."""
    cells, last = [], None
    for row in plain_rows(results, False).itertuples():
        of = pair(row)
        numbers = [sizes(row), estimate(row), MISSING if any_few(row) else p_value(row.p_adjusted)]
        cells.append([of if of != last else "", name(row.arm), *numbers, row.verdict])
        last = of
    columns = ["gap", "arm", "faces", f"points [{heading(results)}]", "p, Holm", "verdict"]
    return pipe(columns, cells, "llrrrl")


def changes_of_arms(results: Results) -> str:
    """Return each gap before and after in each contrast, the change, the part beyond a placebo's, and the verdict.

    A star marks a part that is shown to be beyond the placebo's.
    """
    beyond, cells, last = results.table("beyond_placebo"), [], None
    placebo = len(beyond) > 0
    for row in plain_rows(results, True).itertuples():
        of, few = pair(row), any_few(row)
        shown = [MISSING] * 2 if few else [points(row.gap_before), points(row.gap_after)]
        shown += [estimate(row), MISSING if few else p_value(row.p_adjusted)]
        if placebo:
            other = find(beyond, contrast=row.contrast, **key_of(row))
            star = " \\*" if other is not None and other.verdict == BEYOND else ""
            shown.append(MISSING if other is None or few else points(other.estimate) + star)
        cells.append([of if of != last else "", name(contrast_called(results, row)), *shown, change_called(row)])
        last = of
    arm = "after" if len({before for before, _ in results.contrasts}) == 1 else "contrast"
    columns = ["gap", arm, "before", "after", f"change [{heading(results)}]", "p, Holm"]
    columns += ["beyond placebo"] if placebo else []
    return pipe([*columns, "verdict"], cells, "ll" + "r" * (len(columns) - 2) + "l")


def classes_of_arms(results: Results, attribute: str, metric: str) -> str:
    """Return a fairness metric of each class for every arm, and in brackets what it would be without a gap.

    In bold, the p-value is below the level after adjustment over all metrics of the arm and the attribute.
    """
    table, alpha = results.table("fairness"), results.alpha
    table = table[(table["attribute"] == attribute) & (table["metric"] == metric) & table["class"].notna()]
    found = {(row.arm, row.label): row for row in table.rename(columns={"class": "label"}).itertuples()}
    (scale, digits), cells = CLASS_METRICS[metric], []
    for arm in results.arms:
        line = []
        for label in results.classes:
            row = found.get((arm, label))
            if row is None or pd.isna(row.estimate) or any_few(row):
                line.append(MISSING)
                continue
            text, chance = (fixed(scale * value, digits) for value in (row.estimate, row.expected_without_gap))
            line.append(f"{f'**{text}**' if row.p_adjusted < alpha else text} ({chance})")
        cells.append([name(arm), *line])
    return pipe(["arm", *map(name, results.classes)], cells, "l" + "r" * len(results.classes))
