"""Tables of the fairness metrics, each beside what it would be without any gap."""

from fergap.paper.cells import faces, find
from fergap.paper.markdown import name, pipe
from fergap.paper.numbers import MISSING, fixed, p_value
from fergap.paper.results import Results

# metric, summary, what it is called, decimals and scale
SHOWN = (
    ("accuracy_difference", None, "accuracy difference", 100),
    ("demographic_parity_difference", "max", "demographic parity difference", 100),
    ("equal_opportunity_difference", "max", "equal opportunity difference", 100),
    ("equalized_odds_difference", "max", "equalised odds difference", 100),
    ("average_abs_odds_difference", "mean", "average odds difference", 100),
    ("treatment_equality_rates_log_ratio", "max", "treatment equality (log ratio)", 1),
    ("accuracy_ratio", None, "accuracy ratio", 1),
    ("demographic_parity_ratio", "min", "demographic parity ratio", 1),
    ("xu_fairness", "common_classes", "ratio of summed recalls (Xu)", 1),
)


def scaled(value: float | None, scale: int, signed: bool = False) -> str:
    """Return a metric in points with one decimal, or as a ratio with three."""
    if value is None or value != value:
        return MISSING
    text = fixed(scale * value, 1 if scale == 100 else 3)
    return f"+{text}" if signed and value > 0 and float(text) != 0 else text


def metric_row(results: Results, arm: str, attribute: str, metric: str, summary: str | None) -> object | None:
    """Return the row of a fairness metric over all classes, None where the audit has none."""
    table = results.table("fairness")
    rows = table[(table["arm"] == arm) & (table["attribute"] == attribute) & (table["metric"] == metric)]
    rows = rows[rows["class"].isna()].rename(columns={"class": "label"})
    return find(rows[rows["summary"].isna()]) if summary is None else find(rows, summary=summary)


def fairness(results: Results, attribute: str) -> str:
    """Return one attribute's fairness metrics: found, expected without a gap, excess, p, and what decides them."""
    cells = []
    for metric, summary, title, scale in SHOWN:
        shown = title
        for arm in results.headline:
            row = metric_row(results, arm, attribute, metric, summary)
            if row is None:
                continue
            set_by = MISSING
            if isinstance(row.decided_by, str):
                set_by = f"{name(row.decided_by)} ({faces(row.n)})"
            values = [
                scaled(row.estimate, scale),
                scaled(row.expected_without_gap, scale),
                scaled(row.excess, scale, signed=True),
            ]
            cells.append([shown, name(arm), *values, p_value(row.p_value), p_value(row.p_adjusted), set_by])
            shown = ""
    columns = ["metric", "arm", "found", "no gap", "excess", "p", "p, BH", "set by (faces)"]
    return pipe(columns, cells, "llrrrrrl")
