"""Intervals of an accuracy gap when faces come in clusters: as many faces as independent ones would say as much."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from scipy.stats import t

from fergap.audit.clusters import standard_errors
from fergap.audit.counts import split
from fergap.audit.gaps import bounds, pairs
from fergap.audit.inputs import Arm, Sample
from fergap.audit.proportions import Interval, mover, wilson
from fergap.audit.settings import Settings

Row = dict[str, Any]
METHOD = "newcombe, effective n"


def effective_size(right: np.ndarray, clusters: np.ndarray, confidence: float) -> float:
    """Return the number of independent faces whose accuracy is as sure as that of these faces.

    n ÷ design effect × (t_{n−1}/t_{C−1})², Korn and Graubard's (1998) with C clusters; a design effect below 1 counts
    as 1. Where every answer is alike the design effect is Kish's for identical answers within clusters, Σ m²/n.

    Parameters
    ----------
    right : numpy.ndarray of bool
        (faces,).
    clusters : numpy.ndarray of int
        (faces,).
    """
    n, sizes = len(right), np.unique(clusters, return_counts=True)[1]
    independent, clustered = standard_errors(right, np.ones(n, int), clusters)
    effect = (clustered / independent) ** 2 if independent > 0 else float((sizes**2).sum()) / n
    if len(sizes) == n:
        return float(n)
    if len(sizes) == 1:
        return 1.0
    tail = (1 - confidence) / 2
    few = t.isf(tail, n - 1) / t.isf(tail, len(sizes) - 1)
    return max(1.0, n / max(1.0, effect) * float(few) ** 2)


def correlation(first: np.ndarray, second: np.ndarray, clusters: tuple[np.ndarray, np.ndarray]) -> float:
    """Return the correlation of two groups' accuracies that clusters with faces of both bring about.

    Σ u1 u0 ÷ √(Σ u1² Σ u0²) over clusters, u a cluster's Σ (right − accuracy); 0 where a group's answers are alike.
    """
    _, position = np.unique(np.concatenate(clusters), return_inverse=True)
    u1 = np.bincount(position[: len(first)], first - first.mean(), position.max() + 1)
    u0 = np.bincount(position[len(first) :], second - second.mean(), position.max() + 1)
    scale = float((u1 @ u1) * (u0 @ u0))
    return float(u1 @ u0) / math.sqrt(scale) if scale > 0 else 0.0


def clustered_newcombe(
    right: tuple[np.ndarray, np.ndarray], clusters: tuple[np.ndarray, np.ndarray], confidence: float
) -> Interval:
    """Return Newcombe's interval of a gap with effective numbers of faces, and with the groups' correlation.

    Wilson's interval of each accuracy at its :func:`effective_size`, combined by Zou and Donner's (2008) formula for
    correlated estimates. With one face in every cluster it is Newcombe's (1998).
    """
    ends, p = [], [float(r.mean()) for r in right]
    for share, own, codes in zip(p, right, clusters, strict=True):
        n = effective_size(own, codes, confidence)
        ends.append(wilson(share * n, n, confidence))
    low, high = mover(p[0], ends[0], p[1], ends[1], correlation(*right, clusters))
    return max(-1.0, min(low, p[0] - p[1])), min(1.0, max(high, p[0] - p[1]))


def clustered_gaps(
    sample: Sample, arm: Arm, known: Mapping[tuple[str, str, str], Row], settings: Settings
) -> Iterator[Row]:
    """Yield an arm's accuracy gaps with the clusters' interval, for ``gaps``; none where no cluster is known.

    Not the primary row: the tests and verdicts take faces as independent, and an interval must belong to its test.

    Parameters
    ----------
    known : mapping
        (arm, attribute, group) → the row of ``clusters`` on the group's gap.
    """
    if sample.clusters is None:
        return
    correct = arm.true == arm.predicted
    for attribute in sample.attributes:
        counts = split(arm, attribute, len(sample.classes))
        for g, r, row in pairs(arm.name, counts, settings):
            row |= {"metric": "accuracy", "method": METHOD, "primary": 0, "confidence": settings.confidence}
            row |= {"n_group": int(counts.n[g]), "n_reference": int(counts.n[r])}
            if row["status"] == "ok":
                members = [arm.covered & (attribute.codes == side) for side in (g, r)]
                right, clusters = (tuple(a[own] for own in members) for a in (correct, sample.clusters))
                row |= {"estimate": float(right[0].mean() - right[1].mean())}
                row |= bounds(clustered_newcombe(right, clusters, settings.confidence))
                found = known[arm.name, attribute.name, row["group"]]
                row |= {c: found.get(c) for c in ("design_effect", "note")}
            yield row
