"""The figures of the paper: each function takes tables and returns one matplotlib figure.

Every function takes a :class:`fergap.paper.results.Results` and reads what it needs from the audit's tables, so that a
figure cannot show what no table holds. Shares are drawn in percent and gaps in percentage points.
"""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from fergap.paper.numbers import MINUS, count, interval, level, percent, points
from fergap.paper.results import WHOLE, Results
from fergap.paper.style import BAND, FAINT, INK, Look, looks, new_figure, sheet

ARM_FILL = ("white", INK, FAINT, "#c9c9c9")


def group_looks(results: Results) -> dict[tuple[str, str], Look]:
    """Return the look of each (attribute, group) of a study."""
    return looks((a, g) for a, groups in results.groups.items() for g in groups)


def signed(value: float, _position: int = 0) -> str:
    """Return a tick's label with a true minus sign."""
    return f"{value:g}".replace("-", MINUS)


def label(text: str) -> str:
    """Return a group's name, of a combination as ``male × child``."""
    return text.replace("*", " × ")


def rows_axis(axes: Axes, labels: list[str]) -> None:
    """Give ``axes`` one row per label, the first on top, with no ticks on that side."""
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def rows_height(rows: int, blocks: int) -> float:
    """Return the height in cm of a figure with one line of text per row, in blocks, that fits on a page."""
    return min(22.0, 1.9 + 0.62 * rows + 0.3 * blocks)


def aside(axes: Axes, y: float, text: str, colour: str = INK) -> None:
    """Write ``text`` right of the axes at height ``y`` of the data."""
    axes.annotate(
        text,
        (1, y),
        xycoords=("axes fraction", "data"),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        color=colour,
        fontsize=7.5,
        annotation_clip=False,
    )


def heading(axes: Axes, text: str) -> None:
    """Write a column heading above what :func:`aside` writes."""
    axes.annotate(
        text,
        (1, 1),
        xycoords="axes fraction",
        xytext=(6, 3),
        textcoords="offset points",
        va="bottom",
        color=FAINT,
        fontsize=7,
        annotation_clip=False,
    )


def class_shares(results: Results, attribute: str) -> pd.DataFrame:
    """Return how the faces of each group spread over the classes.

    Returns
    -------
    pandas.DataFrame
        ``group, class, count, share``; the shares of a group sum to 1.
    """
    table = results.table("confusion")
    arm = table["arm"].iloc[0] if len(table) else None
    rows = table[(table["arm"] == arm) & (table["attribute"] == attribute)]
    counts = rows.groupby(["group", "true"], sort=False)["count"].sum().rename_axis(["group", "class"])
    wanted = pd.MultiIndex.from_product([results.groups[attribute], results.classes], names=["group", "class"])
    counts = counts.reindex(wanted, fill_value=0).reset_index()
    totals = counts.groupby("group")["count"].transform("sum")
    return counts.assign(share=(counts["count"] / totals).where(totals > 0))


def classes_by_group(results: Results) -> Figure:
    """Draw, for each attribute, how the faces of each group spread over the classes."""
    with sheet():
        attributes, classes, style = results.plain, results.classes, group_looks(results)
        most = max((len(results.groups[a]) for a in attributes), default=1)
        columns = min(2, len(attributes))
        lines = math.ceil(len(attributes) / columns)
        height = lines * (1.9 + len(classes) * max(0.62, 0.26 * most + 0.12) + 0.35 * most)
        figure = new_figure(min(22.0, height))
        grid = figure.subplots(lines, columns, squeeze=False, sharex=True)
        for axes in grid.flat[len(attributes) :]:
            axes.remove()
        for axes, attribute in zip(grid.flat, attributes, strict=False):
            shares, groups = class_shares(results, attribute), results.groups[attribute]
            thick = 0.8 / len(groups)
            for i, group in enumerate(groups):
                part = shares[shares["group"] == group]
                y = np.arange(len(classes)) - 0.4 + thick * (i + 0.5)
                total = count(part["count"].sum())
                axes.barh(
                    y,
                    100 * part["share"].fillna(0),
                    0.88 * thick,
                    color=style[attribute, group].colour,
                    label=f"{group} (n = {total})",
                )
                for position, share, faces in zip(y, part["share"].fillna(0), part["count"], strict=True):
                    axes.annotate(
                        count(faces),
                        (100 * share, position),
                        xytext=(2, 0),
                        textcoords="offset points",
                        va="center",
                        fontsize=6.5,
                    )
            rows_axis(axes, classes if axes.get_subplotspec().is_first_col() else [""] * len(classes))
            axes.set_xlim(0, 114 * np.nanmax([*shares["share"], 0.01]))
            axes.set_xlabel("percent of the group's faces")
            axes.set_title(attribute, pad=4 + 11 * len(groups))
            axes.legend(
                loc="lower left",
                bbox_to_anchor=(-0.02, 1),
                borderaxespad=0,
                handlelength=0.8,
                handleheight=0.7,
                labelspacing=0.25,
            )
        widest = max(axes.get_xlim()[1] for axes in figure.axes)
        for axes in figure.axes:
            axes.set_xlim(0, widest)
        return figure


