"""Precision, recall, F1 and their averages from confusion tables, many tables at a time."""

import numpy as np


def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return part/whole, and 0 where whole is 0."""
    return np.divide(part, whole, out=np.zeros(np.broadcast(part, whole).shape), where=whole > 0)


def per_class(table: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return precision, recall and F1 of each class; 0 for 0/0.

    Parameters
    ----------
    table : numpy.ndarray
        (…, classes, classes) counts, true × predicted.

    Returns
    -------
    tuple of three numpy.ndarray
        (…, classes) each.
    """
    right = np.diagonal(table, axis1=-2, axis2=-1)
    support, predicted = table.sum(-1), table.sum(-2)
    return share(right, predicted), share(right, support), share(2 * right, support + predicted)


def accuracy(table: np.ndarray) -> np.ndarray:
    """Return the share of the (…, classes, classes) counts that lies on the diagonal."""
    return share(np.trace(table, axis1=-2, axis2=-1), table.sum((-2, -1)))


def mean_over(values: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the mean of (…, classes) values over the chosen classes; NaN without any."""
    return values[..., classes].mean(-1) if classes.any() else np.full(values.shape[:-1], np.nan)


def averages(
    table: np.ndarray, common: np.ndarray, present: np.ndarray, seen: np.ndarray | None = None
) -> dict[tuple[str, str], np.ndarray]:
    """Return every averaged metric of each table.

    Parameters
    ----------
    table : numpy.ndarray
        (…, classes, classes) counts, true × predicted.
    common : numpy.ndarray of bool
        Classes of ``macro_common``; without any, its metrics are NaN.
    present : numpy.ndarray of bool
        Classes over which balanced accuracy averages the recall: those that have faces.
    seen : numpy.ndarray of bool, optional
        Classes of ``macro_present``, those that are true or predicted somewhere (scikit-learn's default); by default
        ``present``.

    Returns
    -------
    dict
        (metric, average) → array of shape (…). Macro F1 is the mean of the classes' F1.
    """
    metrics = dict(zip(("precision", "recall", "f1"), per_class(table), strict=True))
    support = table.sum(-1)
    weights = share(support, support.sum(-1, keepdims=True))
    out = {}
    for metric, values in metrics.items():
        out[metric, "macro_all"] = values.mean(-1)
        out[metric, "macro_common"] = mean_over(values, common)
        out[metric, "macro_present"] = mean_over(values, present if seen is None else seen)
        if metric != "recall":  # weighted recall is accuracy
            out[metric, "weighted"] = (values * weights).sum(-1)
    out["balanced_accuracy", "macro_present"] = mean_over(metrics["recall"], present)
    return out
