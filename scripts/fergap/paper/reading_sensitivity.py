"""What the other tables say in this study: fairness, models, labels, choices of faces, power, certificate."""

from fergap.audit.sensitivity import ALL
from fergap.paper.cells import any_few, find, key_of, of_pair, pair
from fergap.paper.markdown import listing, name, prose
from fergap.paper.numbers import count, fixed, missing, percent, points, with_interval
from fergap.paper.reading import of_arms, related, some, was
from fergap.paper.results import Results
from fergap.paper.tables_appendix import CONFIRMATORY
from fergap.paper.tables_fairness import SHOWN, metric_row
from fergap.paper.tables_sensitivity import ANNOTATORS, BEYOND, WITHIN, choices, differing, own_power, resting

CALLED = {"gap": "a gap"}


def fairness(results: Results, attribute: str) -> str:
    """Say which fairness metrics of an attribute exceed what chance gives, and what the four-fifths rule lets pass."""
    found, total = [], 0
    for metric, summary, title, _ in SHOWN:
        for arm in results.headline:
            row = metric_row(results, arm, attribute, metric, summary)
            if row is None or missing(row.p_adjusted):
                continue
            total += 1
            if row.p_adjusted < results.alpha:
                p = results.cite(related(row.p_adjusted), "fairness", row, "p_adjusted")
                found.append(f"{title.split(',')[0]} ({prose(arm)}, p {p})")
    if not total:
        return f"No fairness metric by {name(attribute)} could be estimated."
    beyond = "exceeds what chance gives, after adjustment"
    metrics = was(total, "metric", "metrics")
    said = f"what is found {beyond}, for {some(found)}." if found else f"of {metrics}, none {beyond}."
    said = said[:1].upper() + said[1:]
    allowed = metric_row(results, results.headline[0], attribute, "accuracy_gap_allowed", None)
    if allowed is not None and not missing(allowed.estimate):
        gap = results.cite(points(allowed.estimate, signed=False), "fairness", allowed, "estimate")
        said += (
            f" The four-fifths rule, applied to accuracy, would let a gap of {gap} points pass under "
            f"{prose(results.headline[0])}."
        )
    return said


def models_compared(results: Results) -> str:
    """Say how many faces pairs of the arms told in full disagree on, and for more than two arms whether any differ."""
    table, parts = results.table("models_compared"), []
    whole = find(table[table["arms"].str.split(", ").map(set(results.arms).issuperset)], test="cochran q")
    if whole is not None and not missing(whole.p_value) and len(results.arms) > 2:
        p = results.cite(related(whole.p_value), "models_compared", whole, "p_value")
        q = results.cite(fixed(whole.statistic, 1), "models_compared", whole, "statistic")
        parts.append(f"Cochran's Q over all arms is {q} (p {p}).")
    rows = table[(table["test"] == "mcnemar mid-p") & (table["status"] == "ok")]
    told = results.in_full
    for row in rows[rows["first"].isin(told) & rows["second"].isin(told)].head(3).itertuples():
        lost, gained = (results.cite(count(getattr(row, c)), "models_compared", row, c) for c in ("lost", "gained"))
        p = results.cite(related(row.p_adjusted), "models_compared", row, "p_adjusted")
        parts.append(
            f"From {prose(row.first)} to {prose(row.second)}, {lost} faces were lost and {gained} gained "
            f"(mid-p by Holm {p})."
        )
    return " ".join(parts)


def label_noise(results: Results) -> str:
    """Say what a poor annotator would have hidden, and where a conclusion turns."""
    table, parts = results.table("label_noise"), []
    sensitivity, specificity = ANNOTATORS[-1]
    for row in of_arms(results, results.gaps()).itertuples():
        if missing(row.estimate) or any_few(row):
            continue
        own = of_pair(table, row)
        grid = find(own[own["scenario"] == "grid"], sensitivity=sensitivity, specificity=specificity)
        if grid is not None and grid.status == "ok":
            shown = results.cite(points(grid.estimate), "label_noise", grid, "estimate")
            parts.append(f"{shown} points for {pair(row)} under {prose(row.arm)}")
    said = ""
    if parts:
        said = (
            f"With an annotator who finds {percent(sensitivity, 0)} of the group and leaves {percent(specificity, 0)} "
            f"of the others out of it, the gap behind what was seen would be {some(parts)}. "
        )
    turning = [
        (find(table, scenario=scenario, status="ok"), words)
        for scenario, words in ((WITHIN, "leave the margin"), (BEYOND, "lie wholly beyond the margin"))
    ]
    for row, words in turning:
        if row is not None:
            at = results.cite(fixed(row.ppv_sum, 2), "label_noise", row, "ppv_sum")
            said += f"The gap {pair(row)} under {prose(row.arm)} would {words} at a sum of predictive values of {at}. "
    return said.strip()


def kinds(results: Results) -> str:
    """Say which other choices of faces there are."""
    chosen = choices(results)
    chosen = chosen[chosen["choice"] != ALL]
    found = ["faces whose group the annotator was surer of"] if chosen["threshold"].notna().any() else []
    found += ["faces of which none repeats another"] if chosen["threshold"].isna().any() else []
    return " and among ".join(found)


