"""The figure of all arms: accuracy and every gap in one row of each arm."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fergap.audit.verdicts import CHANGED
from fergap.paper.cells import any_few
from fergap.paper.drawing import group_looks, label, rows_axis, shade_margin
from fergap.paper.numbers import MINUS
from fergap.paper.results import WHOLE, Results
from fergap.paper.style import FAINT, INK, Look, new_figure, sheet

MOST_PANELS = 6
SIDE_BY_SIDE = 3


def panels_of(results: Results) -> list[tuple[str, str, str] | None]:
    """Return the (attribute, group, reference) of each panel; None, the first, is the accuracy over all faces."""
    rows = results.gaps()
    rows = rows[rows["attribute"].isin(results.plain)]
    pairs = rows[["attribute", "group", "reference"]].drop_duplicates().itertuples(index=False, name=None)
    return [None, *pairs][:MOST_PANELS]


def rows_of(results: Results, panel: tuple[str, str, str] | None) -> dict[str, object]:
    """Return the row of each arm that a panel shows: of ``group_metrics``, or of ``gaps``."""
    if panel is None:
        rows = results.accuracy()
        rows = rows[rows["attribute"] == WHOLE]
    else:
        rows = results.gaps()
        rows = rows[(rows[["attribute", "group", "reference"]] == list(panel)).all(axis=1)]
    return {row.arm: row for row in rows.itertuples() if pd.notna(row.estimate) and not any_few(row)}


def changed(results: Results, panel: tuple[str, str, str] | None) -> set[str]:
    """Return the arms whose contrast shows that the gap changed, or whose accuracy is shown to after adjustment."""
    if panel is None:
        rows, alpha = results.table("tradeoff"), results.alpha
        return set(rows.loc[rows["accuracy_p_adjusted"] < alpha, "arm"])
    rows = results.verdicts()
    rows = rows[rows["contrast"].notna()]
    rows = rows[(rows[["attribute", "group", "reference"]] == list(panel)).all(axis=1)]
    return set(rows.loc[rows["verdict"].str.startswith(CHANGED), "after"])


def arms(results: Results) -> Figure:
    """Draw accuracy and every gap of every arm with their intervals, one row of each arm."""
    with sheet():
        panels = panels_of(results)
        columns = min(SIDE_BY_SIDE, len(panels))
        tall = -(-len(panels) // columns)
        figure = new_figure(min(22.0, tall * (1.9 + 0.42 * max(3, len(results.arms)))))
        grid = figure.subplots(tall, columns, squeeze=False)
        for axes in grid.flat[len(panels) :]:
            axes.remove()
        draw_arms(list(grid.flat[: len(panels)]), results, panels, columns)
        return figure


def draw_arms(axes_of: list[Axes], results: Results, panels: list[tuple[str, str, str] | None], columns: int) -> None:
    """Draw one panel into each of the axes, which stand in ``columns``; those of the first carry the arms' names."""
    looks, first = group_looks(results), (results.contrasts or [(results.arms[0], "")])[0][0]
    for i, (axes, panel) in enumerate(zip(axes_of, panels, strict=True)):
        rows, moved = rows_of(results, panel), changed(results, panel)
        if panel is not None:
            shade_margin(axes, results)
        look = Look(INK, "o") if panel is None else looks.get(panel[:2], Look(INK, "o"))
        if first in rows:
            axes.axvline(100 * rows[first].estimate, color=look.colour, linewidth=0.7, linestyle=":")
        for y, arm in enumerate(results.arms):
            if arm not in rows:
                axes.annotate("not estimable", (0.02, y), xycoords=("axes fraction", "data"), va="center", fontsize=6)
                continue
            row = rows[arm]
            if pd.notna(row.ci_low):
                axes.plot([100 * row.ci_low, 100 * row.ci_high], [y, y], "-", color=look.colour, linewidth=1.2)
            fill = look.colour if arm in moved else "white"
            axes.plot(100 * row.estimate, y, look.marker, color=look.colour, markerfacecolor=fill, markersize=4.4)
        rows_axis(axes, [""] * len(results.arms) if i % columns else results.arms)
        for y in range(4, len(results.arms), 5):  # so that the eye keeps its row
            axes.axhline(y + 0.5, color=FAINT, linewidth=0.3)
        axes.set_title("accuracy, percent" if panel is None else f"{label(panel[1])} {MINUS} {label(panel[2])}, points")
