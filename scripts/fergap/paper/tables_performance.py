"""Tables of accuracy and macro averages: of arms, folds and groups."""

import pandas as pd

from fergap.paper.cells import estimate, faces, find, heading, whole_name
from fergap.paper.markdown import name, pipe
from fergap.paper.numbers import MISSING, count, fixed
from fergap.paper.results import WHOLE, Results

MACRO = "macro_all"
TITLES = {"accuracy": "accuracy", "precision": "macro precision", "recall": "macro recall", "f1": "macro F1"}


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
                    [name(arm), whole_name(attribute, group), faces(row.n), estimate(row, signed=False), *shown]
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
