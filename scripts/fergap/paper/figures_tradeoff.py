"""The figure of interventions side by side: accuracy against each gap with joint confidence regions."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from matplotlib.ticker import FuncFormatter

from fergap.paper.drawing import group_looks, label, signed
from fergap.paper.figures_sensitivity import apart
from fergap.paper.numbers import MINUS
from fergap.paper.results import Results
from fergap.paper.style import BAND, FAINT, INK, Look, new_figure, sheet
from fergap.paper.tables_tradeoff import arm_name, compared_arms, gap_pairs, of_pair

MOST_PANELS = 6
CORNERS = 72  # of an ellipse
SHORT = 14  # letters of the longest name with which two panels stand side by side


def ellipse(row: object, confidence: float) -> np.ndarray | None:
    """Return the outline, (corners, 2), of an arm's joint confidence region of accuracy and gap; None without one.

    (x − x̂)ᵀ Σ⁻¹ (x − x̂) = χ²₂, whose quantile is −2 log(1 − confidence).
    """
    if any(pd.isna(v) for v in (row.se_accuracy, row.se_gap, row.correlation)):
        return None
    radius, angle = math.sqrt(-2 * math.log(1 - confidence)), np.linspace(0, 2 * math.pi, CORNERS, endpoint=False)
    across = row.correlation * np.cos(angle) + math.sqrt(1 - row.correlation**2) * np.sin(angle)
    spread = np.column_stack([row.se_accuracy * np.cos(angle), row.se_gap * across])
    return np.array([row.accuracy, row.gap]) + radius * spread


def tradeoff(results: Results) -> Figure:
    """Draw every arm by its accuracy and each gap, with ellipses, the Pareto front and the arms' names."""
    with sheet():
        rows, pairs, style = compared_arms(results), gap_pairs(results)[:MOST_PANELS], group_looks(results)
        arms = rows["arm"].nunique()
        columns = 2 if len(pairs) > 1 and rows["arm"].str.len().max() <= SHORT else 1
        tall = max(1, -(-len(pairs) // columns))
        figure = new_figure(min(22.0, tall * max(6.0, 2.2 + 0.42 * arms)))
        grid = figure.subplots(tall, columns, squeeze=False)
        for axes in grid.flat[len(pairs) :]:
            axes.remove()
        for axes, gap in zip(grid.flat, pairs, strict=False):
            panel(axes, results, of_pair(rows, gap), style.get(gap[:2], Look(INK, "o")))
            axes.set_title(f"{label(gap[1])} {MINUS} {label(gap[2])}")
        figure.supxlabel("accuracy over all faces, percent", fontsize=8)
        figure.supylabel("gap, points (shaded: margin)", fontsize=8)
        return figure


def panel(axes: Axes, results: Results, rows: pd.DataFrame, look: Look) -> None:
    """Draw the arms of one gap; names stand in a column on the right."""
    margin = 100 * results.margin
    axes.axhspan(-margin, margin, color=BAND, linewidth=0)
    axes.axhline(0, color=FAINT, linewidth=0.8)
    drawn = [row for row in rows.itertuples() if pd.notna(row.gap)]
    front = sorted((100 * row.accuracy, 100 * row.gap) for row in drawn if row.front == 1)
    for row in drawn:
        outline = ellipse(row, row.confidence)
        if outline is not None:
            on = row.front == 1
            shape = {"edgecolor": look.colour, "linewidth": 1.1 if on else 0.5, "linestyle": "-" if on else ":"}
            axes.add_patch(Polygon(100 * outline, facecolor="none", **shape))
            axes.update_datalim(100 * outline)
    axes.plot(*zip(*front, strict=True), "-", color=INK, linewidth=0.9, zorder=2.5)
    for row in drawn:
        fill = look.colour if row.front == 1 else "white"
        axes.plot(100 * row.accuracy, 100 * row.gap, look.marker, color=look.colour, markerfacecolor=fill, zorder=3)
    axes.autoscale_view()
    axes.yaxis.set_major_formatter(FuncFormatter(signed))
    low, high = axes.get_ylim()
    drawn.sort(key=lambda row: row.gap)
    heights = apart([100 * row.gap for row in drawn], (high - low) / max(14, len(drawn) + 1))
    for row, height in zip(drawn, heights, strict=True):
        axes.annotate(
            arm_name(row, str),
            (100 * row.accuracy, 100 * row.gap),
            xytext=(1.02, height),
            textcoords=("axes fraction", "data"),
            va="center",
            fontsize=7,
            fontweight="bold" if row.front == 1 else "normal",
            arrowprops={"arrowstyle": "-", "color": FAINT, "linewidth": 0.4, "shrinkB": 2.5},
            annotation_clip=False,
        )
