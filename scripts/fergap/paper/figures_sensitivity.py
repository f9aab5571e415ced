"""Figures of what the results stand on: the certificate of the intervals and verdicts."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from fergap.audit.validation import INDEPENDENT
from fergap.paper.drawing import group_looks, label, rows_axis, signed
from fergap.paper.numbers import MINUS
from fergap.paper.results import Results
from fergap.paper.style import BAND, FAINT, INK, Look, new_figure, sheet

COVERED = (94.0, 97.5)  # percent that a nominal 95 % interval should cover
PANELS = {
    "coverage of the group's accuracy": ("accuracy of the group", "o", "#0072b2"),
    "coverage of the accuracy gap": ("gap in accuracy", "s", "#1b1b1b"),
    "coverage of the gap's change": ("change of the gap", "D", "#e69f00"),
    "coverage of the macro-F1 gap": ("gap in macro F1", "^", "#00694c"),
}
WRONG = {
    "rate of the verdict gap": ("gap", "s", "#1b1b1b"),
    "rate of the verdict equivalent": ("equivalent", "o", "#0072b2"),
    "rate of the verdict changed": ("changed", "D", "#e69f00"),
}


def marks(axes: Axes, table: pd.DataFrame, kinds: dict[str, tuple[str, str, str]], scenarios: list[str]) -> None:
    """Draw one mark per scenario and quantity, in percent."""
    for quantity, (words, marker, colour) in kinds.items():
        rows = table[table["quantity"] == quantity]
        if len(rows):
            y = [scenarios.index(s) for s in rows["scenario"]]
            axes.plot(100 * rows["estimate"], y, marker, color=colour, markersize=4.8, label=words, alpha=0.9)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), borderaxespad=0, handletextpad=0.2)


def calibration(results: Results) -> Figure:
    """Draw the coverage of the primary intervals and the rates of wrong verdicts in every scenario."""
    with sheet():
        table = results.table("calibration")
        table = table[(table["primary"] == 1) & table["nominal"].notna()]
        table = table[table["quantity"].isin([*PANELS, *WRONG])]
        scenarios = list(dict.fromkeys(table["scenario"]))
        figure = new_figure(min(22.0, 2.6 + 0.55 * len(scenarios)))
        left, right = figure.subplots(1, 2, sharey=True)
        left.axvspan(*COVERED, color=BAND, linewidth=0)
        left.axvline(95, color=FAINT, linewidth=0.8)
        marks(left, table, PANELS, scenarios)
        left.set_xlabel("coverage, percent")
        right.axvspan(0, 5, color=BAND, linewidth=0)
        right.axvline(5, color=FAINT, linewidth=0.8)
        marks(right, table, WRONG, scenarios)
        right.set_xlim(left=-0.2)
        right.set_xlabel("wrong verdicts, percent")
        for axes in (left, right):
            rows_axis(axes, scenarios)
            axes.grid(axis="x")
            axes.tick_params(colors=INK)
        return figure


def apart(heights: list[float], least: float) -> list[float]:
    """Return sorted heights moved, each as little as it must, until neighbours are ``least`` apart."""
    moved = list(heights)
    for _ in range(100):
        crowded = False
        for i in range(1, len(moved)):
            if (lack := least - (moved[i] - moved[i - 1])) > 1e-9 * least:
                moved[i - 1], moved[i], crowded = moved[i - 1] - lack / 2, moved[i] + lack / 2, True
        if not crowded:
            break
    return moved


def label_noise(results: Results) -> Figure:
    """Draw each gap as it would be had the group labels been right, over the quality of the labels."""
    with sheet():
        table, style = results.table("label_noise"), group_looks(results)
        arms = results.headline[:2]
        table = table[table["arm"].isin(arms) & table["attribute"].isin(results.plain) & (table["status"] == "ok")]
        sample = table[(table["scenario"] == INDEPENDENT) & table["ci_low"].notna()]
        table = table[table["scenario"].isin(["grid", "labels as given"]) & (table["attenuation"] >= 0.25)]
        figure = new_figure(6.2)
        axes = figure.subplots()
        margin = 100 * results.margin
        axes.axhspan(-margin, margin, color=BAND, linewidth=0)
        axes.axhline(0, color=FAINT, linewidth=0.8)
        keys, words = ["attribute", "group", "reference", "arm"], []
        for (attribute, group, reference, arm), rows in table.groupby(keys, sort=False):
            own, look = rows.sort_values("ppv_sum"), style.get((attribute, group), Look(INK, "o"))
            dash = "--" if len(arms) > 1 and arm == arms[0] else "-"
            axes.fill_between(own["ppv_sum"], 100 * own["ci_low"], 100 * own["ci_high"], color=look.colour, alpha=0.10)
            axes.plot(own["ppv_sum"], 100 * own["estimate"], dash, color=look.colour, linewidth=1.6)
            for r in sample[(sample[keys] == [attribute, group, reference, arm]).all(axis=1)].itertuples():
                ends = [[100 * (r.estimate - r.ci_low)], [100 * (r.ci_high - r.estimate)]]
                axes.errorbar(r.ppv_sum, 100 * r.estimate, ends, fmt="D", color=look.colour, markersize=4, linewidth=1)
            words.append((100 * own["estimate"].iloc[-1], f"{label(group)} {MINUS} {label(reference)}, {arm}"))
        low, high = axes.get_ylim()
        for (y, text), at in zip(sorted(words), apart([y for y, _ in sorted(words)], (high - low) / 16), strict=True):
            place = {"textcoords": "data", "va": "center", "fontsize": 7, "annotation_clip": False}
            line = {"arrowstyle": "-", "color": FAINT, "linewidth": 0.5}
            axes.annotate(text, (2, y), (2.03, at), color=INK, arrowprops=line, **place)
        axes.set_xlim(right=2.01)
        axes.set_xlabel("sum of the two predictive values (2: every label right)")
        axes.set_ylabel("gap, percentage points")
        axes.yaxis.set_major_formatter(FuncFormatter(signed))
        return figure
