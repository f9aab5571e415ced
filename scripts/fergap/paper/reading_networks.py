"""What the tables of arms against arms, of probabilities and of other intervals say in this study."""

import pandas as pd

from fergap.audit.validation import DEPENDENT, INDEPENDENT
from fergap.models.names import shape_of
from fergap.paper.cells import any_few, find, key_of, of_pair, pair, whole_name
from fergap.paper.markdown import name, prose
from fergap.paper.numbers import count, fixed, interval, missing, percent, points, with_interval
from fergap.paper.reading import of_arms, related, some
from fergap.paper.results import Results
from fergap.paper.tables_networks import protocol_means
from fergap.paper.tables_sensitivity import MATTERS, clustered_gaps


def networks(results: Results, arms: str) -> str:
    """Say which arm of a family is best, which cannot be told from it, and which of these needs the least work."""
    table, runs = results.table("ranking"), results.table("runs")
    rows = table[table["arms"] == arms]
    best = next(rows.itertuples())
    accuracy = results.cite(percent(best.estimate), "ranking", best, "estimate")
    n = results.cite(count(best.n), "ranking", best, "n")
    said = f"Of {count(len(rows))} arms on the same {n} faces, {name(best.arm)} is right most often ({accuracy})."
    close = rows[(rows["indistinguishable"] == 1) & (rows["arm"] != best.best)]
    if not len(close):
        return f"{said} Every other is distinguishable from it."
    number = results.cite(count(len(close)), "ranking", close.index, "indistinguishable")
    noun = "other is" if len(close) == 1 else "others are"
    said += f" {number} {noun} not distinguishable from it: {some([name(a) for a in close['arm']])}."
    cost = runs[runs["arm"].isin([best.arm, *close["arm"]])]
    if cost["flops"].nunique() > 1:
        least = next(cost.loc[[cost["flops"].idxmin()]].itertuples())
        most = next(cost.loc[[cost["flops"].idxmax()]].itertuples())
        work = results.cite(fixed(most.flops / least.flops, 1), "runs", (least.Index, most.Index), "flops")
        said += f" The least work of them is {name(least.arm)}'s; {name(most.arm)} needs {work} times as much."
    return said


def printed(results: Results, arms: str) -> bool:
    """Whether a family holds networks of the published study's family."""
    rows = results.table("ranking")
    return any(shape_of(arm) for arm in rows.loc[rows["arms"] == arms, "arm"])


def beyond_placebo(results: Results) -> str:
    """Say of each gap whether its change is shown to be more than the placebo's, with the numbers behind it."""
    table, parts = results.table("beyond_placebo"), []
    for row in table[table["attribute"].isin(results.plain)].itertuples():
        of = f"{pair(row)} from {prose(row.before)} to {prose(row.after)}"
        if missing(row.estimate) or any_few(row):
            parts.append(f"For {of}, it is not estimable.")
            continue
        change, placebo = (
            results.cite(points(getattr(row, c)), "beyond_placebo", row, c) for c in ("change", "change_placebo")
        )
        text = with_interval(row.estimate, row.ci_low, row.ci_high)
        beyond = results.cite(prose(text), "beyond_placebo", row, "estimate, ci_low, ci_high")
        p = results.cite(related(row.p_adjusted), "beyond_placebo", row, "p_adjusted")
        verdict = results.cite(prose(row.verdict), "beyond_placebo", row, "verdict")
        parts.append(
            f"The gap {of} changed by {change} points and under the placebo by {placebo}; the difference, {beyond} "
            f"(adjusted p {p}): {verdict}."
        )
    return " ".join(parts)


def placebo_summary(results: Results) -> str:
    """Say in one sentence for which gaps the change is shown to be more than the placebo's."""
    table = results.table("beyond_placebo")
    rows = table[table["attribute"].isin(results.plain) & (table["status"] == "ok")]
    if not len(rows):
        return ""
    shown, several = rows["verdict"] == "beyond the placebo", rows["contrast"].nunique() > 1

    if several:
        found = [f"{pair(row)} under {prose(row.after)}" for row in rows[shown].itertuples()]
        parts = [f"is shown for {some(found) if found else 'none'} of {count(len(rows))} changes"]
    else:
        parts = [
            f"{words} for {some([pair(row) for row in own.itertuples()])}"
            for words, own in (("is shown", rows[shown]), ("is not shown", rows[~shown]))
            if len(own)
        ]
    marked = results.cite(" and ".join(parts), "beyond_placebo", rows.index, "verdict")
    return f"A change beyond that of a placebo, the retrain without the intervention, {marked}."


