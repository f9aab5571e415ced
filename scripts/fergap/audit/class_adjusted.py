"""The change of an accuracy gap at equal class mix: least squares of the change per face on group and class."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import t

from fergap.audit.changes import SMALL_CELL, heading
from fergap.audit.clusters import contrast_arms
from fergap.audit.counts import PairedSplit
from fergap.audit.gaps import NO_CLASS, pairs
from fergap.audit.inputs import Sample
from fergap.audit.joint import cluster_patterns
from fergap.audit.settings import Contrast, Settings

Row = dict[str, Any]


class Slope(NamedTuple):
    """The group's coefficient, its robust standard error and degrees of freedom."""

    estimate: float
    se: float
    df: float


def cells_of(table: np.ndarray) -> np.ndarray:
    """Return (groups, classes, 3) faces by change −1, 0 or 1 of (groups, classes, classes, classes) paired counts."""
    k = np.arange(table.shape[1])
    before, after = table[:, k, k].sum(-1), table[:, k, :, k].transpose(1, 0, 2).sum(-1)
    twice = table[:, k, k, k]
    lost, gained = before - twice, after - twice
    return np.stack([lost, table.sum((2, 3)) - lost - gained, gained], -1)


def robust_slope(cells: np.ndarray, patterns: tuple[np.ndarray, np.ndarray] | None = None) -> Slope | None:
    """Return the coefficient of group in the least-squares regression d ~ group + class.

    Without clusters the standard error is HC1, HC0 × n/(n − p) with n − p degrees of freedom; with them that of Liang
    and Zeger (1986) × C/(C − 1) · (n − 1)/(n − p) for C clusters, with C − 1 (Cameron & Miller 2015). Both equal
    statsmodels' ``OLS(...).fit(cov_type="HC1" or "cluster", use_t=True)`` on the faces, from counts.

    Parameters
    ----------
    cells : numpy.ndarray
        (2, classes, 3) faces of the group and of the reference, by class and change −1, 0, 1.
    patterns : tuple of two numpy.ndarray, optional
        (patterns, cells.size) faces of distinct clusters and (patterns,) clusters of each.

    Returns
    -------
    Slope or None
        None where no class is in both groups or nothing is left to estimate the error from.
    """
    n = cells.sum()
    present = np.flatnonzero(cells.sum((0, 2)))
    if not (cells.sum(2) > 0).all(0).any():
        return None
    group, label, change = (a.ravel() for a in np.indices(cells.shape))
    weight = cells.ravel().astype(float)
    design = np.column_stack([group == 0, *(label == c for c in present)]).astype(float)
    bread = np.linalg.inv(design.T @ (design * weight[:, None]))
    residual = (change - 1) - design @ (bread @ (design.T @ (weight * (change - 1))))
    influence = design @ bread[0] * residual  # of one face of each cell on the coefficient
    spare = n - design.shape[1]
    if spare < 1:
        return None
    estimate = float(bread[0] @ (design.T @ (weight * (change - 1))))
    if patterns is None:
        return Slope(estimate, math.sqrt(float(weight @ influence**2) * n / spare), float(spare))
    matrix, counts = patterns
    inside = matrix[:, weight > 0].sum(1) > 0
    clusters = int(counts[inside].sum())
    if clusters < 2:
        return None
    variance = float(counts @ (matrix @ influence) ** 2) * clusters / (clusters - 1) * (n - 1) / spare
    return Slope(estimate, math.sqrt(variance), clusters - 1.0)


def adjusted_changes(contrast: Contrast, split: PairedSplit, sample: Sample, settings: Settings) -> Iterator[Row]:
    """Yield the class-adjusted rows of ``gap_changes`` for one contrast and attribute.

    Cluster-robust where clusters are known. No interval where fewer than 5 faces of a group were lost or gained, as
    the other large-sample intervals of a change.
    """
    table = cells_of(split.table)
    drawn = None
    if sample.clusters is not None:
        before, after = contrast_arms(sample, contrast)
        codes = next(a for a in sample.attributes if a.name == split.attribute).codes
        kept = before.covered & (codes >= 0)
        change = 1 + (after.true == after.predicted).astype(int) - (before.true == before.predicted)
        position = np.ravel_multi_index([a[kept] for a in (codes, before.true, change)], table.shape)
        drawn = cluster_patterns(position, sample.clusters[kept], table.size)
    for g, r, head in pairs(contrast.after, split.before, settings):
        row = head | heading(contrast) | {"metric": "accuracy", "adjusted_for": "class", "primary": 0}
        row |= {
            "n_group": int(split.before.n[g]),
            "n_reference": int(split.before.n[r]),
            "confidence": settings.confidence,
            "method": "least squares, " + ("hc1" if drawn is None else "cluster"),
        }
        if row["status"] != "ok":
            yield row
            continue
        own = None
        if drawn is not None:
            kept = drawn.matrix.reshape(len(drawn.counts), *table.shape)[:, [g, r]]
            own = kept.reshape(len(drawn.counts), -1), drawn.counts
        slope, cells = robust_slope(table[[g, r]], own), table[[g, r]].sum(1)
        if slope is None:
            yield row | {"status": NO_CLASS}
            continue
        row |= {"estimate": slope.estimate}
        if cells[:, [0, 2]].min() < SMALL_CELL:
            yield row | {"status": f"interval not estimable: fewer than {SMALL_CELL} faces lost or gained in a group"}
        elif slope.se == 0:
            yield row | {"status": "interval not estimable: no spread within classes"}
        else:
            half, statistic = slope.se * float(t.isf(settings.alpha / 2, slope.df)), slope.estimate / slope.se
            row |= {"se": slope.se, "ci_low": slope.estimate - half, "ci_high": slope.estimate + half}
            row |= {"statistic": statistic, "df": slope.df, "p_value": float(2 * t.sf(abs(statistic), slope.df))}
            yield row
