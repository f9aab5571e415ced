"""The bootstrap of all groups together: plain case resampling, and clusters of faces that stand or fall together.

A cluster is its vector of cell counts, and clusters with equal vectors are interchangeable. Drawing clusters with
replacement is therefore a multinomial draw over the distinct vectors, the patterns, so the work depends on their
number alone. Plain case resampling is the case in which every face is a cluster of its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from fergap.audit.bootstrap import Replicates

CHUNK = 1_000  # resamples at a time, which bounds the memory


class Patterns(NamedTuple):
    """Distinct vectors of cell counts: (patterns, cells) faces, and (patterns,) clusters that have each."""

    matrix: np.ndarray
    counts: np.ndarray


@dataclass(frozen=True)
class JointReplicates(Replicates):
    """Replicates of one group when all groups share each draw.

    Attributes
    ----------
    influence : numpy.ndarray
        (patterns, M) jackknife influence of leaving out a cluster of each pattern.
    counts : numpy.ndarray
        (patterns,) clusters of each pattern.
    covariance : numpy.ndarray or None
        (1 + B,) delta-method covariance of the first metric with the reference's.
    """

    influence: np.ndarray | None = None
    counts: np.ndarray | None = None
    covariance: np.ndarray | None = None

    def part(self, rows: np.ndarray) -> "JointReplicates":
        """Return the replicates with these resamples alone."""
        kept = None if self.covariance is None else self.covariance[np.r_[0, rows + 1]]
        return replace(super().part(rows), covariance=kept)

    def __sub__(self, other: "JointReplicates") -> "JointReplicates":
        """The difference of a group and the reference in the same draws."""
        made = joint_replicates(
            self.estimate - other.estimate, self.values - other.values, self.influence - other.influence, self.counts
        )
        if self.covariance is None or other.variance is None:
            return replace(made, left_out=self.left_out)
        variance = np.maximum(self.variance + other.variance - 2 * self.covariance, 0.0)
        return replace(made, left_out=self.left_out, variance=variance)


def joint_replicates(
    estimate: np.ndarray, values: np.ndarray, influence: np.ndarray, counts: np.ndarray
) -> JointReplicates:
    """Return replicates with the moments of the influence that BCa's acceleration needs."""
    n = counts.sum()
    second, third = (counts @ influence**power / n**power for power in (2, 3))
    return JointReplicates(estimate, values, second, third, influence=influence, counts=counts)


