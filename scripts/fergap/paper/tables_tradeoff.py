"""Tables of interventions side by side: accuracy and gap together, what each costs, fairness metrics."""

import math
from collections.abc import Callable

import pandas as pd

from fergap.paper.cells import any_few, heading, pair, reason
from fergap.paper.interventions import cost
from fergap.paper.markdown import name, pipe
from fergap.paper.numbers import MISSING, count, interval, p_value, percent, points
from fergap.paper.results import Results
from fergap.paper.tables_fairness import metric_row, scaled

FEWEST_ARMS = 3  # two arms are one contrast, which has tables of its own
# metric, summary, heading and scale: what the studies of bias in expression recognition print
METRICS = (
    ("accuracy_difference", None, "accuracy difference", 100),
    ("demographic_parity_ratio", "min", "disparate impact", 1),
    ("demographic_parity_difference", "max", "DPD", 100),
    ("equalized_odds_difference", "max", "EOD", 100),
    ("xu_fairness", "common_classes", "fairness (Xu)", 1),
)


def compared_arms(results: Results) -> pd.DataFrame:
    """Return the rows of ``tradeoff`` of arms on the same faces and of attributes that are no combinations."""
    table = results.table("tradeoff")
    rows = table[table["arm"].isin(results.arms) & table["attribute"].isin(results.plain) & table["accuracy"].notna()]
    return rows[~rows.apply(any_few, axis=1).astype(bool)] if len(rows) else rows


def gap_pairs(results: Results) -> list[tuple[str, str, str]]:
    """Return (attribute, group, reference) of the gaps that ``tradeoff`` holds for some arm."""
    rows = compared_arms(results)
    rows = rows[rows["gap"].notna()]
    return list(rows[["attribute", "group", "reference"]].drop_duplicates().itertuples(index=False, name=None))


def of_pair(rows: pd.DataFrame, gap: tuple[str, str, str]) -> pd.DataFrame:
    """Return the rows of one gap."""
    return rows[(rows[["attribute", "group", "reference"]] == list(gap)).all(axis=1)]


def arm_name(row: object, written: Callable[[str], str] = name) -> str:
    """Return an arm's name, ``written`` as Markdown or plainly; the baseline's is marked unless it says so itself."""
    tell = row.arm == row.baseline and "baseline" not in row.arm
    return f"{written(row.arm)} (baseline)" if tell else written(row.arm)


def short(row: object) -> str:
    """Return a row's verdict in few words: what is shown, and nothing of what is not."""
    shown = row.verdict.removesuffix(" from the baseline")
    parts = [p.removeprefix("gap: ").replace(":", "") for p in shown.split("; ") if "no change shown" not in p]
    return "; ".join([*parts, *(["levelling down"] if row.levelling_down == 1 else [])])


def tradeoff(results: Results) -> str:
    """Return each gap under each arm with its change from its baseline, the Pareto front, and what is shown."""
    rows, cells = compared_arms(results), []
    several = len(rows[rows["arm"] == rows["baseline"]]["arm"].unique()) > 1
    for gap in gap_pairs(results):
        shown = None
        for row in of_pair(rows, gap).itertuples():
            first = pair(row) if shown is None else ""
            shown = row
            if math.isnan(row.gap):
                cells.append([first, arm_name(row), percent(row.accuracy), *[MISSING] * 4, reason(row.status)])
                continue
            change, verdict = MISSING, short(row)
            if row.arm != row.baseline:
                change = f"{points(row.gap_change)} {interval(row.gap_change_low, row.gap_change_high)}"
                verdict = f"{name(row.baseline)}: {verdict or 'no change shown'}" if several else verdict
            front = percent(row.front_share, 0) + (" \\*" if row.front == 1 else "")
            line = [percent(row.accuracy), points(row.gap), change, p_value(row.gap_p_adjusted), front, verdict]
            cells.append([first, arm_name(row), *line])
    columns = ["gap", "arm", "accuracy", "gap", f"change [{heading(results)}]", "p, Holm", "on the front"]
    return pipe([*columns, "against its baseline" if several else "against the baseline"], cells, "llrrrrrl")


def training_cost(results: Results, arm: str) -> tuple[float, float]:
    """Return rows trained and seconds of an arm's first seed (all seeds of an ensemble); NaN where nothing is known.

    An arm that changes another's predictions costs what that other one costs.
    """
    arms, runs = {a["name"]: a for a in results.study["arms"]}, results.table("runs")
    settings = arms.get(arm, {})
    own = runs[runs["arm"] == settings.get("from", arm)]
    if not len(own):
        return math.nan, math.nan
    if settings.get("ensemble") is None:
        own = own[own["seed"] == own["seed"].iloc[0]]
    return float((own["training_rows"] * own["epochs"]).sum()), float(own["seconds"].sum())


def tradeoff_cost(results: Results) -> str:
    """Return each arm's accuracy with its change from the baseline, the settings tried, and what its training cost."""
    rows, cells = compared_arms(results).drop_duplicates("arm"), []
    tried = {arm["name"]: arm.get("tried", 1) for arm in results.study["arms"]}
    for row in rows.itertuples():
        change = MISSING
        if row.arm != row.baseline:
            low, high = row.accuracy_change_low, row.accuracy_change_high
            change = f"{points(row.accuracy_change)} {interval(low, high)}"
        ours, base = training_cost(results, row.arm), training_cost(results, row.baseline)
        ratios = [a / b if b else math.nan for a, b in zip(ours, base, strict=True)]
        line = [count(row.n), percent(row.accuracy), change, p_value(row.accuracy_p_adjusted)]
        cells.append([arm_name(row), *line, count(tried.get(row.arm, 1)), *map(cost, ratios)])
    columns = ["arm", "faces", "accuracy", f"change, points [{heading(results)}]", "p, Holm", "settings tried"]
    return pipe([*columns, "rows trained", "seconds"], cells, "lrrrrrrr")


def fairness_of_arms(results: Results, attribute: str) -> str:
    """Return one attribute's fairness metrics for every arm, each with what it would be without a gap in brackets."""
    cells = []
    for arm in results.arms:
        line = []
        for metric, summary, _, scale in METRICS:
            row = metric_row(results, arm, attribute, metric, summary)
            if row is None or pd.isna(row.estimate):
                line.append(MISSING)
                continue
            line.append(f"{scaled(row.estimate, scale)} ({scaled(row.expected_without_gap, scale)})")
        cells.append([name(arm), *line])
    return pipe(["arm", *(title for _, _, title, _ in METRICS)], cells, "l" + "r" * len(METRICS))


def lines(results: Results) -> list[object]:
    """Return the rows on arms other than the baseline that have a verdict, as named tuples."""
    rows = compared_arms(results)
    return [row for row in rows[rows["gap"].notna()].itertuples() if row.arm != row.baseline]
