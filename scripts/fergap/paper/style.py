"""How every figure of the paper looks: one style sheet, one colour and marker for a group everywhere."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.figure import Figure

from fergap.files import whole

WIDTH = 16.0  # cm, the paper's column
CM = 1 / 2.54

# Okabe and Ito's colours without yellow, green and vermilion darkened, so that neighbours differ in lightness too
COLOURS = ("#0072b2", "#e69f00", "#1b1b1b", "#cc79a7", "#00694c", "#56b4e9", "#a04000", "#9a9a9a")
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "<", ">")
INK, FAINT, BAND = "#262626", "#8c8c8c", "#e9e9e9"

SHEET = {
    "figure.dpi": 100,
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "text.color": INK,
    "lines.linewidth": 1.2,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "svg.fonttype": "path",
    "svg.hashsalt": "fergap",
}


@dataclass(frozen=True)
class Look:
    """Colour and marker of one group."""

    colour: str
    marker: str


def looks(groups: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Look]:
    """Return a colour and a marker for each (attribute, group), by their order.

    Give the same list to every figure of a study, and a group looks the same in all of them.
    """
    return {
        pair: Look(COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]) for i, pair in enumerate(dict.fromkeys(groups))
    }


@contextmanager
def sheet() -> Iterator[None]:
    """Apply the style sheet, on top of matplotlib's own defaults and never of the user's, while the block runs."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SHEET)
        yield


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """Return an empty figure of ``width`` × ``height`` cm whose parts make room for one another."""
    figure = Figure(figsize=(width * CM, height * CM), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.04, h_pad=0.04, wspace=0.03, hspace=0.04)
    return figure


def save(figure: Figure, path: str | os.PathLike) -> None:
    """Write ``figure`` to ``path`` whole, in the format of its suffix, the same bytes every time for an SVG."""
    with sheet(), whole(path) as draft:
        dated = {".svg": {"Date": None, "Creator": None}, ".pdf": {"CreationDate": None, "Creator": None}}
        metadata = dated.get(draft.suffix)
        figure.savefig(draft, metadata=metadata, dpi=150)
