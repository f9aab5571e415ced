"""Standard errors of the logistic models for faces that are not independent."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array

from fergap.audit.inputs import Arm, Attribute


class Clustered(NamedTuple):
    """The faces that a model is fitted to: (faces,) their cell, whether right, and their cluster, numbered from 0."""

    cell: np.ndarray
    right: np.ndarray
    cluster: np.ndarray

    @property
    def clusters(self) -> int:
        return int(self.cluster.max()) + 1


def clustered_faces(
    arm: Arm,
    attributes: Sequence[Attribute],
    classes: tuple[str, ...],
    levels: Sequence[tuple[str, ...]],
    codes: np.ndarray,
    clusters: np.ndarray,
) -> Clustered:
    """Return the faces that a model's cells count, with their clusters.

    Parameters
    ----------
    levels, codes
        Of :class:`fergap.audit.models.Cells`.
    clusters : numpy.ndarray of int
        (all faces,).
    """
    named = [*((a.groups, a.codes) for a in attributes), (classes, arm.true)]
    kept, positions = arm.covered, []
    for (names, own), wanted in zip(named, levels, strict=True):
        place = np.array([wanted.index(name) if name in wanted else -1 for name in names] + [-1])
        positions.append(place[own])
        kept = kept & (positions[-1] >= 0)
    shape = [len(level) for level in levels]
    number = np.full(np.prod(shape), -1)
    number[np.ravel_multi_index(codes.T, shape)] = np.arange(len(codes))
    cell = number[np.ravel_multi_index([p[kept] for p in positions], shape)]
    cluster = np.unique(clusters[kept], return_inverse=True)[1]
    return Clustered(cell, (arm.true == arm.predicted)[kept], cluster)


def cluster_covariance(matrix: np.ndarray, fitted: np.ndarray, bread: np.ndarray, faces: Clustered) -> np.ndarray:
    """Return the coefficients' covariance when faces of one cluster may depend on each other in any way.

    Liang and Zeger's (1986) sandwich: with s = Σ x (right − fitted) over a cluster's faces, bread · Σ s sᵀ · bread,
    without a correction for few clusters (R's ``vcovCL(type = "HC0", cadjust = FALSE)`` and an independence GEE).

    Parameters
    ----------
    matrix : numpy.ndarray
        (cells, coefficients).
    fitted : numpy.ndarray
        (cells,) probabilities.
    bread : numpy.ndarray
        The coefficients' covariance for independent faces.
    """
    residual = coo_array((faces.right - fitted[faces.cell], (faces.cluster, faces.cell)), (faces.clusters, len(fitted)))
    scores = residual.tocsr() @ matrix
    return bread @ (scores.T @ scores) @ bread
