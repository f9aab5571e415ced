"""Figures of the data and the training: classes by group, confusion matrices, learning curves."""

import math
from itertools import product

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fergap.paper.cells import faces
from fergap.paper.drawing import group_looks, rows_axis
from fergap.paper.numbers import count, percent
from fergap.paper.results import Results
from fergap.paper.style import FAINT, INK, new_figure, sheet

MOST_COUNTED = 8  # classes of two matrices side by side whose cells have room for counts
WIDTH_OF_MATRIX = {1: 14.0, 2: 16.0}
FACES_SHOWN = 14  # of each class in the montage


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
    if arm is None:
        shares = results.table("dataset_shares").rename(columns={"label": "true"})
        rows = shares[shares["attribute"] == attribute]
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
        of_each = {attribute: class_shares(results, attribute) for attribute in attributes}
        largest = np.nanmax([0.01, *(share for shares in of_each.values() for share in shares["share"])])
        for axes, attribute in zip(grid.flat, attributes, strict=False):
            shares, groups = of_each[attribute], results.groups[attribute]
            thick = 0.8 / len(groups)
            for i, group in enumerate(groups):
                part = shares[shares["group"] == group]
                y = np.arange(len(classes)) - 0.4 + thick * (i + 0.5)
                total = faces(part["count"].sum())
                axes.barh(
                    y,
                    100 * part["share"].fillna(0),
                    0.88 * thick,
                    color=style[attribute, group].colour,
                    label=f"{group} (n = {total})",
                )
                for position, share, n in zip(y, part["share"].fillna(0), part["count"], strict=True):
                    axes.annotate(
                        faces(n).replace("\N{NO-BREAK SPACE}", " "),
                        (100 * share, position),
                        xytext=(2, 0),
                        textcoords="offset points",
                        va="center",
                        fontsize=6.5,
                    )
            rows_axis(axes, classes if axes.get_subplotspec().is_first_col() else [""] * len(classes))
            axes.set_xlim(0, 114 * largest)
            axes.tick_params(labelbottom=True)
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
        columns = min(2, len(arms))
        lines, small = math.ceil(len(arms) / columns), len(classes) > MOST_COUNTED and columns == 2
        letters = 6.5 if len(classes) > 5 and columns == 2 else 7.5
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
                    fontsize=letters,
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
                        fontsize=letters - 1,
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


def montage(results: Results) -> Figure:
    """Draw some faces of each class in a row, the first by order of each source, from pixels that may be shown."""
    with sheet():
        table, pixels = results.table("faces"), np.load(results.pixels, mmap_mode="r")
        side = pixels.shape[-1]
        board = np.full((len(results.classes) * side, FACES_SHOWN * side), 255, np.uint8)
        sources = list(dict.fromkeys(table["source"]))
        block = FACES_SHOWN // len(sources)
        for (i, label), (k, source) in product(enumerate(results.classes), enumerate(sources)):
            own = table.loc[(table["label"] == label) & (table["source"] == source), "row"]
            for j, row in enumerate(own.iloc[:block], k * block):
                face = pixels[row]
                shown = face if face.ndim == 2 else face.mean(axis=0)
                board[i * side : (i + 1) * side, j * side : (j + 1) * side] = shown
        figure = new_figure(0.4 + 13.2 * len(results.classes) / FACES_SHOWN)
        axes = figure.subplots()
        axes.imshow(board, cmap="gray", vmin=0, vmax=255, interpolation="none")
        axes.set_yticks([side * (i + 0.5) for i in range(len(results.classes))], results.classes)
        named = sources if len(sources) > 1 else []
        axes.set_xticks([side * block * (k + 0.5) - 0.5 for k in range(len(named))], named)
        for k in range(1, len(named)):
            axes.axvline(side * block * k - 0.5, color="white", linewidth=3)
        axes.tick_params(length=0, labeltop=True, labelbottom=False)
        axes.spines[:].set_visible(False)
        return figure
