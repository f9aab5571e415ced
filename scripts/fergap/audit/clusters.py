"""Faces that are not independent: who shares a cluster, and what that does to standard errors."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from fergap.audit.counts import PairedSplit, Split, split
from fergap.audit.gaps import pairs
from fergap.audit.inputs import Arm, Sample
from fergap.audit.joint import Patterns, cluster_patterns, plain_patterns
from fergap.audit.settings import Contrast, Settings, too_few
from fergap.errors import UserError

Row = dict[str, Any]
FEWEST = 40  # clusters below which cluster standard errors are too small


def cluster_codes(
    faces: pd.Index, people: pd.DataFrame, clusters: Mapping[Any, Any] | pd.Series | None
) -> np.ndarray | None:
    """Return each face's cluster as a number, or None where no cluster is known.

    Parameters
    ----------
    faces : pandas.Index
        The ids of the faces.
    people : pandas.DataFrame
        Its column ``cluster_id``, if there is one, names each face's cluster.
    clusters : mapping or pandas.Series, optional
        Face id → cluster, which comes before the people's column.

    Returns
    -------
    numpy.ndarray of int or None
        (faces,); a face without a cluster is one of its own.
    """
    if clusters is None:
        if "cluster_id" not in people.columns or people["cluster_id"].isna().all():
            return None
        known = people.dropna(subset=["cluster_id"]).drop_duplicates(["image_id", "cluster_id"])
        if (twice := known["image_id"].duplicated()).any():
            raise UserError(
                f"face {known.loc[twice, 'image_id'].iloc[0]!r} is in two clusters",
                where="people",
                expected="one cluster_id per face",
            )
        clusters = known.set_index("image_id")["cluster_id"]
    named = pd.Series(clusters).reindex(faces)
    codes, found = pd.factorize(named)
    alone = codes < 0
    codes[alone] = len(found) + np.arange(alone.sum())
    return codes


def patterns(sample: Sample, settings: Settings, arms: tuple[Arm, ...], counts: Split | PairedSplit) -> Patterns | None:
    """Return what is drawn by the bootstrap; None where each group is drawn by itself.

    ``arms`` is one arm, or those before and after. Faces of unknown group are drawn with their clusters and counted
    nowhere, so a cluster is its faces of known group.
    """
    if settings.bootstrap == "stratified":
        return None
    if settings.bootstrap == "plain":
        return plain_patterns(counts.table)
    if sample.clusters is None:
        raise UserError(
            "no face has a cluster",
            where="audit.bootstrap",
            expected="a column cluster_id in a people table, or faces whose duplicates are known",
            fix="give clusters, or set audit.bootstrap to stratified",
        )
    first, kept = arms[0], arms[0].covered
    codes = [first.true, *(arm.predicted for arm in arms)]
    group = np.zeros(len(kept), np.int64)
    if counts.attribute != "all":
        group = next(a for a in sample.attributes if a.name == counts.attribute).codes
        kept = kept & (group >= 0)
    cell = np.ravel_multi_index([c[kept] for c in (group, *codes)], counts.table.shape)
    return cluster_patterns(cell, sample.clusters[kept], counts.table.size)


def few_clusters(clusters: int) -> Row:
    """Return the column ``note`` where there are so few clusters that their standard error is too small."""
    return {"note": f"fewer than {FEWEST} clusters: the clustered error is too small"} if clusters < FEWEST else {}


def standard_errors(right: np.ndarray, sides: np.ndarray, clusters: np.ndarray) -> tuple[float, float]:
    """Return the standard error of an accuracy or gap with independent faces and with clusters.

    √Σ u² over faces and √Σ(Σ u)² over clusters, with u = ±(right − accuracy)/n: Liang and Zeger's (1986) sandwich
    without a correction for few clusters, and for independent faces the unpooled Wald error.

    Parameters
    ----------
    right : numpy.ndarray of bool
        (faces,).
    sides : numpy.ndarray of int
        (faces,) 1 for the group and −1 for the reference.
    clusters : numpy.ndarray of int
        (faces,).
    """
    u = np.zeros(len(right))
    for side in (1, -1):
        own = sides == side
        if own.any():
            u[own] = side * (right[own] - right[own].mean()) / own.sum()
    _, position = np.unique(clusters, return_inverse=True)
    return math.sqrt(float(u @ u)), math.sqrt(float((np.bincount(position, weights=u) ** 2).sum()))


def clustering(sample: Sample, settings: Settings) -> Iterator[Row]:
    """Yield the rows of ``clusters``: the accuracy of each group and the gap of each pair, for every arm."""
    if sample.clusters is None:
        return
    for arm in sample.arms.values():
        for attribute in sample.attributes:
            counts = split(arm, attribute, len(sample.classes))
            compared = {g: (r, head) for g, r, head in pairs(arm.name, counts, settings)}
            for g, group in enumerate(counts.groups):
                status = too_few(int(counts.n[g]), settings.minimum_faces, group)
                row = {"arm": arm.name, "attribute": attribute.name, "group": group, "status": status}
                yield row | {"quantity": "accuracy"} | row_of(sample, arm, attribute.codes, g, None)
                if g in compared:
                    r, head = compared[g]
                    yield head | {"quantity": "gap"} | row_of(sample, arm, attribute.codes, g, r)


def row_of(sample: Sample, arm: Arm, codes: np.ndarray, g: int, r: int | None) -> Row:
    """Return the columns of an accuracy's or a gap's clusters."""
    kept = arm.covered & ((codes == g) | (codes == (g if r is None else r)))
    n, clusters = int(kept.sum()), sample.clusters[kept]
    if n == 0:
        return {"n": 0, "clusters": 0}
    sizes = np.unique(clusters, return_counts=True)[1]
    row: Row = {"n": n, "clusters": len(sizes), "largest": int(sizes.max())}
    right, sides = (arm.true == arm.predicted)[kept], np.where(codes[kept] == g, 1, -1)
    independent, clustered = standard_errors(right, sides, clusters)
    row |= {"se_independent": independent, "se_clustered": clustered}
    if independent > 0:
        effect = (clustered / independent) ** 2
        row |= {"design_effect": effect}
        if effect > 0:
            row |= {"effective_n": n / effect}
    return row | few_clusters(len(sizes))


def contrast_arms(sample: Sample, contrast: Contrast) -> tuple[Arm, Arm]:
    """Return the arms before and after."""
    return sample.arms[contrast.before], sample.arms[contrast.after]
