"""Alternative text: what each figure shows, in words, from the tables that the figure is drawn from."""

import pandas as pd

from fergap.paper.figures import class_shares
from fergap.paper.numbers import MINUS, count, interval, percent, points
from fergap.paper.results import WHOLE, Results


def group_of(row: object) -> str:
    """Return a row's group, or ``all faces``."""
    return "all faces" if row.attribute == WHOLE else row.group


def classes_by_group(results: Results) -> str:
    """Describe the bars of classes by group."""
    parts = []
    for attribute in results.plain:
        shares = class_shares(results, attribute)
        for group in results.groups[attribute]:
            own = shares[shares["group"] == group]
            inside = ", ".join(
                f"{r[1]} {count(r[2])}" for r in own[["group", "class", "count"]].itertuples(index=False, name=None)
            )
            parts.append(f"{group}: {inside}")
    return "Bar charts of the classes within each group, in faces. " + "; ".join(parts) + "."


def confusion_matrices(results: Results) -> str:
    """Describe the confusion matrices by the most frequent confusion of each arm."""
    table, parts = results.confusion(), []
    for arm in results.arms:
        own = table[table["arm"] == arm]
        wrong = own[own["true"] != own["predicted"]]
        if len(own) and wrong["count"].sum():
            top = wrong.loc[wrong["count"].idxmax()]
            right = own.loc[own["true"] == own["predicted"], "count"].sum()
            parts.append(
                f"{arm}: {percent(right / own['count'].sum())} on the diagonal; most often {top['true']} is taken "
                f"for "
                f"{top['predicted']} ({count(top['count'])} faces)"
            )
    return "Confusion matrices, one per arm. " + "; ".join(parts) + "."


def learning_curves(results: Results) -> str:
    """Describe the learning curves by their ends and the chosen epochs."""
    history, parts = results.table("history"), []
    for arm in results.arms:
        own = history[history["arm"] == arm]
        if len(own):
            last, chosen = own[own["epoch"] == own["epoch"].max()], own.loc[own["chosen"] == 1, "epoch"]
            parts.append(
                f"{arm}: at epoch {own['epoch'].max()} mean training accuracy "
                f"{percent(last['train_accuracy'].mean())}, "
                f"validation {percent(last['validation_accuracy'].mean())}; chosen epochs {chosen.min()} to "
                f"{chosen.max()}"
            )
    return "Loss and accuracy by epoch. " + "; ".join(parts) + "."


def gap_forest(results: Results) -> str:
    """Describe every gap with its interval, and the margin."""
    parts = [
        f"{r.group} {MINUS} {r.reference}, {r.arm}: "
        + (r.status if pd.isna(r.estimate) else f"{points(r.estimate)} {interval(r.ci_low, r.ci_high)}")
        for r in results.gaps().itertuples(index=False)
    ]
    margin = points(results.study["audit"]["margin"], signed=False)
    return f"Gaps in accuracy in percentage points, against a margin of {margin} points. " + "; ".join(parts) + "."


def optimism(results: Results) -> str:
    """Describe accuracy out of fold and on training faces."""
    parts = [
        f"{group_of(r)}, {r.arm}: {percent(r.out_of_fold)} and {percent(r.in_sample)}"
        for r in results.in_order(results.table("optimism")).itertuples(index=False)
    ]
    return "Accuracy out of fold and on training faces. " + "; ".join(parts) + "."


def changes(results: Results) -> str:
    """Describe each group's accuracy before and after."""
    rows = results.table("changes")
    rows = results.in_order(rows[rows["primary"] == 1])
    parts = [
        f"{group_of(r)}, {r.contrast}: "
        + (r.status if pd.isna(r.estimate) else f"{percent((r.n11 + r.n10) / r.n)} to {percent((r.n11 + r.n01) / r.n)}")
        for r in rows.itertuples(index=False)
    ]
    return "Accuracy before and after, by group. " + "; ".join(parts) + "."


DESCRIPTIONS = {
    f.__name__: f for f in (classes_by_group, confusion_matrices, learning_curves, gap_forest, optimism, changes)
}
