"""Figures of the gaps: forest plot, dots by class and by fold, optimism, before and after."""

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from fergap.paper.cells import any_few, faces, told
from fergap.paper.drawing import (
    aside,
    breaks,
    dumbbells,
    group_looks,
    heading,
    label,
    rows_axis,
    rows_height,
    shade_margin,
    signed,
)
from fergap.paper.numbers import MINUS, level, points, with_interval
from fergap.paper.results import WHOLE, Results
from fergap.paper.style import FAINT, INK, Look, new_figure, sheet
from fergap.paper.tables_sensitivity import choice_name, choices


def forest_lines(results: Results) -> tuple[list[tuple[str, str, str, str]], int]:
    """Return the lines of the forest plot as (attribute, group, reference, arm), and in how many blocks they stand."""
    gaps = results.gaps()
    blocks = gaps[["attribute", "group", "reference"]].drop_duplicates().to_numpy().tolist()
    blocks.sort(key=lambda b: results.attributes.index(b[0]))
    arms = [a for a in results.arms if (gaps["arm"] == a).any()]
    return [(*block, arm) for block in blocks for arm in arms], len(blocks)


def gap_forest(results: Results) -> Figure:
    """Draw every gap of every arm with its interval against the declared margin, shaded."""
    with sheet():
        lines, blocks = forest_lines(results)
        several = len({line[3] for line in lines}) > 1
        figure = new_figure(rows_height(len(lines) + blocks * several, blocks))
        forest(figure.subplots(), results, lines)
        return figure


def forest(axes: Axes, results: Results, lines: list[tuple[str, str, str, str]]) -> None:
    """Draw the forest plot of some gaps; small ticks mark the smallest gap that the sample could have shown."""
    gaps, margin = results.gaps(), 100 * results.margin
    style = group_looks(results)
    arms = list(dict.fromkeys(line[3] for line in lines))
    shade_margin(axes, results)
    ticks, labels, smallest_gaps, y = [], [], [], 0.0
    several = len(arms) > 1
    verdicts = results.verdicts()
    verdicts = verdicts[verdicts["contrast"].isna()]
    detectable = verdicts.set_index(["attribute", "group", "reference", "arm"])["minimum_detectable_gap"].to_dict()
    indexed = gaps.set_index(["attribute", "group", "reference", "arm"])
    for i, (attribute, group, reference, arm) in enumerate(lines):
        pair = f"{label(group)} {MINUS} {label(reference)}"
        if not i or lines[i - 1][:3] != (attribute, group, reference):
            y += 0.5 if i else 0
            if several:
                ticks.append(y)
                labels.append(pair)
                y += 0.9
        look = style.get((attribute, group), Look(INK, "o"))
        row = (
            indexed.loc[(attribute, group, reference, arm)]
            if (attribute, group, reference, arm) in indexed.index
            else None
        )
        ticks.append(y)
        labels.append(f"    {arm}" if several else pair)
        if row is None or pd.isna(row["estimate"]):
            aside(axes, y, "not estimable" if row is None else told(str(row["status"])), FAINT)
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
            fill = "white" if arms.index(arm) == 0 and several else look.colour
            axes.plot(
                100 * row["estimate"],
                y,
                look.marker,
                color=look.colour,
                markerfacecolor=fill,
                markersize=5.5,
                markeredgewidth=1.3,
            )
            smallest = detectable.get((attribute, group, reference, arm), math.nan)
            smallest_gaps.append((100 * smallest, y))
            sizes = f"n = {faces(row['n_group'])}, {faces(row['n_reference'])}"
            aside(axes, y, f"{with_interval(row['estimate'], row['ci_low'], row['ci_high'])}  ({sizes})")
        y += 1
    rows_axis(axes, labels, ticks)
    if several:  # each pair of groups heads its arms
        for text in axes.get_yticklabels():
            text.set_fontweight("normal" if text.get_text().startswith(" ") else "bold")
    left, right = axes.get_xlim()
    reach = max(abs(left), abs(right), 1.25 * margin)
    axes.set_xlim(-reach, reach)
    for smallest, at in smallest_gaps:
        if smallest <= reach:
            axes.plot([-smallest, smallest], [at, at], "|", color=FAINT, markersize=7, markeredgewidth=1.2)
    axes.set_xlabel("gap in accuracy, percentage points (shaded: inside the margin)")
    heading(axes, f"gap [{level(results.confidence)} interval]")


