"""Every fairness metric of a table, and its law over tables without a gap."""

import math
from typing import NamedTuple

import numpy as np

from fergap.audit.fairness_metrics import SMALL_IS_UNFAIR, by_class, faces_behind, overall, rates
from fergap.audit.permutation import without_gap

Masks = dict[str, np.ndarray]
LEAST = 5  # faces per group that a class needs to enter a summary


class Column(NamedTuple):
    """One number of the table: a metric of a class (its position), or of all by a summary."""

    metric: str
    label: int | None
    summary: str


class Null(NamedTuple):
    """A metric's mean over tables without a gap (NaN where some have no value) and its permutation p value."""

    expected: float
    p_value: float


def summary_masks(table: np.ndarray) -> dict[str, Masks]:
    """Return the classes of each metric's summaries; the ``_defined`` ones only where they differ."""
    rate, out = rates(table), {}
    for metric, values in by_class(table).items():
        defined = ~np.isnan(values)
        enough = defined & (faces_behind(metric, rate) >= LEAST)
        worst = "min" if metric in SMALL_IS_UNFAIR else "max"
        out[metric] = {worst: enough, "mean": enough}
        if (defined != enough).any():
            out[metric] |= {f"{worst}_defined": defined, "mean_defined": defined}
    return out


def xu_classes(table: np.ndarray) -> Masks:
    """Return the classes that Xu et al.'s F sums over; those that every group has only where they are others."""
    least = table.sum(-1).min(0)
    out = {"all_classes": np.ones(len(least), bool), "common_classes": least >= LEAST}
    if not any(np.array_equal(least > 0, mask) for mask in out.values()):
        out["common_defined"] = least > 0
    return out


def statistics(table: np.ndarray, masks: dict[str, Masks], class_sets: Masks) -> dict[Column, np.ndarray]:
    """Return every metric of counts (draws, groups, classes, classes), each (draws,); NaN where there is none."""
    out: dict[Column, np.ndarray] = {}
    for metric, values in by_class(table).items():
        out |= {Column(metric, c, ""): values[:, c] for c in range(values.shape[1])}
        for summary, mask in masks[metric].items():
            reduce = getattr(np, summary.removesuffix("_defined"))
            chosen = values[:, mask]
            out[Column(metric, None, summary)] = (
                reduce(chosen, axis=-1) if mask.any() else np.full(len(values), math.nan)
            )
    for (metric, summary), values in overall(table, class_sets).items():
        out[Column(metric, None, summary)] = values
    return out


def permuted(
    table: np.ndarray,
    found: dict[Column, np.ndarray],
    masks: dict[str, Masks],
    class_sets: Masks,
    draws: int,
    stream: np.random.Generator,
) -> dict[Column, Null]:
    """Return the null of every metric: p = (1 + draws at least as unfair) ÷ (1 + draws).

    A draw in which a metric has no value, such as a log ratio without false positives, counts as at least as unfair.
    """
    sums, extreme = dict.fromkeys(found, 0.0), dict.fromkeys(found, 0)
    for chunk in without_gap(table, draws, stream):
        for column, values in statistics(chunk, masks, class_sets).items():
            sign = -1 if column.metric in SMALL_IS_UNFAIR else 1
            # equal fractions may differ in their last digits
            fairer = sign * values < sign * found[column][0] - 1e-12
            sums[column] += float(values.sum())
            extreme[column] += len(values) - int(fairer.sum())
    return {column: Null(sums[column] / draws, (1 + extreme[column]) / (1 + draws)) for column in found}
