"""The tables of the paper: each function takes a study's results and returns a Markdown pipe table."""

import pandas as pd

from fergap.paper import methods
from fergap.paper.markdown import group as group_name
from fergap.paper.markdown import name, pipe
from fergap.paper.numbers import MINUS, MISSING, count, fixed, interval, level, p_value, percent, points
from fergap.paper.results import WHOLE, Results

MACRO = "macro_all"
TITLES = {"accuracy": "accuracy", "precision": "macro precision", "recall": "macro recall", "f1": "macro F1"}


def whole_name(attribute: str, group: str) -> str:
    """Return a group's name for a reader: ``all faces`` for the group of all."""
    return "all faces" if attribute == WHOLE else group_name(group)


def pair(row: object) -> str:
    """Return a pair of groups as ``child − adult``."""
    return f"{group_name(row.group)}\N{NO-BREAK SPACE}{MINUS}\N{NO-BREAK SPACE}{group_name(row.reference)}"


def sizes(row: object) -> str:
    """Return the faces of a group and of its reference as ``187 / 1,313``."""
    return f"{count(row.n_group)}\N{NO-BREAK SPACE}/\N{NO-BREAK SPACE}{count(row.n_reference)}"


def heading(results: Results) -> str:
    """Return what a column of intervals is called, such as ``95 % CI``."""
    return f"{level(results.study['audit']['confidence'])}\N{NO-BREAK SPACE}CI"


def reason(status: str) -> str:
    """Return why something could not be estimated."""
    return name(status.removeprefix("not estimable: "))


def estimate(row: object, signed: bool = True, shown: str = "estimate") -> str:
    """Return a row's estimate and interval, in points or percent, or why there is no estimate."""
    value = getattr(row, shown)
    if pd.isna(value):
        return reason(row.status) if row.status != "ok" else MISSING
    text = points(value) if signed else fixed(100 * value, 1)
    return f"{text} {interval(row.ci_low, row.ci_high)}" if pd.notna(row.ci_low) else text


def find(table: pd.DataFrame, **values: object) -> object | None:
    """Return the first row of ``table`` with these values as a named tuple, or None."""
    for column, value in values.items():
        table = table[table[column] == value]
    return next(table.itertuples(index=False), None)


def dropped(results: Results) -> str:
    """Return what the cleaning removed: one row per reason that occurred, with the names of some of the pictures."""
    rows = results.table("dropped")
    rows = rows[rows["count"] > 0].fillna({"examples": ""})
    cells = [[name(r.reason), count(r.count_), name(r.examples)] for r in renamed(rows)]
    return pipe(["reason", "pictures", "among them"], cells, "lrl")


def renamed(rows: pd.DataFrame) -> list[object]:
    """Return named tuples in which ``count`` and ``class``, which tuples or Python reserve, end with an underscore."""
    return list(rows.rename(columns={"count": "count_", "class": "class_"}).itertuples(index=False))


def labels(results: Results, published: dict | None = None) -> str:
    """Return how many pictures matched and got each label, with the published study's count where there is one."""
    rows, printed = renamed(results.table("labels")), published["counts"]["classes"]["faces"] if published else {}
    cells = [
        [name(r.label), count(r.matched), count(r.assigned), *([count(printed.get(r.label))] if published else [])]
        for r in rows
    ]
    total = [count(sum(r.matched for r in rows)), count(sum(r.assigned for r in rows))]
    cells.append(["sum", *total, *([count(sum(printed.values()))] if published else [])])
    header = ["label", "rule holds", "labelled", *(["printed by the published study"] if published else [])]
    return pipe(header, cells, "lrrr" if published else "lrr")


def overlaps(results: Results) -> str:
    """Return the pairs of labels whose rules hold for the same pictures."""
    rows = renamed(results.table("overlaps"))
    return pipe(["label", "and", "pictures"], [[name(r.first), name(r.second), count(r.count_)] for r in rows], "llr")


def annotators(results: Results) -> str:
    """Return how many faces each annotator put into each group."""
    rows = renamed(results.table("annotators"))
    cells = [
        [name(r.attribute), name(r.group), "" if pd.isna(r.annotator) else name(r.annotator), count(r.n)] for r in rows
    ]
    return pipe(["attribute", "group", "annotator", "faces"], cells, "lllr")


def arms(results: Results) -> str:
    """Return the arms: network, size, and what the training part of a fold held."""
    cells, runs = [], results.table("runs")
    for arm in results.study["arms"]:
        own = runs[runs["arm"] == arm["name"]]
        network = (
            "predictions of somebody else's model" if arm.get("predictions") else name(arm.get("network", MISSING))
        )
        weights = count(own["parameters"].iloc[0]) if len(own) else MISSING
        own_recipe = [f"{key} {arm[key]}" for key in ("recipe", "epochs") if key in arm]
        cells.append([name(arm["name"]), network, weights, name("; ".join([methods.intervention(arm), *own_recipe]))])
    return pipe(["arm", "network", "weights", "intervention in the training part"], cells, "llrl")


