"""How far those agree who said who is in the pictures, in the paper."""

from collections.abc import Callable

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fergap.paper.cells import reason, told
from fergap.paper.drawing import aside, label, rows_axis, rows_height
from fergap.paper.markdown import name, pipe, prose
from fergap.paper.numbers import MISSING, count, fixed, interval, missing, percent
from fergap.paper.reading import some
from fergap.paper.results import WHOLE, Results
from fergap.paper.style import COLOURS, FAINT, new_figure, sheet

METRICS = ("percent_agreement", "cohens_kappa", "krippendorffs_alpha")


def measured(results: Results) -> pd.DataFrame:
    """Return the rows over all faces and answers."""
    table = results.table("agreement")
    return table[(table["among"] == WHOLE) & table["answer"].isna() & table["metric"].isin(METRICS)]


def people_alone(results: Results, row: object) -> bool:
    """Whether a row on several raters together leaves out some of those who are compared by twos."""
    rows = measured(results)
    rows = rows[rows["attribute"] == row.attribute]
    return missing(row.first) and row.raters < len(set(rows["first"].dropna()) | set(rows["second"].dropna()))


def who(results: Results, row: object) -> str:
    """Return the raters of a row for a reader."""
    if missing(row.first):
        return f"the {count(row.raters)} people" if people_alone(results, row) else f"all {count(row.raters)}"
    return f"{name(row.first)}, again" if row.first == row.second else f"{name(row.first)} and {name(row.second)}"


def coefficient(row: object | None) -> str:
    """Return a coefficient with its interval, or why there is none."""
    if row is None or missing(row.estimate):
        return MISSING if row is None else reason(row.status)
    ends = "" if missing(row.ci_low) else f" [{fixed(row.ci_low, 2)},\N{NO-BREAK SPACE}{fixed(row.ci_high, 2)}]"
    return fixed(row.estimate, 2) + ends


def agreement(results: Results) -> str:
    """Return percent agreement and a coefficient beyond chance of every two raters, of all, and of each again."""
    cells, found = [], {}
    for row in measured(results).itertuples():
        found.setdefault((row.attribute, who(results, row)), {})[row.metric] = row
    for (attribute, raters), rows in found.items():
        share = rows.get("percent_agreement")
        shown = MISSING
        if share is not None:
            ends = "" if missing(share.ci_low) else f" {interval(share.ci_low, share.ci_high)}"
            shown = reason(share.status) if missing(share.estimate) else percent(share.estimate) + ends
        n = next(iter(rows.values())).n
        coefficients = [coefficient(rows.get(metric)) for metric in METRICS[1:]]
        cells.append([name(attribute), raters, count(n), shown, *coefficients])
    return pipe(["", "raters", "faces", "agreement [CI]", "Cohen’s κ [CI]", "Krippendorff’s α [CI]"], cells, "llrrrr")


def raters_agree(results: Results) -> str:
    """Say how far the raters agree on each attribute, how often they differ, who decided, and what prompted them."""
    parts, people = [], False
    for row in measured(results).itertuples():
        if row.metric == "krippendorffs_alpha" and not missing(row.estimate):
            alpha = results.cite(coefficient(row), "agreement", row, "estimate")
            parts.append(f"α {alpha} on {prose(row.attribute)} ({count(row.n)} faces)")
            people |= people_alone(results, row)
    raters = "those raters who are people" if people else "the raters"
    said = [f"Beyond chance {raters} agree by {some(parts)}, where one would be always and zero by chance."]
    drawn = ["@fig-agreement has every two raters, and the classes apart."] if coefficients(results) else []
    return " ".join([*(said if parts else []), *drawn, *disputes(results)])


def shares(results: Results, metric: str) -> list[tuple[object, str]]:
    """Return the rows of a metric that are above zero, each with its share as cited text."""
    table = results.table("agreement")
    rows = table[(table["metric"] == metric) & (table["estimate"] > 0)].itertuples()
    return [(row, results.cite(percent(row.estimate), "agreement", row, "estimate")) for row in rows]


