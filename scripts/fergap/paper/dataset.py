"""The data set's own bias in the paper: a table of measures, and what they say."""

from fergap.paper.cells import heading
from fergap.paper.figures_shares import blocks, lines_of
from fergap.paper.markdown import name, pipe
from fergap.paper.numbers import count, fixed, interval, missing, p_value, percent
from fergap.paper.reading import related
from fergap.paper.results import Results

SHOWN = ("total_variation", "cramers_v", "uncertainty_coefficient")


def measured(results: Results) -> dict[tuple[str, str], dict]:
    """Return the rows of the corrected measures by attribute and what it is crossed with, then by metric."""
    table = results.table("dataset_bias")
    table = table[(table["form"] == "corrected") & table["with"].notna() & (table["status"] == "ok")]
    found: dict[tuple[str, str], dict] = {}
    for row in table.rename(columns={"with": "other"}).itertuples():
        found.setdefault((row.attribute, row.other), {})[row.metric] = row
    return found


def dataset_bias(results: Results) -> str:
    """Return how far labels and attributes depend on each other, with what independence would show."""
    cells = []
    for (attribute, other), rows in measured(results).items():
        variation, v, coefficient = (rows[metric] for metric in SHOWN)
        cells.append(
            [
                f"{name(attribute)} and {'class' if other == 'label' else name(other)}",
                count(variation.n),
                f"{percent(variation.estimate)} {interval(variation.ci_low, variation.ci_high)}",
                percent(variation.expected),
                f"{fixed(v.estimate, 3)} [{fixed(v.ci_low, 3)}, {fixed(v.ci_high, 3)}]",
                percent(coefficient.estimate, 2),
                p_value(variation.p_adjusted),
            ]
        )
    columns = [
        "",
        "faces",
        "total variation [CI]",
        "by chance",
        "Cramér’s V [CI]",
        "uncertainty coefficient",
        "p, Holm",
    ]
    return pipe(columns, cells, "lrrrrrr")


def published_measures(results: Results) -> str:
    """Return the published measures of how far the classes depend on each attribute, with what chance would give."""
    table = results.table("dataset_bias")
    table = table[(table["form"] == "published") & (table["with"] == "label") & (table["status"] == "ok")]
    metrics = list(dict.fromkeys(table["metric"]))
    cells = []
    for attribute, own in table.groupby("attribute", sort=False):
        rows = {row.metric: row for row in own.itertuples()}
        shown = (f"{fixed(100 * rows[m].estimate, 1)} ({fixed(100 * rows[m].expected, 1)})" for m in metrics)
        cells.append([name(attribute), *shown])
    return pipe(["classes by", *metrics], cells, "l" + "r" * len(metrics))


def together(results: Results) -> str:
    """Say which attributes depend on one another, of those that the study has."""
    shown, other = [], []
    for (attribute, beside), rows in measured(results).items():
        row = rows["cramers_v"]
        if beside == "label" or missing(row.p_adjusted):
            continue
        both = f"{name(attribute)} and {name(beside)}"
        size = results.cite(fixed(row.estimate, 2), "dataset_bias", row, "estimate")
        around = f"{fixed(row.ci_low, 2)} to {fixed(row.ci_high, 2)}"
        p = f"p {results.cite(related(row.p_adjusted), 'dataset_bias', row, 'p_adjusted')}"
        (shown if row.p_adjusted < results.alpha else other).append(f"{both} (Cramér’s V {size}, {around}; {p})")
    said = []
    if shown:
        all_of = "; ".join(shown)
        said.append(f"{all_of[:1].upper()}{all_of[1:]} depend on one another.")
    if other:
        said.append(f"That they depend on one another is not shown for {'; '.join(other)}.")
    return " ".join(said)


def found(results: Results) -> str:
    """Say of classes and attributes which depend on which."""
    return " ".join(filter(None, [classes_and_groups(results), together(results)]))


def classes_and_groups(results: Results) -> str:
    """Say for each attribute whether the classes depend on it, and by how much."""
    said = []
    for (attribute, other), rows in measured(results).items():
        row = rows["total_variation"]
        if other != "label" or missing(row.p_adjusted):
            continue

        def cite(text: str, column: str, row: object = row) -> str:
            return results.cite(text, "dataset_bias", row, column)

        size = f"{cite(percent(row.estimate), 'estimate')} {cite(interval(row.ci_low, row.ci_high), 'ci_low')}"
        chance = f"{cite(percent(row.expected), 'expected')} would come by chance"
        p = f"p {cite(related(row.p_adjusted), 'p_adjusted')}"
        if row.p_adjusted < results.alpha:
            said.append(
                f"The classes depend on {name(attribute)}: their shares differ by {size}, where {chance} ({p})."
            )
        else:
            said.append(f"That the classes depend on {name(attribute)} is not shown ({size}; {chance}; {p}).")
    return " ".join(said)


CROSSED = {1: "each attribute", 2: "every two attributes crossed", 3: "every three attributes crossed"}


def heat_map_caption(results: Results, depth: int) -> str:
    """Return a heat map's caption: what stands in its cells, and which groups are left out."""
    made, ci = blocks(results, depth), heading(results)
    inside = {
        1: "faces",
        2: f"faces and, in percent, the {ci} of their share of the group",
        3: f"faces, their share of the group and its {ci} in percent",
    }[lines_of(made)]
    left = " Smaller groups are left to `audit/dataset_shares.csv`." if any(b.left_out for b in made) else ""
    return (
        f"Classes by the groups of {CROSSED[depth]}. In the cells: {inside}; in bold where the {ci} of the share "
        f"leaves out the class's share of all faces.{left}"
    )