def composition(results: Results) -> str:
    """Return the faces and rows of each group in the training part, mean over the folds."""
    rows = results.table("composition")
    rows = rows[rows["rows"] > 0]
    means = rows.groupby(["arm", "attribute", "group"], sort=False)[["faces", "rows"]].mean().reset_index()
    means["share"] = means["rows"] / means.groupby(["arm", "attribute"])["rows"].transform("sum")
    cells = [
        [name(r.arm), name(r.attribute), name(r.group), count(round(r.faces)), count(round(r.rows)), percent(r.share)]
        for r in means.itertuples(index=False)
    ]
    return pipe(["arm", "attribute", "group", "faces", "rows", "share of rows"], cells, "lllrrr")


def recipe(results: Results, settings: dict[str, str], published: dict | None = None) -> str:
    """Return the training settings, with the published study's beside them where there is one."""
    printed = methods.worded(published["recipe"] | published["augmentation"]) if published else {}
    cells = []
    for setting, value in settings.items():
        beside = [name(printed.get(setting, MISSING))] if published else []
        cells.append([name(setting.replace("_", " ")), name(value), *beside])
    return pipe(["setting", "value", *(["published study"] if published else [])], cells, "lrr" if published else "lr")


def accuracy(results: Results) -> str:
    """Return each arm's accuracy over all faces."""
    rows = results.accuracy()
    cells = []
    for arm in results.arms:
        row = find(rows, arm=arm, attribute=WHOLE)
        macro = macro_row(results, arm, WHOLE, WHOLE, "f1")
        if row:
            shown = estimate(macro, signed=False) if macro else MISSING
            cells.append([name(arm), count(row.n), estimate(row, signed=False), shown])
    head = heading(results)
    return pipe(["arm", "faces", f"accuracy, % [{head}]", f"macro F1, % [{head}]"], cells, "lrrr")


def macro_row(results: Results, arm: str, attribute: str, group: str, metric: str) -> object | None:
    """Return the row of a macro average over all classes."""
    table = results.table("group_metrics")
    table = table[table["average"] == MACRO]
    return find(table, arm=arm, attribute=attribute, group=group, metric=metric)


def fold_metrics(results: Results, arm: str, published: dict | None = None) -> str:
    """Return one arm's metrics per fold with mean and spread, and the published mean where there is one.

    The folds of the first replicate are listed one by one, each further replicate by its mean; the last
    rows hold the mean and the standard deviation over all folds.
    """
    table = results.table("fold_metrics")
    rows = table[table["arm"] == arm]
    wide = rows.pivot_table(index=["seed", "repeat", "fold"], columns="metric", values="estimate", sort=True)
    sizes = rows.groupby(["seed", "repeat", "fold"])["n"].first()
    metrics = [m for m in TITLES if m in wide.columns]
    cells = []
    for i, ((seed, repeat), part) in enumerate(wide.groupby(level=["seed", "repeat"])):
        if i == 0:
            cells += [
                [f"{key[2]}", count(sizes[key]), *(fixed(100 * part.loc[key, m], 1) for m in metrics)]
                for key in part.index
            ]
        else:
            label = f"seed {seed}, repeat {repeat}: mean"
            cells.append([label, count(sizes[part.index].sum()), *(fixed(100 * part[m].mean(), 1) for m in metrics)])
    cells.append(["**mean**", "", *(f"**{fixed(100 * wide[m].mean(), 1)}**" for m in metrics)])
    cells.append(["standard deviation", "", *(fixed(100 * wide[m].std(ddof=1), 1) for m in metrics)])
    if published:
        printed = pd.DataFrame(published["folds_macro"]["folds"])
        cells.append(["published study: mean", "", *(fixed(100 * printed[m].mean(), 1) for m in metrics)])
        cells.append(
            ["published study: standard deviation", "", *(fixed(100 * printed[m].std(ddof=1), 1) for m in metrics)]
        )
    return pipe(["fold", "faces", *(f"{TITLES[m]}, %" for m in metrics)], cells, "lr" + "r" * len(metrics))


def groups(results: Results) -> str:
    """Return each group's accuracy with its interval and its macro averages, per arm."""
    cells = []
    rows = results.accuracy()
    for arm in results.arms:
        for attribute in [WHOLE, *results.attributes]:
            for group in results.groups.get(attribute, [WHOLE]):
                row = find(rows, arm=arm, attribute=attribute, group=group)
                if not row:
                    continue
                macros = [macro_row(results, arm, attribute, group, m) for m in ("precision", "recall", "f1")]
                shown = [fixed(100 * r.estimate, 1) if r else MISSING for r in macros]
                cells.append(
                    [name(arm), whole_name(attribute, group), count(row.n), estimate(row, signed=False), *shown]
                )
    head = heading(results)
    columns = [
        "arm",
        "group",
        "faces",
        f"accuracy, % [{head}]",
        "macro precision, %",
        "macro recall, %",
        "macro F1, %",
    ]
    return pipe(columns, cells, "llrrrrr")


