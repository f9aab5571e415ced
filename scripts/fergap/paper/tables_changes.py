"""Tables of before and after: each group, each gap, models side by side."""

from fergap.paper.cells import any_few, estimate, faces, find, heading, pair, sizes, whole_name
from fergap.paper.markdown import name, pipe
from fergap.paper.numbers import MISSING, count, fixed, interval, level, p_value, points
from fergap.paper.results import WHOLE, Results


def changes(results: Results) -> str:
    """Return how each group's accuracy changed in each contrast."""
    rows = results.table("changes")
    rows = results.in_order(rows[rows["primary"] == 1]).sort_values("contrast", kind="stable")
    several = rows["contrast"].drop_duplicates().size > 1
    cells = []
    for row in rows.itertuples(index=False):
        shown = count if row.attribute == WHOLE else faces
        before, after = ((row.n11 + row.n10) / row.n, (row.n11 + row.n01) / row.n) if row.n else (float("nan"),) * 2
        line = [
            whole_name(row.attribute, row.group),
            shown(row.n),
            *(MISSING if any_few(row) else fixed(100 * value, 1) for value in (before, after)),
            shown(row.n01),
            shown(row.n10),
            estimate(row),
            p_value(row.p_value),
        ]
        cells.append([name(row.contrast), *line] if several else line)
    head = heading(results)
    columns = ["group", "faces", "before, %", "after, %", "gained", "lost", f"change, points [{head}]", "p"]
    return pipe([*(["contrast"] if several else []), *columns], cells, ("l" if several else "") + "lrrrrrrr")


def gap_changes(results: Results) -> str:
    """Return how each gap changed in each contrast, with the verdict."""
    rows, verdicts = results.table("gap_changes"), results.verdicts()
    rows = rows[(rows["metric"] == "accuracy") & (rows["primary"] == 1)]
    several = rows["contrast"].drop_duplicates().size > 1
    cells = []
    for row in rows.itertuples(index=False):
        key = {"attribute": row.attribute, "group": row.group, "reference": row.reference, "contrast": row.contrast}
        said = find(verdicts, **key)
        n = sizes(said) if said else MISSING
        line = [
            pair(row),
            n,
            points(row.gap_before),
            points(row.gap_after),
            estimate(row),
            p_value(row.p_value),
            p_value(row.p_adjusted),
            said.verdict if said else MISSING,
        ]
        cells.append([name(row.contrast), *line] if several else line)
    head = heading(results)
    columns = ["gap", "faces", "before", "after", f"change [{head}]", "p", "p adjusted", "verdict"]
    return pipe([*(["contrast"] if several else []), *columns], cells, ("l" if several else "") + "lrrrrrrl")


def class_changes(results: Results) -> str:
    """Return how each gap in recall changed within each class; combinations are left to the audit's own table."""
    rows = results.table("gap_changes")
    rows = rows[(rows["metric"] == "recall") & rows["class"].notna() & rows["attribute"].isin(results.plain)]
    several = rows["contrast"].drop_duplicates().size > 1
    cells, last = [], None
    for row in rows.rename(columns={"class": "label"}).itertuples():
        of = (row.contrast, pair(row))
        few = any_few(row)
        line = [of[1] if of != last else "", name(row.label), sizes(row)]
        line += [MISSING] * 2 if few else [points(row.gap_before), points(row.gap_after)]
        line += [estimate(row), *([MISSING] * 2 if few else [p_value(row.p_value), p_value(row.p_adjusted)])]
        cells.append([name(row.contrast) if several and of != last else "", *line] if several else line)
        last = of
    columns = ["gap", "class", "faces", "before", "after", f"change [{heading(results)}]", "p", "p, Holm"]
    return pipe([*(["contrast"] if several else []), *columns], cells, ("l" if several else "") + "llrrrrrr")


