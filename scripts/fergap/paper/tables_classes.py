"""Tables of gaps within classes and of attributes together: adjusted gaps, decomposition, models."""

from fergap.audit.multiplicity import FAMILY as MAX_T
from fergap.paper.cells import any_few, estimate, faces, find, heading, key_of, pair, ratio, reason, sizes
from fergap.paper.markdown import name, pipe
from fergap.paper.numbers import MISSING, fixed, interval, p_value, points
from fergap.paper.results import Results


def adjusted(results: Results) -> str:
    """Return each crude gap beside the gap that class mix alone makes and the gap within classes."""
    parts, within, verdicts = results.table("decomposition"), results.adjusted_gaps(), results.verdicts()
    cells = []
    verdicts = verdicts[verdicts["contrast"].isna()]
    for row in results.gaps().itertuples():
        key = key_of(row)
        expected = find(parts, component="expected_from_mix", **key)
        said = find(verdicts, **key)
        other = find(within, **key)
        cells.append(
            [
                pair(row),
                name(row.arm),
                sizes(row),
                points(row.estimate),
                points(expected.estimate) if expected else MISSING,
                estimate(other) if other else MISSING,
                MISSING if said is None or not isinstance(said.simpson_reading, str) else said.simpson_reading,
            ]
        )
    head = heading(results)
    columns = ["gap", "arm", "faces", "crude", "from class mix", f"within classes [{head}]", "paradox"]
    return pipe(columns, cells, "llrrrrl")


def adjusted_tests(results: Results) -> str:
    """Return the odds ratio within classes, the tests that hold class fixed, and whether the classes agree."""
    tests, effects, cells = results.table("tests"), results.table("effects"), []
    tests = tests[tests["class"].isna()]
    for row in results.gaps().itertuples():
        key = key_of(row)
        found = [find(tests, test=t, **key) for t in ("cmh", "class-stratified exact", "breslow-day, tarone")]
        common = find(effects, effect="adjusted_odds_ratio", **key)
        shown = [p_value(t.p_value) if t else MISSING for t in found]
        cells.append([pair(row), name(row.arm), sizes(row), ratio(common), *shown])
    columns = ["gap", "arm", "faces", f"odds ratio [{heading(results)}]", "p, CMH", "p, exact", "p, Breslow–Day"]
    return pipe(columns, cells, "llrrrrr")


def decomposition(results: Results) -> str:
    """Return Kitagawa's parts of each gap: what the classes' shares make, and what accuracy within classes makes."""
    table, cells = results.table("decomposition"), []
    whole = table[table["class"].isna()]
    for row in results.gaps().itertuples():
        parts = [find(whole, component=c, **key_of(row)) for c in ("crude", "mix", "within_class")]
        shown = [estimate(p) if p and not any_few(row) else MISSING for p in parts]
        cells.append([pair(row), name(row.arm), sizes(row), *shown])
    head = heading(results)
    columns = [f"{part} [{head}]" for part in ("crude", "by class mix", "within classes")]
    return pipe(["gap", "arm", "faces", *columns], cells, "llrrrr")


def class_gaps(results: Results, arm: str) -> str:
    """Return one arm's gap in recall within each class, raw and adjusted p, and its part of the gap.

    Combinations of attributes are left to the audit's own table.
    """
    gaps, tests = results.class_gaps(), results.table("tests")
    ledger, parts, cells = results.table("multiplicity"), results.table("decomposition"), []
    ledger = ledger[ledger["family"] == MAX_T]
    parts = parts[parts["component"] == "within_class"]
    shown = gaps[(gaps["arm"] == arm) & gaps["attribute"].isin(results.plain)]
    for row in shown.rename(columns={"class": "label"}).itertuples():
        key = key_of(row) | {"class": row.label}
        test, corrected, part = find(tests, **key), find(ledger, **key), find(parts, **key)
        cells.append(
            [
                pair(row),
                name(row.label),
                sizes(row),
                estimate(row),
                p_value(test.p_value) if test else MISSING,
                p_value(corrected.p_adjusted) if corrected else MISSING,
                points(part.estimate) if part else MISSING,
            ]
        )
    columns = ["gap", "class", "faces", f"points [{heading(results)}]", "p", "p, max-T", "part of the gap"]
    return pipe(columns, cells, "llrrrrr")


def largest_models(results: Results) -> list[str]:
    """Return the formulas of the models of most attributes without an interaction."""
    formulas = list(dict.fromkeys(results.table("models")["model"]))
    plain = [f for f in formulas if ":" not in f]
    most = max((f.count("+") for f in plain), default=0)
    return [f for f in plain if f.count("+") == most]


def models(results: Results) -> str:
    """Return each group's odds ratio and average marginal effect, the other attribute and the class held fixed."""
    table, cells = results.table("models"), []
    sets = table[table["covariance"] == "cluster"]
    for formula in largest_models(results):
        own = table[(table["model"] == formula) & (table["covariance"] == "model")]
        for arm in results.arms:
            part = own[own["arm"] == arm]
            for term in dict.fromkeys(part.loc[part["quantity"] == "average marginal effect", "term"]):
                attribute = term.split(":")[0]
                odds, effect = (find(part, term=term, quantity=q) for q in ("odds ratio", "average marginal effect"))
                test = find(part, term=attribute, quantity="likelihood ratio")
                p = p_value(test.p_value) if test else MISSING
                group = find(results.accuracy(), arm=arm, attribute=attribute, group=term.split(": ", 1)[1])
                n, shown = (faces(group.n) if group else MISSING), (estimate(effect) if effect else MISSING)
                line = [name(term), name(arm), n, ratio(odds), shown, p]
                if len(sets):
                    kept = sets[(sets["model"] == formula) & (sets["arm"] == arm)]
                    wide = find(kept, term=term, quantity="average marginal effect")
                    wald = find(kept, term=attribute, quantity="wald chi-square")
                    line.append(interval(wide.ci_low, wide.ci_high) if wide else MISSING)
                    line.append(p_value(wald.p_value) if wald else MISSING)
                cells.append(line)
    head = heading(results)
    columns = ["group", "arm", "faces", f"odds ratio [{head}]", f"effect, points [{head}]", "p"]
    columns += [f"effect, sets [{head}]", "p, sets"] if len(sets) else []
    return pipe(columns, cells, "ll" + "r" * (len(columns) - 2))


def interactions(results: Results) -> str:
    """Return the tests of whether attributes and classes act together."""
    table, cells = results.table("models"), []
    most = max((f.count(" + ") for f in largest_models(results)), default=0)
    rows = table[(table["quantity"] == "likelihood ratio") & table["term"].str.contains("×")]
    rows = rows[(rows["model"].str.count(" \\+ ") == most + 1) & rows["arm"].isin(results.arms)]
    for row in rows.itertuples():
        shown = [fixed(row.statistic, 2), fixed(row.df, 0), p_value(row.p_value)]
        if row.status != "ok":
            shown = [MISSING, MISSING, reason(row.status)]
        cells.append([name(row.term), name(row.arm), *shown])
    return pipe(["together", "arm", "χ²", "df", "p"], cells, "llrrr")