def disputes(results: Results) -> list[str]:
    """Return sentences on faces whose answers differ, on adjudication, and on answers given beside a suggestion."""
    said = []
    if found := shares(results, "answers_differ"):
        parts = [f"{share} of {count(row.n)} faces on {prose(row.attribute)}" for row, share in found]
        said.append(f"Answers differ on {some(parts)}.")
    if found := shares(results, "adjudicated"):
        parts = [f"{share} of {count(row.n)} on {prose(row.attribute)}" for row, share in found]
        said.append(f"Of these, {some(parts)} were decided in a second round; its answers count.")
    if found := shares(results, "suggestion_shown"):
        parts = [f"{share} of the answers on {prose(row.attribute)}" for row, share in found]
        said.append(f"{some(parts)} were given with the study's guess in view, which draws them towards it.")
    return said


# ---- the figure ----


def pairs(results: Results) -> pd.DataFrame:
    """Return Cohen's kappa of every two raters, and of each with their own earlier answers."""
    rows = measured(results)
    return rows[rows["metric"] == "cohens_kappa"]


def by_class(results: Results) -> pd.DataFrame:
    """Return Krippendorff's alpha of all raters, over all faces and in each class."""
    table = results.table("agreement")
    return table[table["metric"] == "krippendorffs_alpha"]


def coefficients(results: Results) -> int:
    """Return how many coefficients there are to be drawn."""
    return len(pairs(results)) + len(by_class(results))


def raters_of(row: object) -> str:
    """Return two raters for a figure."""
    return f"{row.first}, again" if row.first == row.second else f"{row.first}, {row.second}"


def figure(results: Results) -> Figure:
    """Draw how far raters agree beyond chance: every two of them, and all of them by the class of the face."""
    with sheet():
        parts = [
            (rows, head, names)
            for rows, head, names in (
                (pairs(results), "Cohen's κ", raters_of),
                (by_class(results), "Krippendorff's α", lambda row: "all faces" if row.among == WHOLE else row.among),
            )
            if len(rows)
        ]
        attributes = list(dict.fromkeys(results.table("agreement")["attribute"]))
        most = max(len(rows) for rows, _, _ in parts)
        drawing = new_figure(rows_height(most + len(attributes), len(attributes)))
        panels = drawing.subplots(1, len(parts), squeeze=False).flat
        for axes, (rows, head, names) in zip(panels, parts, strict=True):
            panel(axes, rows, attributes, names)
            axes.set_title(head)
        return drawing


def panel(axes: Axes, rows: pd.DataFrame, attributes: list[str], names: Callable[[object], str]) -> None:
    """Draw coefficients with their intervals, one line each, under their attribute."""
    ticks, words, y = [], [], 0.0
    for i, attribute in enumerate(attributes):
        own = rows[rows["attribute"] == attribute]
        if not len(own):
            continue
        y += 0.4 if ticks else 0
        ticks.append(y)
        words.append(label(attribute))
        for row in own.itertuples():
            y += 1
            ticks.append(y)
            words.append(f"    {names(row)}")
            if missing(row.estimate):
                aside(axes, y, "not estimable", FAINT)
                continue
            colour = COLOURS[i % len(COLOURS)]
            if not missing(row.ci_low):
                axes.plot([row.ci_low, row.ci_high], [y, y], "-", color=colour, linewidth=1.4)
            axes.plot(row.estimate, y, "o", color=colour, markersize=5)
            aside(axes, y, f"{count(row.n)}", FAINT)
        y += 1
    rows_axis(axes, words, ticks)
    for text in axes.get_yticklabels():
        text.set_fontweight("normal" if text.get_text().startswith(" ") else "bold")
    low = rows["ci_low"].fillna(rows["estimate"]).min()
    axes.set_xlim(min(0.0, 0.0 if missing(low) else low) - 0.02, 1.02)
    axes.grid(axis="x")
    axes.set_xlabel("0: as by chance, 1: always (right: faces)")


def description(results: Results) -> str:
    """Describe the figure: each coefficient with its interval."""

    def shown(row: object) -> str:
        return told(row.status) if missing(row.estimate) else coefficient(row)

    parts = [f"{row.attribute}, {raters_of(row)}: κ {shown(row)}" for row in pairs(results).itertuples()]
    for row in by_class(results).itertuples():
        parts.append(f"{row.attribute}, {'all faces' if row.among == WHOLE else row.among}: α {shown(row)}")
    return "Agreement of raters beyond chance. " + "; ".join(parts) + "."
