"""Tables of the gaps: estimates, tests, sizes of effect, every two groups, replicates."""

import pandas as pd

from fergap.paper.cells import any_few, estimate, faces, find, heading, key_of, pair, ratio, sizes
from fergap.paper.markdown import name, pipe
from fergap.paper.numbers import MISSING, count, fixed, interval, missing, p_value, points
from fergap.paper.results import Results


def gaps(results: Results) -> str:
    """Return every gap with its interval, beside it the gap adjusted for class mix, and the verdict."""
    rows, adjusted, verdicts, cells = results.gaps(), results.adjusted_gaps(), results.verdicts(), []
    for row in rows.itertuples(index=False):
        key = key_of(row)
        other, said = find(adjusted, **key), find(verdicts[verdicts["contrast"].isna()], **key)
        n = sizes(row)
        cells.append(
            [
                pair(row),
                name(row.arm),
                n,
                estimate(row),
                estimate(other) if other and other.status == "ok" else MISSING,
                said.verdict if said else MISSING,
            ]
        )
    head = heading(results)
    columns = ["gap", "arm", "faces", f"points [{head}]", "adjusted for class mix", "verdict"]
    return pipe(columns, cells, "llrrrl")


def tests(results: Results) -> str:
    """Return the tests behind each verdict: p, adjusted p, equivalence, and what the sample could have shown."""
    verdicts, equivalence, cells = results.verdicts(), results.table("equivalence"), []
    for row in verdicts[verdicts["contrast"].isna()].itertuples(index=False):
        key = key_of(row)
        n = sizes(row)
        same = find(equivalence, **key)
        cells.append(
            [
                pair(row),
                name(row.arm),
                n,
                p_value(row.p_value),
                p_value(row.p_adjusted),
                p_value(same.p_value) if same else MISSING,
                points(row.smallest_margin, signed=False),
                points(row.minimum_detectable_gap, signed=False),
            ]
        )
    columns = ["gap", "arm", "faces", "p", "p adjusted", "p, equivalence", "smallest margin", "detectable gap"]
    return pipe(columns, cells, "llrrrrrr")


def replicates(results: Results) -> str:
    """Return how every gap spreads over the replicates: the seeds and repeats of the training."""
    table, cells = results.table("replicates"), []
    whole = table[table["fold"].isna() & table["gap"].notna() & table["arm"].isin(results.arms)]
    for (arm, *_), part in whole.groupby(["arm", "attribute", "group", "reference"], sort=False):
        first = next(part.itertuples(index=False))
        gap = part["gap"]
        cells.append(
            [
                pair(first),
                name(arm),
                sizes(first),
                count(len(gap)),
                points(gap.mean()),
                points(gap.min()),
                points(gap.max()),
                points(gap.std(ddof=1), signed=False),
            ]
        )
    columns = ["gap", "arm", "faces", "replicates", "mean", "lowest", "highest", "standard deviation"]
    return pipe(columns, cells, "llrrrrrr")


def effects(results: Results) -> str:
    """Return each gap as other sizes of effect: ratios of right and wrong answers, Cohen's h, extra misread faces."""
    table, cells = results.table("effects"), []
    for row in results.gaps().itertuples():
        key = key_of(row)
        shown = {e: find(table, effect=e, **key) for e in ("risk_ratio", "error_ratio", "cohen_h")}
        ratios = [ratio(shown[e]) for e in ("risk_ratio", "error_ratio")]
        h = shown["cohen_h"]
        extra = MISSING if missing(row.estimate) else fixed(-1000 * row.estimate, 0)
        cells.append([pair(row), name(row.arm), sizes(row), extra, *ratios, fixed(h.estimate, 2) if h else MISSING])
    head = heading(results)
    columns = [
        "gap",
        "arm",
        "faces",
        "extra misread per 1,000",
        f"ratio, right [{head}]",
        f"ratio, wrong [{head}]",
        "Cohen's h",
    ]
    return pipe(columns, cells, "llrrrrr")


def pairwise(results: Results, attribute: str, arm: str) -> str:
    """Return every two groups of an attribute with more than two: gap, interval, simultaneous interval, p."""
    rows, cells = results.table("pairwise"), []
    rows = rows[(rows["attribute"] == attribute) & (rows["arm"] == arm)]
    for row in rows.itertuples():
        wide = interval(row.simultaneous_low, row.simultaneous_high)
        cells.append([pair(row), sizes(row), estimate(row), wide, p_value(row.p_value), p_value(row.p_adjusted)])
    columns = ["gap", "faces", f"points [{heading(results)}]", "all pairs together", "p", "p, Holm"]
    return pipe(columns, cells, "lrrrrr")


def much_smaller(results: Results) -> pd.DataFrame:
    """Return the rows of macro F1 at equal sizes of the groups with at most half as many faces as their reference.

    Draws of nearly all faces of the reference are all alike, and tell nothing of chance.
    """
    rows = results.table("size_matched")
    rows = rows[(rows["metric"] == "f1") & (rows["status"] == "ok") & rows["arm"].isin(results.arms)]
    return rows[rows["n_group"] <= rows["n_reference"] / 2]


def size_matched(results: Results) -> str:
    """Return each group's macro F1 beside that of equally many faces drawn from its reference."""
    cells = []
    for row in much_smaller(results).itertuples():
        cells.append(
            [
                pair(row),
                name(row.arm),
                faces(row.n_group),
                fixed(100 * row.value_group, 1),
                f"{fixed(100 * row.matched_mean, 1)} {interval(row.range_low, row.range_high)}",
                points(row.gap),
                points(row.gap_matched),
            ]
        )
    columns = ["gap", "arm", "faces", "macro F1, %", "same size of reference", "gap", "gap, same size"]
    return pipe(columns, cells, "llrrrrr")


def optimism(results: Results) -> str:
    """Return each gap out of fold beside the gap that an audit of the training faces would have found."""
    table, cells = results.table("optimism"), []
    for row in results.gaps().itertuples():
        key = {"arm": row.arm, "attribute": row.attribute}
        group, reference = (find(table, group=g, **key) for g in (row.group, row.reference))
        if group is None or reference is None or any_few(row):
            continue
        flattered = points(group.in_sample - reference.in_sample)
        sides = [fixed(100 * side.in_sample, 1) for side in (group, reference)]
        cells.append([pair(row), name(row.arm), sizes(row), points(row.estimate), *sides, flattered])
    columns = [
        "gap",
        "arm",
        "faces",
        "out of fold",
        "group, training, %",
        "reference, training, %",
        "on training faces",
    ]
    return pipe(columns, cells, "llrrrrr")
