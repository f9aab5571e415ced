"""The figure of the models' bias: published and corrected scores beside what a group-blind model would score."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fergap.paper.cells import find
from fergap.paper.drawing import aside, heading, label, rows_axis, rows_height
from fergap.paper.model_bias import EVERY, FORMS, blocks, rank_set, scores
from fergap.paper.results import Results
from fergap.paper.style import COLOURS, FAINT, INK, new_figure, sheet

MOST_ROWS = 40  # of arms in blocks; above, only the first block is drawn


def shown_blocks(results: Results) -> list[str]:
    """Return the attributes that the figure has room for."""
    found = blocks(results)
    return found if len(found) * scores(results)["arm"].nunique() <= MOST_ROWS else found[:1]


def ranks_of(results: Results) -> pd.DataFrame:
    """Return the ranks by scores."""
    table = results.table("model_bias_ranks")
    return table[(table["metric"] == "bias_score") & (table["status"] == "ok")]


def model_bias(results: Results) -> Figure:
    """Draw each arm's two scores with their intervals, a tick for a group-blind model, and the set of its ranks."""
    with sheet():
        rows, lines = scores(results), []
        for attribute in shown_blocks(results):
            arms = [a for a in results.arms if (rows["attribute"].eq(attribute) & rows["arm"].eq(a)).any()]
            lines += [(attribute, arm) for arm in arms]
        figure = new_figure(rows_height(len(lines) + len(shown_blocks(results)), len(shown_blocks(results))))
        for axes, form in zip(figure.subplots(1, 2), FORMS, strict=True):
            panel(axes, results, rows[rows["form"] == form], lines, form == FORMS[0])
            axes.set_title(form)
        figure.supxlabel("bias score, percent (tick: a group-blind model)", fontsize=8)
        return figure


def panel(axes: Axes, results: Results, rows: pd.DataFrame, lines: list[tuple[str, str]], named: bool) -> None:
    """Draw the scores of one form, one line for each attribute and arm."""
    ranked, ticks, labels, y = ranks_of(results), [], [], 0.0
    for i, (attribute, arm) in enumerate(lines):
        if not i or lines[i - 1][0] != attribute:
            y += 0.5 if i else 0
            ticks.append(y)
            labels.append("all attributes" if attribute == EVERY else label(attribute))
            y += 0.9
        ticks.append(y)
        labels.append(f"    {arm}")
        row = find(rows, attribute=attribute, arm=arm)
        if row is None or pd.isna(row.estimate):
            aside(axes, y, "not estimable", FAINT)
        else:
            colour = COLOURS[0]
            axes.plot([100 * row.ci_low, 100 * row.ci_high], [y, y], "-", color=colour, linewidth=1.6)
            axes.plot(100 * row.estimate, y, "o", color=colour, markersize=5)
            if pd.notna(row.expected):
                axes.plot(100 * row.expected, y, "|", color=INK, markersize=10, markeredgewidth=1.4)
            place = find(ranked, attribute=attribute, arm=arm, form=row.form)
            if place is not None:
                aside(axes, y, rank_set(place))
        y += 1
    rows_axis(axes, labels if named else [""] * len(labels), ticks)
    for text in axes.get_yticklabels():
        text.set_fontweight("normal" if text.get_text().startswith(" ") else "bold")
    axes.set_xlim(left=min(0.0, axes.get_xlim()[0]))
    axes.grid(axis="x")
    if len(ranked):
        heading(axes, "rank (set)")
