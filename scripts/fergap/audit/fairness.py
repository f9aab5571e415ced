"""Fairness metrics over groups, each with what it would be without any gap.

A range over groups is never below 0, so its size alone says little: its mean over tables without a gap, the excess over
that mean, and a permutation p value stand beside it.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.stats import norm

from fergap.audit.counts import Split
from fergap.audit.fairness_metrics import (
    SMALL_IS_UNFAIR,
    Proportion,
    Rates,
    accuracies,
    by_class,
    faces_behind,
    rates,
    treatments,
)
from fergap.audit.fairness_null import LEAST, Column, Masks, Null, permuted, statistics, summary_masks, xu_classes
from fergap.audit.proportions import newcombe
from fergap.audit.ratios import katz
from fergap.audit.settings import Settings, faces
from fergap.seeds import generator

Row = dict[str, Any]
FOUR_FIFTHS = 0.8
ONE_RATE = {
    "demographic_parity_difference": "selection",
    "equal_opportunity_difference": "recall",
    "false_positive_rate_difference": "fpr",
}


def fairness(arm: str, split: Split, classes: tuple[str, ...], settings: Settings) -> Iterator[Row]:
    """Yield the rows of ``fairness`` for one arm and attribute.

    Groups with fewer faces than ``minimum_faces`` are left out, and summaries (``max`` or ``min``, and ``mean``) leave
    out classes whose rates rest on fewer than 5 faces in a group; ``…_defined`` summaries keep every class that every
    group has a rate of, and appear where that makes a difference. Differences of two groups have Newcombe's interval,
    ratios Katz's, the log ratio of false negatives to false positives Woolf's; ranges over more groups and summaries
    have none, because an interval around a maximum does not test it.
    """
    kept = np.flatnonzero(split.n >= settings.minimum_faces)
    small = [f"{split.groups[g]} ({faces(int(split.n[g]))})" for g in range(len(split.groups)) if g not in kept]
    names = [split.groups[g] for g in kept]
    head = {
        "arm": arm,
        "attribute": split.attribute,
        "groups": len(kept),
        "confidence": settings.confidence,
        "left_out": ", ".join(small) or None,
        "status": "ok",
    }
    if len(kept) < 2:
        yield from not_estimable(head, classes, settings, small)
        return
    table = split.table[kept]
    masks, class_sets = summary_masks(table), xu_classes(table)
    found = statistics(table[None], masks, class_sets)
    stream = generator(settings.seed, "audit", arm, split.attribute, "fairness")
    nulls = permuted(table, found, masks, class_sets, settings.resamples, stream)
    rate = rates(table)
    for column, values in found.items():
        estimate = float(values[0])
        row = head | {"metric": column.metric, "class": None, "summary": column.summary or None}
        if column.label is not None:
            row |= {"class": classes[column.label]} | class_row(column, estimate, rate, names, settings)
        elif column.metric in masks:
            row |= summary_row(column, masks, found, rate, classes, small)
        else:
            row |= overall_row(column, estimate, table, class_sets, classes, names, small, settings)
        if not math.isnan(estimate):
            row |= {"estimate": estimate} | against(estimate, nulls[column])
            row["family"] = None if column.summary.endswith("_defined") else "fairness, exploratory"
        yield row
    yield from four_fifths(table, rate, classes, names, head)


def against(estimate: float, null: Null) -> Row:
    """Return the columns that set an estimate against its null."""
    expected = None if math.isnan(null.expected) else null.expected
    excess = None if expected is None else estimate - expected
    return {"expected_without_gap": expected, "excess": excess, "p_value": null.p_value}


def extremes(values: np.ndarray, names: list[str]) -> tuple[int, int, Row]:
    """Return the positions of the highest and the lowest group, and the columns that name them unless all are equal."""
    high, low = int(values.argmax()), int(values.argmin())
    if values[high] == values[low]:
        return 0, 1, {"highest": None, "lowest": None}
    return high, low, {"highest": names[high], "lowest": names[low]}


def class_row(column: Column, estimate: float, rate: Rates, names: list[str], settings: Settings) -> Row:
    """Return the columns of one class: who is highest and lowest, the fewest faces behind it, the interval of two."""
    metric, c = column.metric, column.label
    row: Row = {"n": int(faces_behind(metric, rate)[c])}
    if math.isnan(estimate):
        return row | {"status": "not estimable: " + missing_rate(metric, c, rate, names)}
    if metric == "average_abs_odds_difference":
        return row
    if metric == "equalized_odds_difference":
        share = max((r.share[:, c] for r in (rate.recall, rate.fpr)), key=np.ptp)
        return row | extremes(share, names)[2]
    if metric.startswith("treatment"):
        kind = "counts" if "counts" in metric else "rates"
        high, low, named = extremes(treatments(rate)[kind][:, c], names)
        row |= named
        if metric.endswith("log_ratio") and len(names) == 2:
            pair = [high, low]
            variance = (1 / rate.miss.count[pair, c] + 1 / rate.fpr.count[pair, c]).sum()
            if kind == "rates":
                variance -= (1 / rate.miss.n[pair, c] + 1 / rate.fpr.n[pair, c]).sum()
            half = float(norm.isf(settings.alpha / 2)) * math.sqrt(max(float(variance), 0.0))
            method = "woolf log" if kind == "counts" else "katz log"
            row |= {"ci_low": estimate - half, "ci_high": estimate + half, "method": method}
        return row
    chosen: Proportion = getattr(rate, ONE_RATE.get(metric, "selection"))
    high, low, named = extremes(chosen.share[:, c], names)
    row |= named
    if len(names) == 2:
        counts = [int(a[g, c]) for g in (high, low) for a in chosen]
        row |= ratio_interval(*counts, settings) if metric.endswith("ratio") else difference_interval(*counts, settings)
    return row


def difference_interval(x1: int, n1: int, x0: int, n0: int, settings: Settings) -> Row:
    """Return the columns of Newcombe's interval of the higher share minus the lower."""
    low, high = newcombe(x1, n1, x0, n0, settings.confidence)
    return {"ci_low": low, "ci_high": high, "method": "newcombe"}


