"""Tables of the probabilities: log-loss, Brier score, overconfidence and calibration error, and their gaps."""

from fergap.paper.cells import any_few, faces, find, heading, pair, whole_name
from fergap.paper.markdown import name, pipe
from fergap.paper.numbers import MISSING, fixed, missing, p_value
from fergap.paper.results import WHOLE, Results

MEANS = (("log_loss", "log-loss", 1, 3), ("brier", "Brier", 1, 3), ("overconfidence", "overconfidence", 100, 1))
OF = "\N{NO-BREAK SPACE}/\N{NO-BREAK SPACE}"


def scored(row: object | None, scale: float, decimals: int, signed: bool = False) -> str:
    """Return a score with its interval, ``scale`` times, or a dash."""
    if row is None or missing(row.estimate) or any_few(row):
        return MISSING
    text = fixed(scale * row.estimate, decimals)
    plus = "+" if signed and row.estimate > 0 and float(text) != 0 else ""
    if missing(row.ci_low) or missing(row.ci_high):
        return plus + text
    low, high = (fixed(scale * end, decimals) for end in (row.ci_low, row.ci_high))
    return f"{plus}{text} [{low},\N{NO-BREAK SPACE}{high}]"


def told(results: Results, gaps: bool) -> list[object]:
    """Return the rows of the calibration error of the arms shown in detail: of groups, or of gaps between them."""
    table = results.table("calibration_metrics")
    rows = table[(table["metric"] == "ece") & (table["primary"] == 1) & table["reference"].notna().eq(gaps)]
    rows = rows[rows["arm"].isin(results.headline) & rows["attribute"].isin([WHOLE, *results.plain])]
    return list(results.in_order(rows).itertuples())


def means(results: Results, row: object) -> list[str]:
    """Return the mean scores beside a row of the calibration error, with their intervals."""
    table = results.table("calibration_metrics")
    table, gap = table[table["primary"] == 1], isinstance(row.reference, str)
    table = table[table["reference"] == row.reference] if gap else table[table["reference"].isna()]
    key = {"arm": row.arm, "attribute": row.attribute, "group": row.group}
    return [
        scored(find(table, metric=metric, **key), scale, decimals, signed=gap or metric == "overconfidence")
        for metric, _, scale, decimals in MEANS
    ]


def scores(results: Results) -> str:
    """Return each group's log-loss, Brier score and overconfidence."""
    cells = [
        [whole_name(r.attribute, r.group), name(r.arm), faces(r.n), *means(results, r)] for r in told(results, False)
    ]
    columns = [f"{title} [{heading(results)}]" for _, title, *_ in MEANS]
    return pipe(["group", "arm", "faces", *columns], cells, "llrrrr")


def score_gaps(results: Results) -> str:
    """Return the gaps in the mean scores: the group's minus its reference's; above zero the group's are worse."""
    cells = [[pair(r), name(r.arm), sides(r), *means(results, r)] for r in told(results, True)]
    columns = [f"{title} [{heading(results)}]" for _, title, *_ in MEANS]
    return pipe(["gap", "arm", "faces", *columns], cells, "llrrrr")


def sides(row: object) -> str:
    """Return the faces of both groups of a gap."""
    return f"{faces(row.n)}{OF}{faces(row.n_reference)}"


def calibration_errors(results: Results) -> str:
    """Return each group's calibration error beside a calibrated model's, with its p, and below the gaps in it."""
    cells = []
    for row in told(results, False) + told(results, True):
        gap, few = isinstance(row.reference, str), any_few(row)
        of, n = (pair(row), sides(row)) if gap else (whole_name(row.attribute, row.group), faces(row.n))
        expected = MISSING if few else fixed(100 * row.expected_if_calibrated, 1)
        p = MISSING if few else p_value(row.p_value)
        cells.append([of, name(row.arm), n, scored(row, 100, 1, signed=gap), expected, p])
    columns = ["group or gap", "arm", "faces", f"error [{heading(results)}]", "if calibrated", "p"]
    return pipe(columns, cells, "llrrrr")