def optimism(results: Results) -> Figure:
    """Draw the accuracy on training faces beside the accuracy out of fold, per group and arm."""
    with sheet():
        rows = results.in_order(results.table("optimism")).copy()
        several = len(results.arms) > 1
        names = rows["group"].map(label).where(rows["attribute"] != WHOLE, "all faces")
        rows["line"] = names + (", " + rows["arm"] if several else "")
        rows["note"] = [
            f"{points(o)} (n = {faces(n)})" if not math.isnan(o) else told(s)
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
            f"{with_interval(e, low, high)} (n = {faces(n)})" if not math.isnan(e) else told(s)
            for e, low, high, n, s in zip(
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
            f"change, points [{level(results.confidence)} interval]",
            True,
        )


def dot(axes: Axes, row: object, y: float, look: Look, filled: bool = True) -> None:
    """Draw an estimate in points with its interval, if there is one, at height ``y``."""
    if pd.notna(row.ci_low):
        axes.plot([100 * row.ci_low, 100 * row.ci_high], [y, y], "-", color=look.colour, linewidth=1.4)
    fill = look.colour if filled else "white"
    axes.plot(100 * row.estimate, y, look.marker, color=look.colour, markerfacecolor=fill, markersize=4.6)


def panels(results: Results, lines: list[str]) -> tuple[Figure, list[tuple[Axes, tuple, Look]]]:
    """Return a figure with one panel per pair of groups, six at most, whose rows are ``lines``.

    Returns
    -------
    figure : matplotlib.figure.Figure
    panels : list
        Axes, (attribute, group, reference) and look of each.
    """
    gaps, style, found = results.gaps(), group_looks(results), []
    blocks = gaps.loc[gaps["attribute"].isin(results.plain), ["attribute", "group", "reference"]]
    blocks = list(blocks.drop_duplicates().itertuples(index=False))[:6]
    columns = min(2, max(1, len(blocks)))
    tall = max(1, math.ceil(len(blocks) / columns))
    figure = new_figure(min(22.0, 1.2 + tall * (1.4 + 0.62 * len(lines))))
    grid = figure.subplots(tall, columns, squeeze=False, sharex=True)
    for axes in grid.flat[len(blocks) :]:
        axes.remove()
    for axes, block in zip(grid.flat, blocks, strict=False):
        shade_margin(axes, results)
        rows_axis(axes, lines if axes.get_subplotspec().is_first_col() else [""] * len(lines))
        axes.set_title(f"{label(block.group)} {MINUS} {label(block.reference)}")
        found.append((axes, block, style.get((block.attribute, block.group), Look(INK, "o"))))
    figure.supxlabel("gap, percentage points (shaded: inside the margin)", fontsize=8)
    return figure, found


def dots(axes: Axes, rows: pd.DataFrame, lines: list[str], look: Look, arms: list[str]) -> None:
    """Draw the rows of one pair of groups, each at its ``line``, the arms side by side and the first of two open."""
    for row in rows[rows["estimate"].notna() & rows["arm"].isin(arms)].itertuples():
        if not any_few(row):
            i = arms.index(row.arm)
            y = lines.index(row.line) + (0.22 * (2 * i - 1) if len(arms) > 1 else 0)
            dot(axes, row, y, look, filled=i == len(arms) - 1)


def of_block(rows: pd.DataFrame, block: tuple) -> pd.DataFrame:
    """Return the rows on one (attribute, group, reference)."""
    for column, value in zip(block._fields, block, strict=True):
        rows = rows[rows[column] == value]
    return rows


def class_gaps(results: Results) -> Figure:
    """Draw the gap in recall within each class, under the arms shown in detail, with the crude and the adjusted gap."""
    with sheet():
        lines = [*results.classes, "within classes", "crude"]
        rows = pd.concat(
            [
                results.class_gaps().assign(line=lambda r: r["class"]),
                results.adjusted_gaps().assign(line="within classes"),
                results.gaps().assign(line="crude"),
            ]
        )
        figure, found = panels(results, lines)
        for axes, block, look in found:
            dots(axes, of_block(rows, block), lines, look, results.headline[:2])
            axes.axhline(len(results.classes) - 0.5, color=FAINT, linewidth=0.5)
        return figure


def sensitivity(results: Results) -> Figure:
    """Draw each gap among all faces and other choices of them, under the arms shown in detail."""
    with sheet():
        rows = choices(results)
        rows = rows.assign(line=[choice_name(row) for row in rows.itertuples()])
        lines = list(dict.fromkeys(rows["line"]))
        figure, found = panels(results, lines)
        for axes, block, look in found:
            dots(axes, of_block(rows, block), lines, look, results.headline[:2])
        return figure


def fold_gaps(results: Results) -> Figure:
    """Draw the gap of every fold as a dot and that of all folds together as a line, for each arm."""
    with sheet():
        table, style = results.table("replicates"), group_looks(results)
        table = table[table["attribute"].isin(results.plain) & table["gap"].notna()]
        table = table[table["arm"].isin(results.headline)]
        keys = ["attribute", "group", "reference", "arm"]
        lines = list(table[keys].drop_duplicates().itertuples(index=False))
        figure = new_figure(rows_height(max(1, len(lines)), 1))
        axes = figure.subplots()
        shade_margin(axes, results)
        for y, line in enumerate(lines):
            own = table
            for key, value in zip(keys, line, strict=True):
                own = own[own[key] == value]
            look, folds = style.get((line.attribute, line.group), Look(INK, "o")), own[own["fold"].notna()]
            few = (folds[["n_group", "n_reference"]] < 3).any(axis=1)
            axes.plot(100 * folds.loc[~few, "gap"], [y] * int((~few).sum()), look.marker, color=look.colour, alpha=0.55)
            for whole in own.loc[own["fold"].isna(), "gap"]:
                axes.plot([100 * whole] * 2, [y - 0.32, y + 0.32], "-", color=INK, linewidth=1.6)
            spread = folds["gap"].std(ddof=1)
            note = f"SD of {len(folds)} folds: {points(spread, signed=False)}" if len(folds) > 1 else "one fold"
            aside(axes, y, note)
        rows_axis(axes, [f"{label(x.group)} {MINUS} {label(x.reference)}, {x.arm}" for x in lines])
        axes.set_xlabel("gap in accuracy, percentage points (dots: folds; line: all folds; shaded: inside the margin)")
        return figure


def gap_changes(results: Results) -> Figure:
    """Draw each gap before and after against the margin, and beside it what each of its two groups gained or lost."""
    with sheet():
        rows, style = results.table("gap_changes"), group_looks(results)
        rows = rows[(rows["metric"] == "accuracy") & (rows["primary"] == 1) & rows["attribute"].isin(results.plain)]
        changes = results.table("changes")
        changes = changes[changes["primary"] == 1].set_index(["contrast", "attribute", "group"])
        gaps = results.gaps().set_index(["arm", "attribute", "group", "reference"])
        several = rows["contrast"].drop_duplicates().size > 1
        figure = new_figure(min(22.0, 2.2 + 1.25 * len(rows)))
        left, right = figure.subplots(1, 2, sharey=True)
        shade_margin(left, results)
        right.axvline(0, color=FAINT, linewidth=0.8)
        labels = []
        for y, row in enumerate(rows.itertuples()):
            look = style.get((row.attribute, row.group), Look(INK, "o"))
            for offset, arm, filled in ((-0.16, row.before, False), (0.16, row.after, True)):
                key = (arm, row.attribute, row.group, row.reference)
                if key in gaps.index and pd.notna(gaps.loc[key, "estimate"]):
                    dot(left, gaps.loc[key], y + offset, look, filled)
            for offset, group in ((-0.16, row.group), (0.16, row.reference)):
                key = (row.contrast, row.attribute, group)
                if key in changes.index and pd.notna(changes.loc[key, "estimate"]):
                    dot(right, changes.loc[key], y + offset, style.get((row.attribute, group), Look(INK, "o")))
                    x = 100 * changes.loc[key, "ci_high"]
                    right.annotate(
                        label(group), (x, y + offset), (4, 0), textcoords="offset points", va="center", fontsize=7
                    )
            note = f"\n{row.after}" if several else ""
            labels.append(f"{label(row.group)} {MINUS} {label(row.reference)}{note}")
        rows_axis(left, labels)
        right.tick_params(axis="y", length=0)
        right.spines["left"].set_visible(False)
        left.set_title("(a) gap")
        left.set_xlabel("points (open: before; filled: after)")
        right.set_title("(b) change of each group")
        right.set_xlabel("points (left of the line: lost)")
        right.margins(x=0.25)
        right.xaxis.set_major_formatter(FuncFormatter(signed))
        return figure
