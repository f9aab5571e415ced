"""The taggers beside the model in the paper: whose gap is whose, and what is left at equal ambiguity."""

import pandas as pd

from fergap.paper.cells import any_few, estimate, find, heading, key_of, pair, whole_name
from fergap.paper.markdown import name, pipe, prose
from fergap.paper.numbers import MISSING, interval, missing, percent, points
from fergap.paper.reading import of_arms
from fergap.paper.results import Results

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
    return "\n\n".join(part for part in (how, " ".join(s for s in found if s), LIMITS) if part)
