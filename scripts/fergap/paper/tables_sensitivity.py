"""Tables of what the results stand on: near copies, wrong group labels, power, and what can be planned."""

import pandas as pd

from fergap.audit.effective_size import METHOD as EFFECTIVE
from fergap.audit.validation import DEPENDENT, INDEPENDENT
from fergap.paper.cells import any_few, estimate, faces, find, heading, key_of, of_pair, pair, reason, sizes
from fergap.paper.markdown import name, pipe, prose
from fergap.paper.numbers import MISSING, count, fixed, interval, missing, p_value, percent, points
from fergap.paper.results import Results

ANNOTATORS = ((0.9, 0.99), (0.9, 0.97), (0.7, 0.97))  # (sensitivity, specificity) of the grid that the table shows
MATTERS = 1.05  # design effect from which the clusters' intervals stand beside the primary ones
WITHIN, BEYOND = "tipping point: no longer within the margin", "tipping point: wholly beyond the margin"


def clusters(results: Results) -> str:
    """Return what faces that belong together cost the standard error of each gap."""
    rows, cells = results.table("clusters"), []
    for row in rows[(rows["quantity"] == "gap") & rows["arm"].isin(results.arms)].itertuples():
        cells.append(
            [
                pair(row),
                name(row.arm),
                faces(row.n),
                count(row.clusters),
                count(row.largest),
                fixed(100 * row.se_independent, 2),
                fixed(100 * row.se_clustered, 2),
                fixed(row.design_effect, 2),
            ]
        )
    columns = ["gap", "arm", "faces", "sets", "largest set", "SE", "SE, sets", "design effect"]
    return pipe(columns, cells, "llrrrrrr")


def clustered_gaps(results: Results) -> pd.DataFrame:
    """Return the rows of the gaps whose interval takes sets of faces as the unit."""
    table = results.table("gaps")
    rows = table[(table["method"] == EFFECTIVE) & (table["metric"] == "accuracy") & table["class"].isna()]
    return rows[rows["arm"].isin(results.arms)]


def effective(results: Results) -> str:
    """Return each gap's primary interval beside that with effective numbers of faces."""
    other, cells = clustered_gaps(results), []
    for row in results.gaps().itertuples():
        wide = find(other, **key_of(row))
        if wide is None or any_few(row):
            continue
        shown = interval(wide.ci_low, wide.ci_high) if wide.status == "ok" else reason(wide.status)
        note = name(wide.note) if isinstance(wide.note, str) else MISSING
        cells.append([pair(row), name(row.arm), sizes(row), estimate(row), fixed(wide.design_effect, 2), shown, note])
    if all(line[-1] == MISSING for line in cells):
        cells = [line[:-1] for line in cells]
    columns = ["gap", "arm", "faces", f"points [{heading(results)}]", "design effect", "sets as the unit", "note"]
    columns = columns[: len(cells[0])] if cells else columns
    return pipe(columns, cells, "llrrrrl"[: len(columns)])


def choices(results: Results) -> pd.DataFrame:
    """Return the rows of ``sensitivity`` on plain attributes and the arms shown in detail."""
    table = results.table("sensitivity")
    return table[table["arm"].isin(results.headline) & table["attribute"].isin(results.plain)]


def differing(results: Results) -> pd.DataFrame:
    """Return the rows of :func:`choices` whose verdict differs from that on all faces."""
    rows = choices(results)
    return rows[rows["verdict_differs"] == 1]


def resting(results: Results) -> list[str]:
    """Return the gaps, with their arms, whose verdict differs on another choice of faces."""
    return list(dict.fromkeys(f"{pair(row)} under {prose(row.arm)}" for row in differing(results).itertuples()))


def choice_name(row: object) -> str:
    """Return a choice of faces for a reader, such as ``confidence ≥ 0.8``."""
    return row.choice if missing(row.threshold) else f"confidence ≥ {row.threshold:g}"


def sensitivity(results: Results) -> str:
    """Return each gap and its verdict among all faces and other choices of them, in bold where the verdict differs."""
    cells = []
    for row in choices(results).itertuples():
        verdict = f"**{row.verdict}**" if row.verdict_differs == 1 else row.verdict
        cells.append(
            [pair(row), name(row.arm), choice_name(row), sizes(row), estimate(row), p_value(row.p_adjusted), verdict]
        )
    columns = ["gap", "arm", "choice", "faces", f"points [{heading(results)}]", "p adjusted", "verdict"]
    return pipe(columns, cells, "lllrrrl")


