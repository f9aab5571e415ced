"""What the gaps' tables say in this study: one paragraph each, every number from a row and marked with it."""

import pandas as pd

from fergap.paper.cells import any_few, find, key_of, pair, whole_name
from fergap.paper.markdown import group as group_name
from fergap.paper.markdown import listing, name, prose
from fergap.paper.numbers import count, fixed, missing, p_value, percent, points, with_interval
from fergap.paper.results import Results
from fergap.paper.tables_classes import MAX_T, largest_models
from fergap.paper.tables_gaps import much_smaller

MOST_NAMED = 6  # of a list in a sentence; the table holds the rest


def some(words: list[str]) -> str:
    """Return a list in words, cut where it gets long."""
    more = len(words) - MOST_NAMED
    return listing([*words[:MOST_NAMED], f"{count(more)} more"] if more > 1 else words)


def was(number: int, one: str, many: str) -> str:
    """Return the number and the noun in singular or plural."""
    return f"{count(number)} {one if number == 1 else many}"


def of_arms(results: Results, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the arms that the paper shows in detail and of attributes that are no combinations."""
    return rows[rows["arm"].isin(results.headline) & rows["attribute"].isin(results.plain)]


def effects(results: Results) -> str:
    """Say what each gap of the first arm means for a thousand faces."""
    rows = results.gaps()
    rows = rows[(rows["arm"] == results.headline[0]) & rows["attribute"].isin(results.plain)]
    parts = []
    for row in rows.itertuples():
        if missing(row.estimate) or any_few(row):
            continue
        number = abs(round(1000 * row.estimate))
        word = "more" if row.estimate < 0 else "fewer"
        shown = results.cite(count(number), "gaps", row, "estimate")
        if number == 0:
            parts.append(f"as many {group_name(row.group)} as {group_name(row.reference)} faces")
        else:
            parts.append(f"{shown} {word} {group_name(row.group)} than {group_name(row.reference)} faces")
    if not parts:
        return ""
    return f"Of a thousand faces of each group, {prose(results.headline[0])} misreads {listing(parts)}."


def adjusted(results: Results) -> str:
    """Say how much of each gap the classes make, and where adjusting for them turns the gap."""
    parts, table = [], results.table("decomposition")
    for row in of_arms(results, results.adjusted_gaps()).itertuples():
        expected = find(table, component="expected_from_mix", **key_of(row))
        if missing(row.estimate) or expected is None or any_few(row):
            continue
        mix = results.cite(points(expected.estimate), "decomposition", expected, "estimate")
        within = results.cite(points(row.estimate), "gaps", row, "estimate")
        parts.append(f"{mix} points of {pair(row)} under {prose(row.arm)} ({within} within classes)")
    said = f"The mix of classes alone would make {listing(parts)}." if parts else ""
    verdicts = results.verdicts()
    within = int((verdicts["simpson_reading"] == "within error").sum())
    if within:
        of = "a gap" if within == 1 else f"{count(within)} gaps"
        marked = results.cite(of, "verdicts", verdicts.index[verdicts["simpson_reading"] == "within error"], "simpson")
        said += f" For {marked} the rule of the paradox holds within error, where neither estimate has a sign to turn."
    turned = verdicts[verdicts["simpson_reading"].isin(["reversed", "shifted"])]
    if len(turned):
        of = [f"{pair(r)} under {prose(r.arm)}" for r in turned.itertuples()]
        rows = results.cite(count(len(of)), "verdicts", turned.index, "simpson")
        noun = "gap" if len(of) == 1 else "gaps"
        return f"{said} Adjusting for the classes turns or moves by more than half {rows} {noun}: {some(of)}."
    return f"{said} No gap is shown to be turned, or moved by more than half of it, by adjusting for the classes."


def class_gaps(results: Results) -> str:
    """Say within which classes a gap remains after the correction for many tests."""
    table = results.table("multiplicity")
    rows = of_arms(results, table[(table["family"] == MAX_T) & table["class"].notna()])
    found = rows[rows["p_adjusted"] < results.alpha].rename(columns={"class": "label"})
    gaps, parts = results.class_gaps(), []
    for row in found.itertuples():
        gap = find(gaps, **key_of(row), **{"class": row.label})
        if gap is not None and not missing(gap.estimate):
            shown = results.cite(points(gap.estimate), "gaps", gap, "estimate")
            parts.append(f"{name(row.label)} ({pair(row)}, {prose(row.arm)}, {shown})")
    total = results.cite(count(len(rows)), "multiplicity", rows.index, "p_adjusted")
    noun = "gap" if len(rows) == 1 else "gaps"
    if not len(rows):
        return "No gap within a class could be tested."
    if not parts:
        return f"Of {total} {noun} within single classes, none is shown after the correction for many tests."
    shown = "is shown" if len(parts) == 1 else "are shown"
    number = f"{count(len(parts))} {shown} after the correction for many tests"
    return f"Of {total} {noun} within single classes, {number}: {some(parts)}."


def class_changes(results: Results) -> str:
    """Say within which classes a gap is shown to have changed, after the correction for many tests."""
    table = results.table("gap_changes")
    rows = table[(table["metric"] == "recall") & table["class"].notna() & table["attribute"].isin(results.plain)]
    tested = rows[rows["p_adjusted"].notna()]
    if not len(tested):
        return "No change within a class could be tested."
    total = results.cite(was(len(tested), "change", "changes"), "gap_changes", tested.index, "p_adjusted")
    parts = []
    for row in tested[tested["p_adjusted"] < results.alpha].rename(columns={"class": "label"}).itertuples():
        text = with_interval(row.estimate, row.ci_low, row.ci_high)
        marked = results.cite(prose(text), "gap_changes", row, "estimate, ci_low, ci_high")
        parts.append(f"{name(row.label)} ({pair(row)}, {prose(row.contrast)}, {marked})")
    if not parts:
        return f"Of {total} within single classes, none is shown."
    shown = "is shown" if len(parts) == 1 else "are shown"
    return f"Of {total} within single classes, {count(len(parts))} {shown}: {some(parts)}."


def models(results: Results) -> str:
    """Say each group's effect with the rest held fixed, which interactions are shown, and where answers separate."""
    table, parts = results.table("models"), []
    table = table[table["arm"].isin(results.headline) & (table["covariance"] == "model")]
    effects = table[table["model"].isin(largest_models(results)) & (table["quantity"] == "average marginal effect")]
    for row in effects[effects["status"] == "ok"].itertuples():
        text = with_interval(row.estimate, row.ci_low, row.ci_high)
        parts.append(f"{name(row.term)} under {prose(row.arm)} {results.cite(text, 'models', row, 'estimate')}")
    said = f"Average marginal effects, in points: {'; '.join(parts)}." if parts else ""
    joint = table[(table["quantity"] == "likelihood ratio") & table["term"].str.contains("×")]
    joint = joint.drop_duplicates(["arm", "term"], keep="last")
    shown = joint[joint["p_value"] < results.alpha]
    if len(shown):
        pairs = [
            f"{name(r.term)} ({prose(r.arm)}, p {results.cite(related(r.p_value), 'models', r, 'p_value')})"
            for r in shown.itertuples()
        ]
        said += f" Acting together is shown, unadjusted, for {some(pairs)}."
    elif len(joint):
        said += " No interaction is shown."
    if (table["status"] == "not estimable: separation").any():
        said += (
            " Where a group's answers are all alike, the coefficients run off to infinity and are not printed; the "
            "likelihood-ratio tests hold."
        )
    return said.strip()


def related(p: float) -> str:
    """Return a p-value after its letter: ``= 0.037`` or ``< 0.001``."""
    text = p_value(p)
    return text if text[0] in "<>" else f"=\N{NO-BREAK SPACE}{text}"


def many_groups(results: Results, attribute: str) -> str:
    """Say whether the groups of an attribute with more than two differ, and how far their range exceeds chance."""
    arm = results.headline[0]
    keys = {"arm": arm, "attribute": attribute}
    test = find(results.table("tests"), test="chi-square of all groups", **keys)
    size = find(results.table("effects"), effect="cramers_v", **keys)
    spread = find(results.table("fairness"), metric="accuracy_difference", **keys)
    parts = []
    if test is not None and not missing(test.p_value):
        chi = results.cite(fixed(test.statistic, 1), "tests", test, "statistic")
        p, v = results.cite(related(test.p_value), "tests", test, "p_value"), ""
        if size is not None and not missing(size.estimate):
            v = f", Cramér's V {results.cite(fixed(size.estimate, 3), 'effects', size, 'estimate')}"
        parts.append(f"All together, χ² is {chi} on {fixed(test.df, 0)} degrees of freedom (p {p}{v}).")
    if spread is not None and not missing(spread.estimate):
        found, chance = (
            results.cite(points(getattr(spread, c), signed=False), "fairness", spread, c)
            for c in ("estimate", "expected_without_gap")
        )
        p = results.cite(related(spread.p_value), "fairness", spread, "p_value")
        parts.append(f"The best and the worst are {found} points apart, where chance alone gives {chance} (p {p}).")
    return " ".join(parts)


def combinations(results: Results) -> str:
    """Say which combination of groups is recognised best and which least, under the first arm."""
    rows = results.accuracy()
    rows = rows[(rows["arm"] == results.headline[0]) & rows["attribute"].str.contains("*", regex=False)]
    rows = rows[rows["n"] >= results.study["audit"]["minimum_faces"]]
    if len(rows) < 2:
        return ""
    least, best = (rows.loc[getattr(rows["estimate"], of)()] for of in ("idxmin", "idxmax"))
    words = [
        f"{whole_name(r['attribute'], r['group'])} "
        f"({results.cite(percent(r['estimate']), 'group_metrics', r.name, 'estimate')})"
        for r in (best, least)
    ]
    return f"Under {prose(results.headline[0])}, {words[0]} are recognised most often and {words[1]} least."


def size_matched(results: Results) -> str:
    """Say how much of each gap in macro F1 is size alone."""
    parts = []
    for row in of_arms(results, much_smaller(results)).itertuples():
        size = results.cite(points(row.gap - row.gap_matched), "size_matched", row, "gap, gap_matched")
        whole = results.cite(points(row.gap), "size_matched", row, "gap")
        parts.append(f"{size} of {whole} points for {pair(row)} under {prose(row.arm)}")
    if not parts:
        return ""
    return f"Size alone makes {'; '.join(parts)}."


def clusters(results: Results) -> str:
    """Say by how much faces that belong together widen the standard error of the gaps, at most."""
    table = results.table("clusters")
    rows = table[(table["quantity"] == "gap") & table["design_effect"].notna() & table["arm"].isin(results.arms)]
    if not len(rows):
        return ""
    worst = next(rows.loc[[rows["design_effect"].idxmax()]].itertuples())
    more = fixed(100 * (worst.design_effect**0.5 - 1), 0)
    effect = results.cite(fixed(worst.design_effect, 2), "clusters", worst, "design_effect")
    grown = results.cite(f"{more}\N{NO-BREAK SPACE}%", "clusters", worst, "se_clustered, se_independent")
    return (
        f"The largest design effect is {effect} ({pair(worst)} under {prose(worst.arm)}): with sets counted as one "
        f"draw, the standard error of that gap differs by {grown}."
    )


def trained_gap(results: Results, row: object) -> str | None:
    """Return the gap on training faces of an arm's pair of groups, marked, or None."""
    table = results.table("optimism")
    sides = [find(table, arm=row.arm, attribute=row.attribute, group=g) for g in (row.group, row.reference)]
    if any(side is None or missing(side.in_sample) for side in sides):
        return None
    gap = sides[0].in_sample - sides[1].in_sample
    return results.cite(points(gap), "optimism", [s.Index for s in sides], "in_sample")


def optimism(results: Results) -> str:
    """Say each gap out of fold and on training faces."""
    parts = []
    for row in of_arms(results, results.gaps()).itertuples():
        flattered = trained_gap(results, row)
        if flattered and not missing(row.estimate) and not any_few(row):
            out = results.cite(points(row.estimate), "gaps", row, "estimate")
            parts.append(f"{flattered} instead of {out} points for {pair(row)} under {prose(row.arm)}")
    return f"It would have found {'; '.join(parts)}." if parts else ""


def protocol(results: Results) -> str:
    """Say what the gaps before and after would have looked like on training faces, beside the verdicts out of fold."""
    table, parts = results.verdicts(), []
    for row in table[table["contrast"].notna() & table["attribute"].isin(results.plain)].itertuples():
        before, after = (trained_gap(results, row._replace(arm=arm)) for arm in (row.before, row.after))
        if before and after:
            verdict = results.cite(prose(row.verdict), "verdicts", row, "verdict")
            printed = f"For {pair(row)} it would have printed {before} points before and {after} after"
            parts.append(f"{printed}; out of fold: {verdict}")
    return ". ".join(parts) + "." if parts else ""
