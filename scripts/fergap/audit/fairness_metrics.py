"""Fairness metrics of a count table, one class against the rest."""

from typing import NamedTuple

import numpy as np

SMALL_IS_UNFAIR = ("demographic_parity_ratio", "accuracy_ratio", "xu_fairness", "xu_fairness_by_accuracy")


class Proportion(NamedTuple):
    """Counts and the faces that they are out of, both (…, groups, classes)."""

    count: np.ndarray
    n: np.ndarray

    @property
    def share(self) -> np.ndarray:
        return divide(self.count, self.n)


class Rates(NamedTuple):
    """What each group's faces get: (…, groups, classes) each.

    ``selection`` P(p = c), ``recall`` P(p = c | y = c), ``fpr`` P(p = c | y ≠ c), ``miss`` P(p ≠ c | y = c).
    """

    selection: Proportion
    recall: Proportion
    fpr: Proportion
    miss: Proportion


def divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Return the quotient, NaN where the denominator is 0."""
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    return np.divide(numerator, denominator, out=np.full(numerator.shape, np.nan), where=denominator != 0)


def logarithm(values: np.ndarray) -> np.ndarray:
    """Return the natural logarithm, NaN of what is not above 0."""
    return np.log(values, out=np.full(values.shape, np.nan), where=values > 0)


def rates(table: np.ndarray) -> Rates:
    """Return the rates of counts (…, groups, classes, classes), group × true × predicted."""
    right = np.diagonal(table, axis1=-2, axis2=-1)
    support, predicted = table.sum(-1), table.sum(-2)
    n = np.broadcast_to(support.sum(-1, keepdims=True), support.shape)
    return Rates(
        Proportion(predicted, n),
        Proportion(right, support),
        Proportion(predicted - right, n - support),
        Proportion(support - right, support),
    )


def spread(values: np.ndarray) -> np.ndarray:
    """Return max − min over groups of (…, groups, classes); NaN where a group's value is undefined."""
    return values.max(-2) - values.min(-2)


def by_class(table: np.ndarray) -> dict[str, np.ndarray]:
    """Return every metric of each class against the rest.

    Parameters
    ----------
    table : numpy.ndarray
        (…, groups, classes, classes) counts, group × true × predicted.

    Returns
    -------
    dict of str to numpy.ndarray
        (…, classes) ranges over groups: of the selection rate (demographic parity), of recall (equal opportunity,
        Hardt et al. 2016), of the false positive rate, the larger of the last two (equalized odds, as in Fairlearn)
        and their mean, of FN/FP (treatment equality, Berk et al. 2018) and of FNR/FPR (another reading of it), both
        also as log ratio; and the ratio min ÷ max of the selection rate. NaN where a group has no such rate.
    """
    rate = rates(table)
    recall, fpr = spread(rate.recall.share), spread(rate.fpr.share)
    selection = rate.selection.share
    treatment = treatments(rate)
    return {
        "demographic_parity_difference": spread(selection),
        "demographic_parity_ratio": divide(selection.min(-2), selection.max(-2)),
        "equal_opportunity_difference": recall,
        "false_positive_rate_difference": fpr,
        "equalized_odds_difference": np.maximum(recall, fpr),
        "average_abs_odds_difference": (recall + fpr) / 2,
        "treatment_equality_counts_difference": spread(treatment["counts"]),
        "treatment_equality_counts_log_ratio": spread(logarithm(treatment["counts"])),
        "treatment_equality_rates_difference": spread(treatment["rates"]),
        "treatment_equality_rates_log_ratio": spread(logarithm(treatment["rates"])),
    }


def treatments(rate: Rates) -> dict[str, np.ndarray]:
    """Return each group's FN/FP, of ``counts`` and of ``rates``: (…, groups, classes), NaN without false positives."""
    return {"counts": divide(rate.miss.count, rate.fpr.count), "rates": divide(rate.miss.share, rate.fpr.share)}


def faces_behind(metric: str, rate: Rates) -> np.ndarray:
    """Return the fewest faces that a metric of :func:`by_class` rests on in any group: (classes,)."""
    if metric.startswith("demographic_parity"):
        return rate.selection.n.min(-2)
    if metric == "equal_opportunity_difference":
        return rate.recall.n.min(-2)
    if metric == "false_positive_rate_difference":
        return rate.fpr.n.min(-2)
    return np.minimum(rate.recall.n, rate.fpr.n).min(-2)


def accuracies(table: np.ndarray) -> np.ndarray:
    """Return each group's accuracy: (…, groups)."""
    return np.trace(table, axis1=-2, axis2=-1) / table.sum((-2, -1))


def xu_fairness(table: np.ndarray, classes: np.ndarray, by: str = "recall") -> np.ndarray:
    """Return min over groups g of Σ recall_gc ÷ Σ recall_dc (Xu et al. 2020).

    Parameters
    ----------
    table : numpy.ndarray
        (…, groups, classes, classes) counts.
    classes : numpy.ndarray of bool
        (classes,) the classes summed over; every group needs faces of them.
    by : {"recall", "accuracy"}
        What the dominant group d is highest in: the summed recall, or plain accuracy (of equals, the higher sum).
    """
    total = rates(table).recall.share[..., classes].sum(-1)
    dominant = total.max(-1)
    if by == "accuracy":
        accuracy = accuracies(table)
        best = accuracy >= accuracy.max(-1, keepdims=True) - 1e-12
        dominant = np.where(best, total, -1.0).max(-1)
    return divide(total.min(-1), dominant)


def overall(table: np.ndarray, class_sets: dict[str, np.ndarray]) -> dict[tuple[str, str], np.ndarray]:
    """Return the metrics that are not of one class, by name and summary, each (…).

    ``class_sets`` maps the summary's name to the classes that Xu et al.'s F sums over.
    """
    accuracy = accuracies(table)
    out = {
        ("accuracy_difference", ""): accuracy.max(-1) - accuracy.min(-1),
        ("accuracy_ratio", ""): divide(accuracy.min(-1), accuracy.max(-1)),
    }
    for name, classes in class_sets.items():
        out["xu_fairness", name] = xu_fairness(table, classes)
        out["xu_fairness_by_accuracy", name] = xu_fairness(table, classes, "accuracy")
    return out
