"""Heat maps of the data: how often each class meets each group of one, two and three attributes."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from fergap.paper.cells import faces, is_few
from fergap.paper.drawing import label, signed
from fergap.paper.numbers import count, fixed, percent
from fergap.paper.results import WHOLE, Results
from fergap.paper.style import BAND, FAINT, INK, new_figure, sheet

DEPTHS = {"shares_by_one": 1, "shares_by_two": 2, "shares_by_three": 3}
"""The figures and how many attributes each crosses with the classes."""
MOST_ROWS = 36  # of one figure
TIGHT, SPACIOUS = 24, 14  # rows up to which a cell has two lines, and three
HEIGHTS = {3: 1.05, 2: 0.8, 1: 0.48}  # cm of a row with so many lines
COLOURS = "RdBu_r"


@dataclass(frozen=True)
class Block:
    """Classes by the groups of one attribute, or of several crossed; arrays are (groups, classes) but for ``n``.

    ``left_out`` groups are not shown, the smallest; ``apart`` tells where the interval of the share leaves out the
    class's share in all groups.
    """

    attribute: str
    groups: list[str]
    n: np.ndarray
    counts: np.ndarray
    shares: np.ndarray
    low: np.ndarray
    high: np.ndarray
    z: np.ndarray
    apart: np.ndarray
    left_out: int


def block_of(rows: pd.DataFrame, attribute: str, classes: list[str], most: int) -> Block:
    """Return the block of one attribute's rows of ``dataset_shares``: groups with a face, at most ``most``."""
    own = rows[rows["attribute"] == attribute]
    sizes = own.drop_duplicates("group").set_index("group")["n"]
    there = sizes[sizes > 0]
    kept = set(there.sort_values(ascending=False, kind="stable").index[:most])
    groups = [g for g in there.index if g in kept]

    def grid(column: str) -> np.ndarray:
        return (
            own.pivot(index="group", columns="label", values=column).reindex(index=groups, columns=classes).to_numpy()
        )

    low, high, overall = grid("ci_low"), grid("ci_high"), grid("overall")
    arrays = (grid("count"), grid("share"), low, high, grid("duchers_z"), (low > overall) | (high < overall))
    return Block(attribute, groups, there[groups].to_numpy(), *arrays, len(there) - len(groups))


def blocks(results: Results, depth: int) -> list[Block]:
    """Return what one figure shows; where there are too many groups, the same part of every block, the largest."""
    rows = results.table("dataset_shares")
    rows = rows[rows["attribute"] != WHOLE]
    named = [a for a in dict.fromkeys(rows["attribute"]) if a.count("*") == depth - 1]
    rows = rows[rows["attribute"].isin(named)]
    there = rows[rows["n"] > 0].drop_duplicates(["attribute", "group"])["attribute"].value_counts()
    part = min(1.0, MOST_ROWS / max(1, there.sum()))
    return [block_of(rows, a, results.classes, max(2, int(there.get(a, 0) * part))) for a in named if a in there]


def told_z(block: Block) -> np.ndarray:
    """Return Ducher's Z of each cell, (groups, classes), NaN where one or two faces would be told by it."""
    few = np.vectorize(is_few, otypes=[bool])
    return np.where(few(block.counts) | few(block.n)[:, None], np.nan, block.z)


def cell_text(block: Block, g: int, c: int, lines: int) -> str:
    """Return what stands in a cell: faces, then the interval of their share of the group and, with room, the share."""
    n = block.counts[g, c]
    shown = [faces(n)]
    if lines > 1 and not is_few(n) and not is_few(block.n[g]):
        ends = f"[{fixed(100 * block.low[g, c], 1)}, {fixed(100 * block.high[g, c], 1)}]"
        shown += [percent(block.shares[g, c]), ends] if lines == 3 else [ends]
    return "\n".join(shown)


def heat_map(axes: Axes, block: Block, classes: list[str], norm: Normalize, lines: int) -> None:
    """Draw one block: Ducher's Z as colour, faces in the cells, in bold where the share differs from that of all."""
    z = told_z(block)
    axes.set_facecolor(BAND)
    axes.imshow(np.ma.masked_invalid(z), cmap=COLOURS, norm=norm, aspect="auto")
    for g, c in np.ndindex(*z.shape):
        strong = not np.isnan(z[g, c]) and abs(z[g, c]) > 0.62 * norm.vmax
        axes.annotate(
            cell_text(block, g, c, lines),
            (c, g),
            ha="center",
            va="center",
            color="white" if strong else INK,
            fontsize=6.2,
            fontweight="bold" if block.apart[g, c] and not np.isnan(z[g, c]) else "normal",
            linespacing=1.15,
        )
    names = [f"{label(g)} (n = {faces(n)})" for g, n in zip(block.groups, block.n, strict=True)]
    axes.set_yticks(range(len(block.groups)), names)
    turn = 30 if max(map(len, classes)) * len(classes) > 75 else 0
    axes.set_xticks(
        range(len(classes)), classes, rotation=turn, ha="right" if turn else "center", rotation_mode="anchor"
    )
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    more = f": the largest {count(len(block.groups))} of {count(len(block.groups) + block.left_out)} groups"
    axes.set_title(label(block.attribute) + (more if block.left_out else ""))


def lines_of(made: list[Block]) -> int:
    """Return how many lines of text fit into a cell: 3, 2 or 1, the fewer the more groups."""
    rows = sum(len(block.groups) for block in made)
    return 3 if rows <= SPACIOUS else 2 if rows <= TIGHT else 1


def heat_maps(results: Results, depth: int) -> Figure:
    """Draw classes by the groups of every ``depth`` attributes crossed."""
    with sheet():
        made = blocks(results, depth)
        rows = sum(len(block.groups) for block in made)
        lines = lines_of(made)
        figure = new_figure(min(22.5, 2.2 + rows * HEIGHTS[lines] + 0.75 * len(made)))
        grid = figure.subplots(len(made), 1, squeeze=False, sharex=True, height_ratios=[len(b.groups) for b in made])
        reach = np.concatenate([np.abs(told_z(b)[(b.counts > 0) & (b.n[:, None] >= 10)]) for b in made])
        reach = reach[~np.isnan(reach)]
        norm = Normalize(*(s * max(0.1, np.ceil(10 * reach.max(initial=0)) / 10) for s in (-1, 1)))
        for axes, block in zip(grid[:, 0], made, strict=True):
            heat_map(axes, block, results.classes, norm, lines)
        bar = figure.colorbar(
            ScalarMappable(norm, COLOURS),
            ax=grid[:, 0],
            location="bottom",
            aspect=45,
            shrink=0.7,
            pad=0.02,
            extend="both",
        )
        bar.set_label("Ducher’s Z: rarer (blue) or more frequent (red) than if independent", color=INK)
        bar.ax.xaxis.set_major_locator(MaxNLocator(4))
        bar.ax.xaxis.set_major_formatter(FuncFormatter(signed))
        bar.outline.set_edgecolor(FAINT)
        return figure


def shares_by_one(results: Results) -> Figure:
    """Draw classes by the groups of each attribute."""
    return heat_maps(results, 1)


def shares_by_two(results: Results) -> Figure:
    """Draw classes by the groups of every two attributes crossed."""
    return heat_maps(results, 2)


def shares_by_three(results: Results) -> Figure:
    """Draw classes by the groups of every three attributes crossed."""
    return heat_maps(results, 3)