def confusion_matrices(results: Results) -> Figure:
    """Draw the confusion matrix of each arm over all faces: row percent, with counts."""
    with sheet():
        classes, table = results.classes, results.confusion()
        arms = [a for a in results.arms if (table["arm"] == a).any()]
        columns = 1 if len(classes) > 5 and len(arms) <= 2 else min(2, len(arms))
        lines, small = math.ceil(len(arms) / columns), len(classes) > 5 and columns == 2
        figure = new_figure(min(23, lines * (2.0 + len(classes) * 0.95)), WIDTH_OF_MATRIX[columns])
        grid = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
        for axes in grid.flat[len(arms) :]:
            axes.remove()
        for axes, arm in zip(grid.flat, arms, strict=False):
            counts = table[table["arm"] == arm].pivot_table(
                index="true", columns="predicted", values="count", aggfunc="sum"
            )
            counts = counts.reindex(index=classes, columns=classes).fillna(0).to_numpy()
            totals = counts.sum(axis=1, keepdims=True)
            shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
            axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
            for i, j in np.ndindex(*shares.shape):
                colour = "white" if shares[i, j] > 0.55 else INK
                axes.annotate(
                    f"{100 * shares[i, j]:.0f}" + ("" if small else "\N{NO-BREAK SPACE}%"),
                    (j, i),
                    xytext=(0, 0 if small else 4.5),
                    textcoords="offset points",
                    ha="center",
                    va="center",
                    color=colour,
                    fontweight="bold" if i == j else "normal",
                    fontsize=7.5,
                )
                if not small:
                    axes.annotate(
                        count(counts[i, j]),
                        (j, i),
                        xytext=(0, -5),
                        textcoords="offset points",
                        ha="center",
                        va="center",
                        color=colour,
                        fontsize=6.5,
                    )
            turn = 40 if columns == 2 and max(map(len, classes)) * len(classes) > 30 else 0
            axes.set_xticks(
                range(len(classes)),
                classes,
                rotation=turn,
                ha="right" if turn else "center",
                rotation_mode="anchor" if turn else None,
            )
            axes.set_yticks(range(len(classes)), classes)
            axes.tick_params(length=0, labelbottom=True)
            axes.spines[:].set_visible(False)
            accuracy = np.trace(counts) / counts.sum() if counts.sum() else float("nan")
            axes.set_title(f"{arm}: {percent(accuracy)} of {count(counts.sum())}")
        figure.supxlabel("predicted class", fontsize=8)
        figure.supylabel("true class", fontsize=8)
        return figure


WIDTH_OF_MATRIX = {1: 14.0, 2: 16.0}