def sensitivity(results: Results) -> str:
    """Say which verdicts differ among other choices of faces, and between what values each gap lies over them."""
    rows = choices(results)
    judged = rows[(rows["choice"] != ALL) & rows["verdict_differs"].notna()]
    if not len(judged):
        return "On no other choice of faces could a verdict be given."
    total = results.cite(count(len(judged)), "sensitivity", judged.index, "verdict_differs")
    parts = []
    for row in differing(results).itertuples():
        text = prose(with_interval(row.estimate, row.ci_low, row.ci_high))
        marked = results.cite(text, "sensitivity", row, "estimate, ci_low, ci_high")
        where = prose(row.choice) if missing(row.threshold) else f"at a confidence of at least {row.threshold:g}"
        called = CALLED.get(row.verdict, prose(row.verdict))
        parts.append(f"{pair(row)} under {prose(row.arm)} is {called} {where} ({marked} points)")
    noun = "verdict" if len(judged) == 1 else "verdicts"
    if parts:
        differ = "differs" if len(parts) == 1 else "differ"
        said = (
            f"Of {total} {noun} on other choices, {count(len(parts))} {differ} from that on all faces: {some(parts)}."
        )
    else:
        said = f"None of {total} {noun} on other choices differs from that on all faces."
    spread = []
    for _, own in rows[rows["estimate"].notna()].groupby(["arm", "attribute", "group", "reference"], sort=False):
        first = next(own.itertuples())
        low, high = (
            results.cite(points(own["estimate"].agg(f)), "sensitivity", own.index, "estimate") for f in ("min", "max")
        )
        spread.append(f"between {low} and {high} points for {pair(first)} under {prose(first.arm)}")
    return f"{said} Over all choices, the gap lies {some(spread)}."


def choices_summary(results: Results) -> str:
    """Say in one sentence whether the verdicts rest on the choice of faces."""
    rows = choices(results)
    judged = rows[(rows["choice"] != ALL) & rows["verdict_differs"].notna()]
    if not len(judged):
        return ""
    named = resting(results)
    found = "no verdict differs from that on all"
    if named:
        found = f"the verdict is not everywhere the same for {some(named)}"
    marked = results.cite(found, "sensitivity", judged.index, "verdict_differs")
    return f"Among {kinds(results)} (@sec-choices), {marked}."


def power(results: Results) -> str:
    """Say with what power a gap as large as the margin would have been shown, and less certified."""
    table, margin, parts = own_power(results), results.margin, []
    table = table[table["attribute"].isin(results.plain)]
    near = table[((table["gap"] - margin).abs() < 1e-9) & (table["method"] == "pooled z")]
    certify = table[((table["margin"] - margin).abs() < 1e-9) & (table["question"] == "power to certify margin")]
    for row in near[near["question"] == "power at gap"].itertuples():
        other = find(certify, **key_of(row))
        shows = results.cite(percent(row.power, 0), "power", row, "power")
        both = f" and {results.cite(percent(other.power, 0), 'power', other, 'power')}" if other else ""
        parts.append(f"{shows}{both} for {pair(row)}")
    if not parts:
        return "No power could be computed."
    return (
        "The power to show a gap as large as the margin, and to certify equivalence where there is no gap at all, is "
        f"{some(parts)}."
    )


def ledger(results: Results) -> str:
    """Say how many confirmatory tests there were and how many are below the level after adjustment."""
    table = results.table("multiplicity")
    table = table[table["method"] != "by"]  # the same tests once more, by another adjustment
    rows = table[table["family"].isin(CONFIRMATORY)]
    below = rows[rows["p_adjusted"] < results.alpha]
    total = results.cite(count(len(rows)), "multiplicity", rows.index, "p_value")
    left = results.cite(count(len(below)), "multiplicity", rows.index, "p_adjusted")
    other = results.cite(count(len(table) - len(rows)), "multiplicity", (), "p_value")
    noun = "test" if len(rows) == 1 else "tests"
    return (
        f"Of {total} confirmatory {noun}, {left} are below {fixed(results.alpha, 2)} after adjustment. Another "
        f"{other} tests are exploratory."
    )


def calibration(results: Results) -> str:
    """Say what the certificate found: coverage of the primary interval of a gap, and the worst wrong verdicts."""
    table = results.table("calibration")
    gap = table[(table["primary"] == 1) & (table["quantity"] == "coverage of the accuracy gap")]
    wrong = table[table["nominal"].notna()]
    parts = []
    for verdict in ("gap", "equivalent", "changed"):
        rows = wrong[wrong["quantity"] == f"rate of the verdict {verdict}"]
        if len(rows):
            worst = rows.loc[rows["estimate"].idxmax()]
            parts.append(
                f"*{verdict}* {results.cite(percent(worst['estimate']), 'calibration', worst.name, 'estimate')}"
            )
    low, high = (
        results.cite(percent(gap["estimate"].agg(f)), "calibration", gap.index, "estimate") for f in ("min", "max")
    )
    truths = count(gap["scenario"].nunique())
    return (
        f"Over {truths} known truths, the interval of an accuracy gap covered between {low} and {high}. The worst "
        f"rates of a wrong verdict were: {listing(parts)}."
    )
