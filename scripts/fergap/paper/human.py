"""The taggers beside the model in the paper: whose gap is whose, and what is left at equal ambiguity."""

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from fergap.paper.cells import FEW, any_few, estimate, find, heading, is_few, key_of, pair, told, whole_name
from fergap.paper.drawing import label, signed
from fergap.paper.markdown import name, pipe, prose
from fergap.paper.numbers import MINUS, MISSING, count, interval, missing, percent, points, with_interval
from fergap.paper.reading import of_arms
from fergap.paper.results import Results
from fergap.paper.style import BAND, COLOURS, FAINT, INK, MARKERS, new_figure, sheet

LIMITS = (
    "Three things bound this. A face is in the study only if the votes made a label, the left-out one among them: "
    "taggers look somewhat better than they are, in every group alike if their disagreement is alike. What taggers "
    "agree on need not be what the person felt, and a bias that they share is in the labels and is not seen here. And "
    "ambiguity is itself read off the votes: where a group's faces are more ambiguous because people misread that "
    "group, equal ambiguity takes a part of the unfairness away."
)


def gaps(results: Results) -> pd.DataFrame:
    """Return the crude gaps of the arms shown in detail, on plain attributes."""
    rows = of_arms(results, results.table("human_reference"))
    return rows[rows["reference"].notna() & (rows["metric"] == "model_accuracy") & rows["adjusted_for"].isna()]


def beside(results: Results, row: object, metric: str, adjusted_for: str | None = None) -> object | None:
    """Return the row of another metric of the same arm and pair."""
    table = results.table("human_reference")
    table = table[table["adjusted_for"].isna() if adjusted_for is None else table["adjusted_for"] == adjusted_for]
    return find(table, **key_of(row), metric=metric)


def human_reference(results: Results) -> str:
    """Return each gap of the model, at equal ambiguity, of the taggers, and what the model adds to theirs."""
    cells = []
    for row in gaps(results).itertuples():
        others = (
            beside(results, row, "model_accuracy", "ambiguity"),
            beside(results, row, "model_accuracy", "class and ambiguity"),
            beside(results, row, "tagger_accuracy"),
            beside(results, row, "model_minus_taggers"),
        )
        cells.append([pair(row), name(row.arm), *(MISSING if r is None else estimate(r) for r in (row, *others))])
    head = heading(results)
    columns = ["gap", "arm", f"model [{head}]", "at equal ambiguity", "of equal class too", "taggers", "beyond taggers"]
    return pipe(columns, cells, "llrrrrr")


def shown(row: object) -> int:
    """Return the sign of an estimate whose interval leaves 0 out, else 0."""
    if missing(row.ci_low) or row.ci_low <= 0 <= row.ci_high:
        return 0
    return 1 if row.estimate > 0 else -1


def one_gap(results: Results, row: object) -> str:
    """Say of one gap whether people have it too and what is left of the model's among faces of equal ambiguity."""

    def cite(found: object, text: str) -> str:
        return results.cite(text, "human_reference", found, "estimate")

    def size(found: object) -> str:
        return cite(found, f"{points(found.estimate)} {interval(found.ci_low, found.ci_high)}")

    taggers, equal = (
        beside(results, row, "tagger_accuracy"),
        beside(results, row, "model_accuracy", "ambiguity"),
    )
    if any_few(row) or any(found is None or found.status != "ok" for found in (taggers, equal)):
        return ""
    table = results.table("human_reference")
    own = table[(table["arm"] == row.arm) & (table["attribute"] == row.attribute) & table["reference"].isna()]
    rates = [find(own, group=g, metric="tagger_accuracy") for g in (row.group, row.reference)]
    group, reference = (whole_name(row.attribute, g) for g in (row.group, row.reference))
    said = {
        -1: f"Taggers agree less on {group} than on {reference} faces",
        0: f"That taggers agree less or more on {group} than on {reference} faces is not shown",
        1: f"Taggers agree more on {group} than on {reference} faces",
    }[shown(taggers)]
    right = " and ".join(cite(rate, percent(rate.estimate)) for rate in rates)
    left = {
        -1: f"so {prose(row.arm)} reads {group} faces worse also where votes disagree as much",
        0: f"which does not show that {prose(row.arm)} has a gap where votes disagree as much",
        1: f"so {prose(row.arm)} reads {group} faces better where votes disagree as much",
    }[shown(equal)]
    return (
        f"{said}: {right} of a tagger's answers are those of the others, a gap of {size(taggers)} points. At equal "
        f"ambiguity the model's gap, {size(row)} points among all faces, is {size(equal)}, {left}."
    )


def read_by_people(results: Results) -> str:
    """Return the method, one sentence for each gap of the first arm, and the limits."""
    rows = gaps(results)
    found = [one_gap(results, row) for row in rows[rows["arm"] == results.headline[0]].itertuples()]
    answered = results.table("human_reference")["answered"].dropna()
    how = (
        "Is a group harder for everyone, or for the model? Each tagger in turn is set against the label that the other "
        "taggers' votes make by the study's own scheme; the mean over whose vote is left out is exact, and intervals "
        "take the face as the unit. A vote stands for the class of a face on which all would vote so. Votes for no "
        "emotion of the scheme, and faces whose class no single vote can stand for, are left out"
    )
    if len(answered):
        low, high = (
            results.cite(percent(answered[i]), "human_reference", i, "answered")
            for i in (answered.idxmin(), answered.idxmax())
        )
        how += f" ({low} to {high} of a group's votes count)"
    how += (
        ". @tbl-human has the model's gap on the same faces, the one among faces whose votes have the same entropy "
        "(Mantel–Haenszel, each value a stratum), and the model's beyond the taggers', face by face."
    )
    if len(bands(results)):
        how += " @fig-ambiguity has both gaps by how far the votes on a face differ."
    return "\n\n".join(part for part in (how, " ".join(s for s in found if s), LIMITS) if part)