def learning_curves(results: Results) -> Figure:
    """Draw loss and accuracy by epoch for each arm: folds faint, their mean strong, chosen epochs marked."""
    with sheet():
        history = results.table("history")
        arms = [a for a in results.arms if (history["arm"] == a).any()]
        columns = min(3, len(arms))
        lines = math.ceil(len(arms) / columns)
        figure = new_figure(2 * lines * 4.0 + 0.8)
        grid = figure.subplots(2 * lines, columns, squeeze=False, sharex=True, sharey=False)
        parts = {"train": (FAINT, "--"), "validation": ("#0072b2", "-")}
        for k in range(lines * columns):
            pair = grid[2 * (k // columns) : 2 * (k // columns) + 2, k % columns]
            if k >= len(arms):
                for axes in pair:
                    axes.remove()
                continue
            rows = history[history["arm"] == arms[k]]
            for axes, quantity in zip(pair, ("accuracy", "loss"), strict=True):
                scale = 100 if quantity == "accuracy" else 1
                for part, (colour, dash) in parts.items():
                    column = f"{part}_{quantity}"
                    for _, fold in rows.groupby(["seed", "repeat", "fold"]):
                        axes.plot(fold["epoch"], scale * fold[column], dash, color=colour, alpha=0.28, linewidth=0.7)
                    mean = rows.groupby("epoch")[column].mean()
                    axes.plot(mean.index, scale * mean, dash, color=colour, linewidth=1.9, label=part)
                chosen = rows[rows["chosen"] == 1]
                axes.plot(
                    chosen["epoch"],
                    scale * chosen[f"validation_{quantity}"],
                    "o",
                    color="#d55e00",
                    markersize=3.4,
                    markeredgecolor="white",
                    markeredgewidth=0.4,
                    label="chosen epoch of a fold",
                )
                axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
                axes.grid(axis="y")
            pair[0].set_title(arms[k])
            pair[1].set_xlabel("epoch")
            if k % columns == 0:
                pair[0].set_ylabel("accuracy, percent")
                pair[1].set_ylabel("loss")
        for line in range(2 * lines):
            shared = [axes for axes in grid[line] if axes.figure is not None and axes.lines]
            low, high = min(a.get_ylim()[0] for a in shared), max(a.get_ylim()[1] for a in shared)
            for axes in shared:
                axes.set_ylim(low, high)
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=3, handlelength=2.2)
        return figure


def gap_forest(results: Results) -> Figure:
    """Draw every gap of every arm with its interval against the declared margin, shaded."""
    with sheet():
        gaps, margin = results.gaps(), 100 * results.study["audit"]["margin"]
        style = group_looks(results)
        blocks = gaps[["attribute", "group", "reference"]].drop_duplicates().to_numpy().tolist()
        blocks.sort(key=lambda b: results.attributes.index(b[0]))
        arms = [a for a in results.arms if (gaps["arm"] == a).any()]
        lines = [(*block, arm) for block in blocks for arm in arms]
        figure = new_figure(rows_height(len(lines), len(blocks)))
        axes = figure.subplots()
        axes.axvspan(-margin, margin, color=BAND, linewidth=0)
        axes.axvline(0, color=FAINT, linewidth=0.8)
        ticks, labels, y = [], [], 0.0
        indexed = gaps.set_index(["attribute", "group", "reference", "arm"])
        for i, (attribute, group, reference, arm) in enumerate(lines):
            if i and lines[i - 1][:3] != (attribute, group, reference):
                y += 0.5
            look = style.get((attribute, group), Look(INK, "o"))
            row = (
                indexed.loc[(attribute, group, reference, arm)]
                if (attribute, group, reference, arm) in indexed.index
                else None
            )
            ticks.append(y)
            labels.append(
                f"{label(group)} {MINUS} {label(reference)}, {arm}"
                if len(arms) > 1
                else f"{label(group)} {MINUS} {label(reference)}"
            )
            if row is None or pd.isna(row["estimate"]):
                aside(axes, y, "not estimable" if row is None else str(row["status"]), FAINT)
            else:
                if pd.notna(row["ci_low"]):
                    axes.plot(
                        [100 * row["ci_low"], 100 * row["ci_high"]],
                        [y, y],
                        "-",
                        color=look.colour,
                        linewidth=1.6,
                        solid_capstyle="butt",
                    )
                fill = "white" if arms.index(arm) == 0 and len(arms) > 1 else look.colour
                axes.plot(
                    100 * row["estimate"],
                    y,
                    look.marker,
                    color=look.colour,
                    markerfacecolor=fill,
                    markersize=5.5,
                    markeredgewidth=1.3,
                )
                sizes = f"n = {count(row['n_group'])}, {count(row['n_reference'])}"
                aside(axes, y, f"{points(row['estimate'])} {interval(row['ci_low'], row['ci_high'])}  ({sizes})")
            y += 1
        axes.set_yticks(ticks, labels)
        axes.set_ylim(y - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        left, right = axes.get_xlim()
        reach = max(abs(left), abs(right), 1.25 * margin)
        axes.set_xlim(-reach, reach)
        axes.xaxis.set_major_formatter(FuncFormatter(signed))
        axes.set_xlabel("gap in accuracy, percentage points (shaded: inside the margin)")
        heading(axes, f"gap [{level(results.study['audit']['confidence'])} interval]")
        return figure


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
    axes.set_yticks(ticks, rows["line"])
    axes.set_ylim(y - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.margins(x=0.08)
    axes.set_xlabel(axis)
    heading(axes, head)
    return figure


def breaks(rows: pd.DataFrame, columns: list[str]) -> pd.Series:
    """Return whether each row differs from the one before it in any of ``columns``."""
    keys = rows[columns].astype("str")
    return (keys != keys.shift()).any(axis=1)


def optimism(results: Results) -> Figure:
    """Draw the accuracy on training faces beside the accuracy out of fold, per group and arm."""
    with sheet():
        rows = results.in_order(results.table("optimism")).copy()
        several = len(results.arms) > 1
        names = rows["group"].map(label).where(rows["attribute"] != WHOLE, "all faces")
        rows["line"] = names + (", " + rows["arm"] if several else "")
        rows["note"] = [
            f"{points(o)} (n = {count(n)})" if not math.isnan(o) else s
            for o, n, s in zip(rows["optimism"], rows["n"], rows["status"], strict=True)
        ]
        rows["break"] = breaks(rows, ["attribute", "group"] if several else ["attribute"])
        return dumbbells(
            results,
            rows,
            "out_of_fold",
            "in_sample",
            "accuracy, percent (open: out of fold; filled: on training faces)",
            "optimism, points",
            False,
        )


def changes(results: Results) -> Figure:
    """Draw each group's accuracy before and after, for each contrast."""
    with sheet():
        rows = results.table("changes")
        rows = results.in_order(rows[rows["primary"] == 1]).copy()
        rows = rows.sort_values(
            "contrast", kind="stable", key=lambda c: c.map({v: i for i, v in enumerate(dict.fromkeys(c))})
        )
        n = rows["n"].where(rows["n"] > 0)
        rows["first"] = (rows["n11"] + rows["n10"]) / n
        rows["last"] = (rows["n11"] + rows["n01"]) / n
        names = rows["group"].map(label).where(rows["attribute"] != WHOLE, "all faces")
        rows["line"] = names + (" (" + rows["after"] + ")" if rows["contrast"].drop_duplicates().size > 1 else "")
        rows["note"] = [
            f"{points(e)} {interval(low, high)} (n = {count(faces)})" if not math.isnan(e) else s
            for e, low, high, faces, s in zip(
                rows["estimate"], rows["ci_low"], rows["ci_high"], rows["n"], rows["status"], strict=True
            )
        ]
        rows["break"] = breaks(rows, ["contrast", "attribute"])
        return dumbbells(
            results,
            rows,
            "first",
            "last",
            "accuracy, percent (open: before; filled: after)",
            f"change, points [{level(results.study['audit']['confidence'])} interval]",
            True,
        )


FIGURES = {
    "classes_by_group": (classes_by_group, "confusion"),
    "confusion_matrices": (confusion_matrices, "confusion"),
    "learning_curves": (learning_curves, "history"),
    "gap_forest": (gap_forest, "gaps"),
    "optimism": (optimism, "optimism"),
    "changes": (changes, "changes"),
}


def draw(results: Results) -> dict[str, Figure]:
    """Return the figures that a study has tables for, by name."""
    return {name: make(results) for name, (make, table) in FIGURES.items() if results.has(table)}