def printed_groups(results: Results, published: dict) -> str:
    """Return every group's metrics before and after the retrain, ours and the published study's."""
    (before, after), rows, cells = results.contrasts[0], results.accuracy(), []
    printed = {
        (w, r["attribute"], r["group"]): r for w in ("before", "after") for r in published[f"groups_{w}"]["groups"]
    }
    for attribute in results.plain:
        for group in results.groups[attribute]:
            for metric, title in TITLES.items():
                line = [name(group), title]
                for when, arm in (("before", before), ("after", after)):
                    if metric == "accuracy":
                        own = find(rows, arm=arm, attribute=attribute, group=group)
                    else:
                        own = macro_row(results, arm, attribute, group, metric)
                    theirs = printed.get((when, attribute, group), {})
                    theirs = theirs.get(metric if metric == "accuracy" else f"{metric}_macro")
                    line += [
                        fixed(100 * value, 1) if value is not None else MISSING
                        for value in (own.estimate if own else None, theirs)
                    ]
                cells.append(line)
    return pipe(["group", "metric, %", "before", "printed", "after", "printed"], cells, "llrrrr")


def gaps(results: Results) -> str:
    """Return every gap with its interval, beside it the gap adjusted for class mix, and the verdict."""
    rows, adjusted, verdicts, cells = results.gaps(), results.adjusted_gaps(), results.table("verdicts"), []
    for row in rows.itertuples(index=False):
        key = {"arm": row.arm, "attribute": row.attribute, "group": row.group, "reference": row.reference}
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
    verdicts, equivalence, cells = results.table("verdicts"), results.table("equivalence"), []
    for row in verdicts[verdicts["contrast"].isna()].itertuples(index=False):
        key = {"arm": row.arm, "attribute": row.attribute, "group": row.group, "reference": row.reference}
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
    whole = table[table["fold"].isna() & table["gap"].notna()]
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


def changes(results: Results) -> str:
    """Return how each group's accuracy changed in each contrast."""
    rows = results.table("changes")
    rows = results.in_order(rows[rows["primary"] == 1]).sort_values("contrast", kind="stable")
    several = rows["contrast"].drop_duplicates().size > 1
    cells = []
    for row in rows.itertuples(index=False):
        before, after = ((row.n11 + row.n10) / row.n, (row.n11 + row.n01) / row.n) if row.n else (float("nan"),) * 2
        line = [
            whole_name(row.attribute, row.group),
            count(row.n),
            fixed(100 * before, 1),
            fixed(100 * after, 1),
            count(row.n01),
            count(row.n10),
            estimate(row),
            p_value(row.p_value),
        ]
        cells.append([name(row.contrast), *line] if several else line)
    head = heading(results)
    columns = ["group", "faces", "before, %", "after, %", "gained", "lost", f"change, points [{head}]", "p"]
    return pipe([*(["contrast"] if several else []), *columns], cells, ("l" if several else "") + "lrrrrrrr")


def gap_changes(results: Results) -> str:
    """Return how each gap changed in each contrast, with the verdict."""
    rows, verdicts = results.table("gap_changes"), results.table("verdicts")
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


def checks(results: Results) -> str:
    """Return the checks of the input that ask for a look."""
    rows, cells = results.table("checks"), []
    for row in rows[rows["verdict"] != "ok"].itertuples(index=False):
        about = [name(part) for part in (row.arm, row.attribute, row.group) if not pd.isna(part)]
        cells.append([name(row.check), ", ".join(about), name(row.value)])
    return pipe(["check", "of", "found"], cells, "lll")


def planted(results: Results) -> str:
    """Return the settings of the drawing."""
    cells = [[PLANTED.get(k, name(k)), name(v)] for k, v in results.study["faces"]["drawn"].items()]
    return pipe(["setting", "value"], cells, "lr")


PLANTED = {
    "count": "pictures drawn",
    "children": "share of children",
    "female": "share of women and girls",
    "child_strength": "strength of a child's expression against an adult's",
    "child_style": "how far a child's expression has a manner of its own",
    "gender_strength": "strength of a woman's expression against a man's",
    "exact_duplicates": "share of exact copies",
    "near_duplicates": "share of near copies",
    "not_a_face": "share of pictures without a face",
    "no_votes": "share of pictures without votes",
}


def versions(results: Results) -> str:
    """Return the versions of the software that made the paper."""
    return pipe(
        ["software", "version"], [[name(k), name(v)] for k, v in results.study.get("versions", {}).items()], "ll"
    )