def ratio_interval(x1: int, n1: int, x0: int, n0: int, settings: Settings) -> Row:
    """Return the columns of Katz's log interval of the lower share x0/n0 ÷ the higher one x1/n1."""
    if x0 == 0:
        return {"status": "interval not estimable: a ratio of 0"}
    low, high = katz(x0, n0, x1, n1, settings.confidence)
    return {"ci_low": low, "ci_high": high, "method": "katz log"}


def missing_rate(metric: str, c: int, rate: Rates, names: list[str]) -> str:
    """Return what a metric of a class lacks, and in which groups."""

    def without(counts: np.ndarray) -> str:
        return " and ".join(name for name, count in zip(names, counts[:, c], strict=True) if count == 0)

    if metric == "demographic_parity_ratio":
        return "the class is never predicted"
    counted = metric.startswith("treatment_equality_counts")
    if not counted and (groups := without(rate.recall.n)):
        return f"0 faces of the class in {groups}"
    if not counted and (groups := without(rate.fpr.n)):
        return f"0 faces of other classes in {groups}"
    if groups := without(rate.fpr.count):
        return f"no false positive in {groups}"
    return f"no false negative in {without(rate.miss.count)}"


def summary_row(
    column: Column,
    masks: dict[str, Masks],
    found: dict[Column, np.ndarray],
    rate: Rates,
    classes: tuple[str, ...],
    small: list[str],
) -> Row:
    """Return the columns of a summary over classes: the class that decides it, and who and what is left out."""
    metric, mask = column.metric, masks[column.metric][column.summary]
    behind = faces_behind(metric, rate)
    values = np.array([found[Column(metric, c, "")][0] for c in range(len(classes))])

    def reason(c: int) -> str:
        return "undefined" if np.isnan(values[c]) and behind[c] >= LEAST else faces(int(behind[c]))

    left_out = small + [f"{label} ({reason(c)})" for c, label in enumerate(classes) if not mask[c]]
    row: Row = {"left_out": ", ".join(left_out) or None, "n": 0}
    if not mask.any():
        what = f"rates rest on {LEAST} faces or more" if "_defined" not in column.summary else "rates are defined"
        return row | {"status": f"not estimable: no class whose {what} in every group"}
    if column.summary.startswith("mean"):
        return row | {"n": int(behind[mask].min())}
    pick = np.nanargmin if column.summary.startswith("min") else np.nanargmax
    decides = int(pick(np.where(mask, values, np.nan)))
    return row | {"decided_by": classes[decides], "n": int(behind[decides])}