def gap_change_methods(results: Results) -> str:
    """Return the change of each gap by other methods: studentized bootstrap, and within classes."""
    table, cells = results.table("gap_changes"), []
    table = table[table["metric"] == "accuracy"]
    for row in table[table["primary"] == 1].itertuples(index=False):
        key = {"contrast": row.contrast, "attribute": row.attribute, "group": row.group, "reference": row.reference}
        resampled = find(table, method="bootstrap studentized", **key)
        within = find(table, adjusted_for="class", **key)
        shown = interval(resampled.ci_low, resampled.ci_high) if resampled is not None else MISSING
        line = [pair(row), estimate(row), MISSING if any_few(row) else shown]
        line += [estimate(within), p_value(within.p_value)] if within is not None else [MISSING] * 2
        cells.append([name(row.contrast), *line])
    head = heading(results)
    columns = ["contrast", "gap", f"change [{head}]", "studentized bootstrap", f"within classes [{head}]", "p, within"]
    return pipe(columns, cells, "llrrrr")


def equivalence(results: Results) -> str:
    """Return for every contrast how small each gap is certified to be after it, with the test of the margin."""
    verdicts, equivalence, cells = results.verdicts(), results.table("equivalence"), []
    rows = verdicts[verdicts["contrast"].notna()]
    several = rows["contrast"].drop_duplicates().size > 1
    for row in rows.itertuples():
        key = {"attribute": row.attribute, "group": row.group, "reference": row.reference}
        same = find(equivalence, arm=row.after, **key)
        cells.append(
            [
                pair(row),
                *([name(row.contrast)] if several else []),
                sizes(row),
                points(row.gap_after),
                interval(same.ci_low, same.ci_high) if same else MISSING,
                p_value(same.p_value) if same else MISSING,
                points(row.smallest_margin, signed=False),
                points(row.minimum_detectable_gap, signed=False),
            ]
        )
    head = level(2 * results.confidence - 1)
    columns = ["gap", *(["contrast"] if several else []), "faces", "after", f"{head} CI"]
    columns += ["p, margin", "smallest margin", "detectable change"]
    return pipe(columns, cells, ("ll" if several else "l") + "rrrrrr")


def models_compared(results: Results) -> str:
    """Return every two arms compared face by face: faces lost and gained, and McNemar's mid-p, raw and by Holm."""
    rows = results.table("models_compared")
    rows = rows[(rows["test"] == "mcnemar mid-p") & rows["first"].isin(results.arms)]
    cells = [
        [
            f"{name(r.first)} to {name(r.second)}",
            count(r.n),
            count(r.lost),
            count(r.gained),
            points(r.estimate),
            p_value(r.p_value),
            p_value(r.p_adjusted),
        ]
        for r in rows.itertuples()
    ]
    return pipe(["arms", "faces", "lost", "gained", "change, points", "p", "p, Holm"], cells, "lrrrrrr")


def models_over_folds(results: Results) -> str:
    """Return every two arms compared fold by fold, by the t-test corrected for shared training faces."""
    rows = results.table("models_compared")
    rows, cells = rows[(rows["test"] == "nadeau-bengio t") & (rows["n"] > 1)], []
    for r in rows.itertuples():
        arms = f"{name(r.first)} to {name(r.second)}" if isinstance(r.first, str) else name(r.arms)
        cells.append([arms, count(r.n), estimate(r), fixed(r.statistic, 2), fixed(r.df, 0), p_value(r.p_value)])
    return pipe(["arms", "folds", f"change, points [{heading(results)}]", "t", "df", "p"], cells, "lrrrrr")


def mean_ranks(results: Results) -> str:
    """Return each arm's mean rank over the folds (one is best), which describes and tests nothing."""
    rows = results.table("models_compared")
    rows = rows[rows["test"] == "mean rank"].sort_values("estimate", kind="stable")
    cells = [[name(r.first), count(r.n), fixed(r.estimate, 2)] for r in rows.itertuples()]
    return pipe(["arm", "folds", "mean rank"], cells, "lrr")
