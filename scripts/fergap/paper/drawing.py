"""What the figures of the paper have in common: axes with one row per estimate, notes beside them, looks of groups."""

import math
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from fergap.paper.numbers import MINUS
from fergap.paper.results import Results
from fergap.paper.style import BAND, FAINT, INK, Look, looks, new_figure


def group_looks(results: Results) -> dict[tuple[str, str], Look]:
    """Return the look of each (attribute, group) of a study."""
    return looks((a, g) for a, groups in results.groups.items() for g in groups)


def signed(value: float, _position: int = 0) -> str:
    """Return a tick's label with a true minus sign."""
    return f"{value:g}".replace("-", MINUS)


def label(text: str) -> str:
    """Return a group's name, of a combination as ``male × child``."""
    return text.replace("*", " × ")


def rows_axis(axes: Axes, labels: Sequence[str], heights: Sequence[float] | None = None) -> None:
    """Give ``axes`` one row per label, at these heights or 0, 1, …, the first on top, with no ticks on that side."""
    heights = range(len(labels)) if heights is None else heights
    axes.set_yticks(heights, labels)
    axes.set_ylim(max(heights, default=-1) + 0.6, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def rows_height(rows: int, blocks: int) -> float:
    """Return the height in cm of a figure with one line of text per row, in blocks, that fits on a page."""
    return min(22.0, 1.9 + 0.5 * rows + 0.25 * blocks)


def beside(axes: Axes, text: str, y: float, coordinates: str, above: float, **look: object) -> None:
    """Write ``text`` right of the axes at height ``y`` in ``coordinates`` and ``above`` points over it."""
    place = {"xycoords": ("axes fraction", coordinates), "xytext": (6, above), "textcoords": "offset points"}
    axes.annotate(text, (1, y), annotation_clip=False, **place, **look)


def aside(axes: Axes, y: float, text: str, colour: str = INK) -> None:
    """Write ``text`` right of the axes at height ``y`` of the data."""
    beside(axes, text, y, "data", 0, va="center", color=colour, fontsize=7.5)


def heading(axes: Axes, text: str) -> None:
    """Write a column heading above what :func:`aside` writes."""
    beside(axes, text, 1, "axes fraction", 3, va="bottom", color=FAINT, fontsize=7)


def shade_margin(axes: Axes, results: Results) -> None:
    """Shade the margin and draw the line of no gap."""
    margin = 100 * results.margin
    axes.axvspan(-margin, margin, color=BAND, linewidth=0)
    axes.axvline(0, color=FAINT, linewidth=0.8)
    axes.xaxis.set_major_formatter(FuncFormatter(signed))


def dumbbells(results: Results, rows: pd.DataFrame, start: str, end: str, axis: str, head: str, arrow: bool) -> Figure:
    """Draw one line from ``start`` (open) to ``end`` (filled) per row, in percent.

    Parameters
    ----------
    rows : pandas.DataFrame
        ``attribute, group, line`` (the row's label), ``start`` and ``end`` (shares, or missing), ``note`` (written at
        the right), ``break`` (whether a gap precedes the row).
    axis, head : str
        What the x axis and the column of notes say.
    arrow : bool
        Whether the line ends in an arrow's head.
    """
    style = group_looks(results)
    figure = new_figure(rows_height(len(rows), rows["break"].sum()))
    axes, y, ticks = figure.subplots(), 0.0, []
    for i, row in enumerate(rows.itertuples(index=False)):
        y += 0.5 if i and rows["break"].iloc[i] else 0
        look = style.get((row.attribute, row.group), Look(INK, "o"))
        ticks.append(y)
        first, last = 100 * getattr(row, start), 100 * getattr(row, end)
        if not (math.isnan(first) or math.isnan(last)):
            axes.plot([first, last], [y, y], "-", color=look.colour, linewidth=2.2, alpha=0.45)
            axes.plot(
                first, y, look.marker, color=look.colour, markerfacecolor="white", markersize=6, markeredgewidth=1.3
            )
            axes.plot(last, y, look.marker, color=look.colour, markersize=6)
            if arrow and abs(last - first) > 1e-9:
                axes.plot((first + last) / 2, y, ">" if last > first else "<", color=look.colour, markersize=4)
        aside(axes, y, row.note)
        y += 1
    rows_axis(axes, rows["line"], ticks)
    axes.grid(axis="x")
    axes.margins(x=0.08)
    axes.set_xlabel(axis)
    heading(axes, head)
    return figure


def breaks(rows: pd.DataFrame, columns: list[str]) -> pd.Series:
    """Return whether each row differs from the one before it in any of ``columns``."""
    keys = rows[columns].astype("str")
    return (keys != keys.shift()).any(axis=1)