def scores(results: Results) -> str:
    """Say which arms are over- or underconfident, and for which groups the calibration error exceeds chance."""
    table, parts = results.table("calibration_metrics"), []
    own = table[(table["primary"] == 1) & table["arm"].isin(results.headline)]
    whole = own[(own["attribute"] == "all") & (own["metric"] == "overconfidence") & own["ci_low"].notna()]
    for row in whole.itertuples():
        shown = with_interval(row.estimate, row.ci_low, row.ci_high)
        marked = results.cite(prose(shown), "calibration_metrics", row, "estimate, ci_low, ci_high")
        word = "overconfident" if row.ci_low > 0 else "underconfident" if row.ci_high < 0 else "not shown to be either"
        parts.append(f"{prose(row.arm)} is {word} ({marked} points)")
    said = f"Over all faces, {'; '.join(parts)}." if parts else ""
    groups = own[own["reference"].isna() & (own["metric"] == "ece") & own["attribute"].isin(results.plain)]
    tested = groups[groups["p_value"].notna()]
    beyond = [
        f"{whole_name(r.attribute, r.group)} under {prose(r.arm)} "
        f"(p {results.cite(related(r.p_value), 'calibration_metrics', r, 'p_value')})"
        for r in tested[tested["p_value"] < results.alpha].itertuples()
    ]
    if beyond:
        said += f" The calibration error is larger than in a calibrated model, unadjusted, for {some(beyond)}."
    elif len(tested):
        said += " For no group is the calibration error shown to be larger than in a calibrated model."
    gaps = own[own["reference"].notna() & (own["metric"] == "overconfidence") & own["attribute"].isin(results.plain)]
    shown = []
    for row in gaps[(gaps["ci_low"] > 0) | (gaps["ci_high"] < 0)].itertuples():
        text = with_interval(row.estimate, row.ci_low, row.ci_high)
        marked = results.cite(prose(text), "calibration_metrics", row, "estimate, ci_low, ci_high")
        shown.append(f"{pair(row)} under {prose(row.arm)} ({marked} points)")
    if shown:
        said += f" Overconfidence differs between the groups for {some(shown)}."
    elif len(gaps):
        said += " No gap in overconfidence is shown."
    return said.strip()


def effective(results: Results) -> str:
    """Say for how many gaps the clusters' interval holds zero otherwise than the primary one."""
    other = clustered_gaps(results)
    largest = other["design_effect"].max()
    if pd.isna(largest):
        return ""
    worst = results.cite(fixed(largest, 2), "gaps", int(other["design_effect"].idxmax()), "design_effect")
    if largest < MATTERS:
        return (
            f"Counting sets instead of faces hardly changes the intervals of the gaps (design effect {worst} at most)."
        )
    turned, primary = [], results.gaps()
    for row in other[other["status"] == "ok"].itertuples():
        first = find(primary, **key_of(row))
        if first is not None and (first.ci_low > 0 or first.ci_high < 0) != (row.ci_low > 0 or row.ci_high < 0):
            shown = results.cite(prose(interval(row.ci_low, row.ci_high)), "gaps", row, "ci_low, ci_high")
            turned.append(f"{pair(row)} under {prose(row.arm)} ({shown})")
    if turned:
        return f"With sets counted, the answer to whether the interval holds zero turns for {some(turned)}."
    return "With sets counted, the same intervals hold zero."


def validated(results: Results) -> str:
    """Say what each gap is, corrected by the validation sample, with and without errors that depend on the model."""
    table, parts = results.table("label_noise"), []
    for row in of_arms(results, results.gaps()).itertuples():
        own = of_pair(table, row)
        shown = []
        for scenario, words in ((INDEPENDENT, "if errors do not depend on the model"), (DEPENDENT, "if they may")):
            found = find(own, scenario=scenario)
            if found is not None and not missing(found.estimate):
                ends = "" if missing(found.ci_low) else f" {interval(found.ci_low, found.ci_high)}"
                marked = results.cite(prose(points(found.estimate) + ends), "label_noise", found, "estimate")
                shown.append(f"{marked} {words}")
        if shown and not any_few(row):
            label = results.cite(points(row.estimate), "gaps", row, "estimate")
            parts.append(f"{pair(row)} under {prose(row.arm)}, {label} points as labelled, is {' and '.join(shown)}")
    return f"Corrected by the validation sample, {'; '.join(parts)}." if parts else ""


def published_choice(results: Results) -> str:
    """Say what choosing the epoch on the reported faces would have added to each arm's accuracy."""
    parts = []
    for arm, ours, theirs, rows in protocol_means(results):
        if arm not in results.headline:
            continue
        flattered = results.cite(percent(theirs), "runs", rows, "published_protocol_accuracy")
        instead = "" if missing(ours) else f" instead of {percent(ours)}"
        parts.append(f"{flattered}{instead} for {prose(arm)}")
    return f"Chosen on the faces that are reported, the epoch would have given {some(parts)}." if parts else ""
