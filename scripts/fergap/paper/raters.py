"""How far those agree who said who is in the pictures, in the paper."""

import pandas as pd

from fergap.paper.cells import reason
from fergap.paper.markdown import name, pipe, prose
from fergap.paper.numbers import MISSING, count, fixed, interval, missing, percent
from fergap.paper.reading import some
from fergap.paper.results import WHOLE, Results

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
    told = [f"Beyond chance {raters} agree by {some(parts)}, where one would be always and zero by chance."]
    return " ".join([*(told if parts else []), *disputes(results)])


def shares(results: Results, metric: str) -> list[tuple[object, str]]:
    """Return the rows of a metric that are above zero, each with its share as cited text."""
    table = results.table("agreement")
    rows = table[(table["metric"] == metric) & (table["estimate"] > 0)].itertuples()
    return [(row, results.cite(percent(row.estimate), "agreement", row, "estimate")) for row in rows]


def disputes(results: Results) -> list[str]:
    """Return sentences on faces whose answers differ, on adjudication, and on answers given beside a suggestion."""
    told = []
    if found := shares(results, "answers_differ"):
        parts = [f"{share} of {count(row.n)} faces on {prose(row.attribute)}" for row, share in found]
        told.append(f"Answers differ on {some(parts)}.")
    if found := shares(results, "adjudicated"):
        parts = [f"{share} of {count(row.n)} on {prose(row.attribute)}" for row, share in found]
        told.append(f"Of these, {some(parts)} were decided in a second round; its answers count.")
    if found := shares(results, "suggestion_shown"):
        parts = [f"{share} of the answers on {prose(row.attribute)}" for row, share in found]
        told.append(f"{some(parts)} were given with the study's guess in view, which draws them towards it.")
    return told
