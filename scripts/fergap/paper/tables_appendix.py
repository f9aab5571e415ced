"""Tables of the appendix: families of tests, what could not be estimated, the certificate of the intervals."""

from fergap.paper.cells import pair, told
from fergap.paper.markdown import group as group_name
from fergap.paper.markdown import name, pipe
from fergap.paper.numbers import MISSING, count, level, p_value, percent
from fergap.paper.results import Results

PAIRS = "pairs of arms"
CONFIRMATORY = ("gap", "change of the gap", PAIRS)
MOST_PAIRS = 6  # those of four arms; of more, whose rows name no arm, the smallest p is told
METHODS = {
    "holm": "Holm",
    "bh": "Benjamini–Hochberg",
    "by": "Benjamini–Yekutieli",
    "westfall-young step-down max-T": "step-down max-T",
}
MOST_ROWS = 40
LONGEST = 32  # letters of a value in the list of values


def ledger(results: Results) -> str:
    """Return every family of tests: how many, how adjusted, and how many are below alpha before and after."""
    table, alpha, cells = results.table("multiplicity"), results.alpha, []
    for (family, method), rows in table.groupby(["family", "method"], sort=False):
        sizes = rows.groupby("m").size()
        families = sum(max(1, round(n / m)) for m, n in sizes.items())
        tests = [count(m) for m in (sizes.index.min(), sizes.index.max())]
        cells.append(
            [
                group_name(family.replace("_", " ")) + (" (confirmatory)" if family in CONFIRMATORY else ""),
                METHODS.get(method, name(method)),
                "–".join(dict.fromkeys(tests)),
                count(families),
                count((rows["p_value"] < alpha).sum()),
                count((rows["p_adjusted"] < alpha).sum()),
                p_value(rows["p_value"].min()),
                p_value(rows["p_adjusted"].min()),
            ]
        )
    text = f"{alpha:.3g}"
    columns = [
        "family",
        "adjusted by",
        "tests",
        "families",
        f"p < {text}",
        f"adjusted < {text}",
        "smallest p",
        "adjusted",
    ]
    return pipe(columns, cells, "llrrrrrr")


def confirmatory(results: Results) -> str:
    """Return every test of the confirmatory families, raw and adjusted; many pairs of arms by the smallest alone."""
    table, cells = results.table("multiplicity"), []
    table = table[table["family"].isin(CONFIRMATORY)]
    pairs = table[table["family"] == PAIRS]
    if len(pairs) > MOST_PAIRS:
        table = table.drop(pairs.index)
        least = [p_value(pairs[c].min()) for c in ("p_value", "p_adjusted")]
        rest = [[PAIRS, MISSING, f"all {count(len(pairs))}: smallest p", count(pairs["m"].iloc[0]), *least]]
    else:
        rest = []
    for row in table.itertuples():
        of = pair(row) if isinstance(row.group, str) else MISSING
        where = next((name(w) for w in (row.contrast, row.arm) if isinstance(w, str)), MISSING)
        cells.append([name(row.family), of, where, count(row.m), p_value(row.p_value), p_value(row.p_adjusted)])
    return pipe(["family", "gap", "arm or contrast", "tests", "p", "p, Holm"], [*cells, *rest], "lllrrr")


def not_estimable(results: Results) -> str:
    """Return what could not be estimated and why, one row per reason; beyond 40 rows the rest is counted."""
    table = results.table("not_estimable").fillna({"attribute": "", "group": "", "reference": "", "class": ""})
    table["reason"] = table["reason"].map(lambda r: told(r.removeprefix("not estimable: ")))
    grouped = table.groupby(["table", "attribute", "group", "reference", "reason"], sort=False)
    found = {}
    for (origin, _, group, reference, why), rows in grouped:
        labels = [c for c in dict.fromkeys(rows["class"]) if c]
        of = group_name(group) if not reference else pair(next(rows.itertuples()))
        classes = ", ".join(name(c) for c in labels) if len(labels) <= 3 else f"{count(len(labels))} classes"
        found.setdefault((name(origin.replace("_", " ")), classes, group_name(why)), []).append((of, len(rows)))
    cells = [
        [origin, ", ".join(of for of, _ in groups), classes, why, count(sum(n for _, n in groups))]
        for (origin, classes, why), groups in found.items()
    ]
    more = cells[MOST_ROWS:]
    if more:
        rest = sum(int(c[-1].replace(",", "")) for c in more)
        cells = [*cells[:MOST_ROWS], ["others", "", "", "see audit/not\\_estimable.csv", count(rest)]]
    return pipe(["table", "group", "class", "reason", "estimates"], cells, "llllr")


def calibration(results: Results) -> str:
    """Return how often the primary intervals hold the truth, over the scenarios of the certificate."""
    table, cells = results.table("calibration"), []
    rows = table[(table["primary"] == 1) & table["quantity"].str.startswith("coverage of ")]
    for (quantity, method), part in rows.groupby(["quantity", "method"], sort=False):
        cells.append(
            [
                quantity.removeprefix("coverage of "),
                INTERVALS.get(method, name(method)),
                level(part["nominal"].iloc[0]),
                count(len(part)),
                percent(part["estimate"].min()),
                percent(part["estimate"].max()),
            ]
        )
    return pipe(["interval of", "method", "nominal", "scenarios", "lowest", "highest"], cells, "llrrrr")


INTERVALS = {
    "wilson": "Wilson",
    "newcombe": "Newcombe",
    "clopper-pearson": "Clopper–Pearson",
    "bonett-price": "Bonett–Price",
    "bootstrap bca": "bootstrap, BCa",
    "welch, or mover where a cell is below 5": "Welch, or MOVER",
}


def false_verdicts(results: Results) -> str:
    """Return how often each verdict was given where it is wrong, at worst over the scenarios."""
    table, cells = results.table("calibration"), []
    rows = table[table["quantity"].str.startswith("rate of the verdict") & table["nominal"].notna()]
    for quantity, part in rows.groupby("quantity", sort=False):
        worst = part.loc[part["estimate"].idxmax()]
        cells.append(
            [
                quantity.removeprefix("rate of the verdict "),
                percent(worst["nominal"], 0),
                count(len(part)),
                percent(worst["estimate"]),
                name(worst["scenario"]),
            ]
        )
    return pipe(["wrong verdict", "at most", "scenarios", "worst rate", "there"], cells, "lrrrl")


def values(results: Results) -> str:
    """Return every value that the text has shown so far, with where it stands."""
    rows = results.sources.table()
    cells = [
        [
            name(r.id),
            name(r.value if len(r.value) <= LONGEST else r.value[:LONGEST].rstrip() + "…"),
            name(place(r)),
            r.line,
        ]
        for r in rows.itertuples()
    ]
    return pipe(["id", "value", "table and column", "line"], cells, "lllr")


def place(row: object) -> str:
    """Return a value's table and column, or its key of the configuration."""
    if row.rule == "configuration":
        return f"configuration: {row.column}"
    return f"{row.table}: {row.column}"