@dataclass(frozen=True)
class Errors:
    """What a resample's linearised cluster variance is made of.

    A cluster's influence on a group's mean worth A is u = (W − A n)/N, with the worth W and the faces n that it has in
    the group and all the group's faces N; the variance of A is Σ u² and its covariance with the reference Σ u u_ref
    over the drawn clusters (Liang & Zeger 1986, without a correction for few clusters). Multiplied out, these need
    sums of products alone, one of each kind per pattern.

    Attributes
    ----------
    worth, faces : numpy.ndarray
        (patterns, groups).
    reference : int
        Position of the reference among the groups.
    """

    worth: np.ndarray
    faces: np.ndarray
    reference: int

    def of(self, drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return each draw's variances and covariances with the reference, (draws, groups) both.

        ``drawn`` is (draws, patterns) clusters; every group has a face in every draw.
        """
        w, n, r = self.worth, self.faces, [self.reference]
        total = drawn @ n
        mean = drawn @ w / total
        square = drawn @ w**2 - 2 * mean * (drawn @ (w * n)) + mean**2 * (drawn @ n**2)
        cross = drawn @ (w * w[:, r]) - mean[:, r] * (drawn @ (w * n[:, r]))
        cross += mean * (mean[:, r] * (drawn @ (n * n[:, r])) - drawn @ (n * w[:, r]))
        variance = np.where(square > 1e-9, square, 0.0) / total**2  # sums of whole numbers times a mean: 0 is not exact
        return variance, cross / (total * total[:, r])


def plain_patterns(table: np.ndarray) -> Patterns:
    """Return the patterns of single faces, one for each non-empty cell of ``table``."""
    cells = np.flatnonzero(table)
    matrix = np.zeros((len(cells), table.size))
    matrix[np.arange(len(cells)), cells] = 1
    return Patterns(matrix, table.ravel()[cells])


def cluster_patterns(cells: np.ndarray, clusters: np.ndarray, size: int) -> Patterns:
    """Return the patterns of clusters of faces.

    Parameters
    ----------
    cells : numpy.ndarray of int
        (faces,) cell of each face, below ``size``.
    clusters : numpy.ndarray of int
        (faces,) cluster of each face.
    size : int
        Number of cells.
    """
    order = np.argsort(clusters, kind="stable")
    cells, clusters = cells[order], clusters[order]
    start = np.flatnonzero(np.r_[True, clusters[1:] != clusters[:-1]])
    # clusters are compared by the sum of a random number per cell, which differs for different vectors
    # but for a chance of one in 2⁶⁴ for each pair
    mark = np.random.default_rng(0).integers(0, 2**64, size, dtype=np.uint64)
    _, first, counts = np.unique(np.add.reduceat(mark[cells], start), return_index=True, return_counts=True)
    stop = np.r_[start[1:], len(cells)]
    matrix = np.zeros((len(first), size))
    lengths = stop[first] - start[first]
    pattern = np.repeat(np.arange(len(first)), lengths)
    face = np.repeat(start[first] - np.r_[0, np.cumsum(lengths)[:-1]], lengths) + np.arange(lengths.sum())
    np.add.at(matrix, (pattern, cells[face]), 1)
    return Patterns(matrix, counts)


def joint_bootstrap(
    patterns: Patterns,
    shape: tuple[int, ...],
    statistics: Sequence[Callable[[np.ndarray], np.ndarray] | None],
    resamples: int,
    generator: np.random.Generator,
    worth: np.ndarray | None = None,
    reference: int = 0,
) -> list[JointReplicates | None]:
    """Resample clusters, and all groups with them.

    Parameters
    ----------
    patterns : Patterns
        Of the clusters; cells in the order of ``shape``, whose first axis is the group.
    shape : tuple of int
        (groups, …) of the table of counts.
    statistics : sequence of callable or None
        For each group, maps its (…, *shape[1:]) counts to (…, M) metrics; None leaves the group out.
    resamples : int
        Number of resamples. Those in which a group with a statistic has no face at all are left out.
    generator : numpy.random.Generator
        The stream of the draws.
    worth : numpy.ndarray, optional
        Of ``shape[1:]``: what a face of each cell is worth where the first metric is the mean worth of a group's face;
        gives each resample its cluster variance.
    reference : int
        The group whose covariance with the others is kept for their difference.
    """
    used = [g for g, statistic in enumerate(statistics) if statistic is not None]
    counts, n = patterns.counts, int(patterns.counts.sum())
    whole = counts @ patterns.matrix

    def of(flat: np.ndarray) -> list[np.ndarray]:
        tables = flat.reshape(-1, *shape)
        return [statistics[g](tables[:, g]) for g in used]

    errors = None
    if worth is not None and reference in used:
        cells = patterns.matrix.reshape(len(counts), shape[0], -1)[:, used]
        errors = Errors(cells @ worth.ravel(), cells.sum(2), used.index(reference))

    def drawn(size: int) -> tuple[list[np.ndarray], tuple[np.ndarray, ...]]:
        clusters = generator.multinomial(n, counts / n, size=size)
        flat = clusters @ patterns.matrix
        there = (flat.reshape(size, shape[0], -1).sum(2)[:, used] > 0).all(1)
        return of(flat[there]), errors.of(clusters[there]) if errors else ()

    parts, moments = zip(*(drawn(min(CHUNK, resamples - done)) for done in range(0, resamples, CHUNK)), strict=True)
    if errors:
        own = errors.of(counts[None])
        variance, covariance = (np.concatenate([own[k], *(m[k] for m in moments)]) for k in (0, 1))
    left = [of(whole - patterns.matrix[i : i + CHUNK]) for i in range(0, len(counts), CHUNK)]
    estimates = of(whole[None])
    out: list[JointReplicates | None] = [None] * shape[0]
    for i, g in enumerate(used):
        left_out = np.concatenate([part[i] for part in left])
        influence = (n - 1) * (np.average(left_out, axis=0, weights=counts) - left_out)
        values = np.concatenate([part[i] for part in parts])
        out[g] = replace(
            joint_replicates(estimates[i][0], values, influence, counts),
            left_out=resamples - len(values),
            variance=variance[:, i] if errors else None,
            covariance=covariance[:, i] if errors else None,
        )
    return out