def overall_row(
    column: Column,
    estimate: float,
    table: np.ndarray,
    class_sets: Masks,
    classes: tuple[str, ...],
    names: list[str],
    small: list[str],
    settings: Settings,
) -> Row:
    """Return the columns of a metric of all classes together."""
    n, right = table.sum((1, 2)), np.trace(table, axis1=1, axis2=2)
    if column.metric.startswith("xu"):
        mask, support = class_sets[column.summary], table.sum(-1).min(0)
        left_out = small + [f"{classes[c]} ({faces(int(support[c]))})" for c in np.flatnonzero(~mask)]
        row: Row = {"left_out": ", ".join(left_out) or None, "n": int(support[mask].min()) if mask.any() else 0}
        if not math.isnan(estimate):
            return row | extremes(rates(table).recall.share[:, mask].sum(-1), names)[2]
        absent = ", ".join(classes[c] for c in np.flatnonzero(mask & (support == 0)))
        if absent:
            return row | {"status": f"not estimable: a group has 0 faces of {absent}"}
        nothing = "no correct answer" if mask.any() else "no class with enough faces in every group"
        return row | {"status": f"not estimable: {nothing}"}
    high, low, named = extremes(accuracies(table), names)
    row = named | {"n": int(n.min())}
    if math.isnan(estimate):
        return row | {"status": "not estimable: no correct answer"}
    if len(names) == 2:
        interval = ratio_interval if column.metric == "accuracy_ratio" else difference_interval
        row |= interval(int(right[high]), int(n[high]), int(right[low]), int(n[low]), settings)
    return row


def four_fifths(table: np.ndarray, rate: Rates, classes: tuple[str, ...], names: list[str], head: Row) -> Iterator[Row]:
    """Yield the rows of the 80 % rule: lower share − 0.8 × higher share, of accuracy and of each class's selection.

    z = (p0 − .8 p1) ÷ √(p0 q0/n0 + .64 p1 q1/n1) (Morris & Lobsenz 2000), for two groups; p is one-sided, small where
    the ratio is below 0.8. ``accuracy_gap_allowed`` is the largest gap that the rule lets pass.
    """
    accuracy = Proportion(np.trace(table, axis1=1, axis2=2), table.sum((1, 2)))
    tested = [("four_fifths_accuracy", None, accuracy)]
    tested += [
        ("four_fifths_selection", label, Proportion(rate.selection.count[:, c], rate.selection.n[:, c]))
        for c, label in enumerate(classes)
    ]
    for metric, label, proportion in tested:
        share = proportion.share
        high, low, named = extremes(share, names)
        row = head | {"metric": metric, "class": label, "n": int(proportion.n.min())}
        if share[high] == 0:
            none = "no correct answer" if label is None else "the class is never predicted"
            yield row | {"status": f"not estimable: {none}"}
            continue
        row |= named | {"estimate": float(share[low] - FOUR_FIFTHS * share[high])}
        variance = share * (1 - share) / proportion.n
        se = math.sqrt(float(variance[low] + FOUR_FIFTHS**2 * variance[high]))
        if len(names) == 2 and se > 0:
            z = row["estimate"] / se
            row |= {"statistic": z, "p_value": float(norm.cdf(z)), "method": "morris-lobsenz, one-sided"}
        yield row
    share = accuracy.share
    named = extremes(share, names)[2]
    allowed = {"estimate": float((1 - FOUR_FIFTHS) * share.max()), "n": int(accuracy.n.min())}
    yield head | named | allowed | {"metric": "accuracy_gap_allowed", "class": None}


def not_estimable(head: Row, classes: tuple[str, ...], settings: Settings, small: list[str]) -> Iterator[Row]:
    """Yield every row of a split that leaves fewer than two groups to compare."""
    reason = f"fewer than {settings.minimum_faces} in {', '.join(small)}" if small else "one group alone"
    nothing = np.zeros((2, len(classes), len(classes)), int)
    for metric in by_class(nothing):
        worst = "min" if metric in SMALL_IS_UNFAIR else "max"
        for label, summary in [*((c, None) for c in classes), (None, worst), (None, "mean")]:
            yield head | {
                "metric": metric,
                "class": label,
                "summary": summary,
                "n": 0,
                "status": f"not estimable: {reason}",
            }
    for metric, summary in [
        ("accuracy_difference", None),
        ("accuracy_ratio", None),
        *((m, s) for s in ("all_classes", "common_classes") for m in ("xu_fairness", "xu_fairness_by_accuracy")),
    ]:
        yield head | {"metric": metric, "class": None, "summary": summary, "n": 0, "status": f"not estimable: {reason}"}