# ---- the gaps by how far votes differ ----


def bands(results: Results) -> pd.DataFrame:
    """Return the rows on the gaps by ambiguity of the arms shown in detail, on plain attributes."""
    return of_arms(results, results.table("by_ambiguity"))


def of_gap(results: Results, of: object) -> pd.DataFrame:
    """Return the rows of :func:`bands` on one pair of groups, of every arm, in the order of their bands."""
    rows = bands(results)
    for column in ("attribute", "group", "reference"):
        rows = rows[rows[column] == getattr(of, column)]
    place = rows["bits_above"].where(rows["bits_to"] != 0, -1.0)
    return rows.assign(place=place).sort_values("place", kind="stable")


def band_name(row: object) -> str:
    """Return a band of entropies for a reader."""
    if missing(row.bits_to):
        return f"> {row.bits_above:g}"
    return "0" if not row.bits_to else f"≤ {row.bits_to:g}"


def lines(rows: pd.DataFrame, headline: list[str]) -> list[tuple[str, str, str]]:
    """Return what is drawn of one pair as (arm, metric, name): every arm, and the taggers on the first arm's faces."""
    arms = [arm for arm in headline if (rows["arm"] == arm).any()]
    return [*((arm, "model_accuracy", arm) for arm in arms), (arms[0], "tagger_accuracy", "taggers")]


def figure(results: Results) -> Figure:
    """Draw the gap of every pair by the entropy of the votes: of each arm, and of the taggers."""
    with sheet():
        rows = bands(results)
        pairs = list(rows.drop_duplicates(["attribute", "group", "reference"]).itertuples())
        columns = min(2 if len(pairs) <= 4 else 3, len(pairs))
        lines_of_panels = math.ceil(len(pairs) / columns)
        drawing = new_figure(min(22.0, 1.2 + 6.6 * lines_of_panels))
        panels = drawing.subplots(lines_of_panels, columns, squeeze=False, sharey=True).ravel()
        for axes, row in zip(panels, pairs, strict=False):
            panel(axes, results, row)
        for axes in panels[len(pairs) :]:
            axes.set_axis_off()
        for axes in panels[::columns]:
            axes.set_ylabel("gap, percentage points")
        handles, names = panels[0].get_legend_handles_labels()
        drawing.legend(handles, names, loc="outside lower center", ncols=len(names))
        return drawing


def panel(axes: Axes, results: Results, of: object) -> None:
    """Draw one pair of groups: bands from left to right, its lines beside one another."""
    margin = 100 * results.margin
    axes.axhspan(-margin, margin, color=BAND, linewidth=0)
    axes.axhline(0, color=FAINT, linewidth=0.8)
    rows = of_gap(results, of)
    order = list(dict.fromkeys(rows["place"]))
    drawn = lines(rows, results.headline)
    for i, (arm, metric, called) in enumerate(drawn):
        people = metric == "tagger_accuracy"
        colour = INK if people else COLOURS[i % len(COLOURS)]
        look = {"color": colour, "marker": "D" if people else MARKERS[i % len(MARKERS)], "markersize": 5}
        look |= {"markerfacecolor": "white" if people else colour, "linewidth": 0}
        axes.plot([], [], label=called, **look)
        for row in rows[(rows["arm"] == arm) & (rows["metric"] == metric)].itertuples():
            if any_few(row) or missing(row.estimate):
                continue
            x = order.index(row.place) + (i - (len(drawn) - 1) / 2) * 0.16
            if not missing(row.ci_low):
                axes.plot([x, x], [100 * row.ci_low, 100 * row.ci_high], "-", color=colour, linewidth=1.4)
            axes.plot(x, 100 * row.estimate, **look)
    shown = rows.drop_duplicates("place").itertuples()
    names = [f"{band_name(row)}\n{size(row.n_group)}\n{size(row.n_reference)}" for row in shown]
    axes.set_xticks(range(len(order)), names)
    axes.set_xlim(-0.5, len(order) - 0.5)
    axes.tick_params(axis="x", length=0)
    axes.yaxis.set_major_formatter(FuncFormatter(signed))
    axes.grid(axis="y")
    axes.set_xlabel("entropy of the votes, bits; faces of each")
    axes.set_title(f"{label(of.group)} {MINUS} {label(of.reference)}")


def size(number: float) -> str:
    """Return a number of faces for a figure, one or two as fewer than three."""
    return FEW if is_few(number) else count(number)


def description(results: Results) -> str:
    """Describe the figure: the gap in every band, of each arm and of the taggers."""
    rows, parts = bands(results), []
    for of in rows.drop_duplicates(["attribute", "group", "reference"]).itertuples():
        own = of_gap(results, of)
        for arm, metric, called in lines(own, results.headline):
            found = own[(own["arm"] == arm) & (own["metric"] == metric)]
            said = [
                f"{band_name(row)} bits: "
                + (told(row.status) if missing(row.estimate) else with_interval(row.estimate, row.ci_low, row.ci_high))
                for row in found.itertuples()
                if not any_few(row)
            ]
            parts.append(f"{of.group} {MINUS} {of.reference}, {called}: {', '.join(said)}")
    return "Gaps by the entropy of the votes, in percentage points. " + "; ".join(parts) + "."