def validated(results: Results) -> str:
    """Return each gap as labelled and corrected by the validation sample, under two assumptions on the errors."""
    table, cells = results.table("label_noise"), []
    for row in results.gaps().itertuples():
        own = of_pair(table, row)
        free, tied = (find(own, scenario=s) for s in (INDEPENDENT, DEPENDENT))
        if free is None or any_few(row):
            continue
        sample = MISSING
        if free.validated_group == free.validated_group:
            sample = (
                f"{count(free.validated_group)}\N{NO-BREAK SPACE}/\N{NO-BREAK SPACE}{count(free.validated_reference)}"
            )
        right = [percent(v) for v in (free.ppv_group, free.ppv_reference)]
        shown = [estimate(r) if r is not None else MISSING for r in (free, tied)]
        cells.append([pair(row), name(row.arm), sample, *right, points(row.estimate), *shown])
    head = heading(results)
    columns = ["gap", "arm", "validated", "group's labels right", "reference's", "as labelled"]
    columns += [f"errors free of the model [{head}]", f"errors that may depend on it [{head}]"]
    return pipe(columns, cells, "llrrrrrr")


def tipping(row: object | None) -> str:
    """Return the sum of predictive values at which a conclusion turns."""
    if row is None:
        return MISSING
    return fixed(row.ppv_sum, 2) if row.status == "ok" else "none"


def label_noise(results: Results) -> str:
    """Return each gap corrected for three annotators of known error, and the errors at which a conclusion turns."""
    table, cells = results.table("label_noise"), []
    for row in results.gaps().itertuples():
        own = of_pair(table, row)
        grid, shown = own[own["scenario"] == "grid"], []
        for sensitivity, specificity in ANNOTATORS:
            found = find(grid, sensitivity=sensitivity, specificity=specificity)
            shown.append(points(found.estimate) if found and found.status == "ok" else MISSING)
        turns = [tipping(find(own, scenario=s)) for s in (WITHIN, BEYOND)]
        cells.append([pair(row), name(row.arm), sizes(row), points(row.estimate), *shown, *turns])
    annotators = [f"{fixed(100 * a, 0)} / {fixed(100 * b, 0)}" for a, b in ANNOTATORS]
    columns = ["gap", "arm", "faces", "as labelled", *annotators, "leaves margin", "beyond margin"]
    return pipe(columns, cells, "ll" + "r" * (len(columns) - 2))


def own_power(results: Results) -> pd.DataFrame:
    """Return the rows on power of the first arm, whose reference accuracy the planning takes."""
    table = results.table("power")
    return table[table["arm"] == results.headline[0]] if len(table) else table


def detectable(results: Results) -> str:
    """Return the smallest detectable gap of each pair, and the power at the declared margin."""
    table, margin, cells = own_power(results), results.margin, []
    for _, rows in table.groupby(["attribute", "group", "reference"], sort=False):
        first = next(rows.itertuples())
        smallest = rows[rows["question"] == "minimum detectable gap"].sort_values("comparisons")
        if first.status != "ok":
            cells.append([pair(first), sizes(first), reason(first.status), *[MISSING] * 3])
            continue
        near = rows[((rows["gap"] - margin).abs() < 1e-9) & (rows["method"] == "pooled z")]
        shows = find(near, question="power at gap")
        certifies = rows[((rows["margin"] - margin).abs() < 1e-9)]
        certifies = find(certifies, question="power to certify margin")
        cells.append(
            [
                pair(first),
                sizes(first),
                points(smallest["gap"].iloc[0], signed=False),
                points(smallest["gap"].iloc[-1], signed=False),
                percent(shows.power, 0) if shows else MISSING,
                percent(certifies.power, 0) if certifies else MISSING,
            ]
        )
    text = points(margin, signed=False)
    columns = ["gap", "faces", "detectable", "in one of all classes", f"power, gap of {text}", f"power, within ±{text}"]
    return pipe(columns, cells, "lrrrrr")


def needed(results: Results) -> str:
    """Return how many faces of group and reference show a gap of each size, or certify that there is none."""
    table, cells = own_power(results), []
    for _, rows in table.groupby(["attribute", "group", "reference"], sort=False):
        for shown, certified in planned(rows):
            first = shown or certified
            size = shown.gap if shown else certified.margin
            line = [sizes(r) if r and r.status == "ok" else MISSING for r in (shown, certified)]
            cells.append([pair(first), points(size, signed=False), *line])
    return pipe(["gap", "points", "faces to show it", "faces to certify less"], cells, "lrrr")


def planned(rows: pd.DataFrame) -> list[tuple[object | None, object | None]]:
    """Return for each planned size of a gap the row of showing it and that of certifying less."""
    show = rows[(rows["question"] == "faces needed for gap") & (rows["method"] == "pooled z")]
    certify = rows[rows["question"] == "faces needed to certify margin"]
    found = []
    for size in sorted({*show["gap"], *certify["margin"]}, reverse=True):
        found.append((find(show, gap=size), find(certify, margin=size)))
    return found
