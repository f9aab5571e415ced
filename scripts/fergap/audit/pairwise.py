"""More than two groups: one test of them all, and every two of them with intervals that hold together."""

import math
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import chi2_contingency
from scipy.stats.contingency import association

from fergap.audit.counts import Split
from fergap.audit.crude import fisher_and_mid_p
from fergap.audit.gaps import small_cells
from fergap.audit.proportions import newcombe
from fergap.audit.settings import Settings, pair_status
from fergap.audit.stratified import Test, chi_square, two_by_two

Row = dict[str, Any]
ALL = "all groups"


def estimable(split: Split, settings: Settings) -> list[int]:
    """Return the groups that are large enough to compare."""
    return [g for g in range(len(split.groups)) if split.n[g] >= settings.minimum_faces]


def table_of(split: Split, groups: list[int]) -> np.ndarray:
    """Return (groups, 2) counts of correct and wrong answers."""
    return np.stack([split.right[groups], (split.n - split.right)[groups]], 1)


def chi_square_of_groups(table: np.ndarray) -> Test:
    """Return Pearson's chi-square test of k × 2 answers, k − 1 degrees of freedom; p = 1 when all are alike."""
    if not table.sum(0).all():
        return Test(0.0, len(table) - 1.0, 1.0)
    result = chi2_contingency(table, correction=False)
    return Test(float(result.statistic), float(result.dof), float(result.pvalue))


def group_tests(arm: str, split: Split, settings: Settings) -> Iterator[Row]:
    """Yield the row of ``tests`` on all groups of an attribute that has more than two."""
    if len(split.groups) > 2:
        row = {"arm": arm, "attribute": split.attribute, "group": ALL, "reference": ALL, "primary": 0}
        row |= {"test": "chi-square of all groups", "status": "ok"}
        groups = estimable(split, settings)
        if len(groups) < 2:
            yield row | {"status": "not estimable: fewer than two groups to compare"}
        else:
            yield row | chi_square_of_groups(table_of(split, groups))._asdict()


def group_effects(arm: str, split: Split, settings: Settings) -> Iterator[Row]:
    """Yield the row of ``effects`` on all groups of an attribute that has more than two: Cramér's V."""
    if len(split.groups) > 2:
        row = {"arm": arm, "attribute": split.attribute, "group": ALL, "reference": ALL, "effect": "cramers_v"}
        groups = estimable(split, settings)
        table = table_of(split, groups)
        if len(groups) < 2:
            yield row | {"status": "not estimable: fewer than two groups to compare"}
        elif not table.sum(0).all():
            yield row | {"status": "not estimable: every answer alike"}
        else:
            yield row | {"status": "ok", "estimate": float(association(table, method="cramer")), "method": "cramer"}


def pairwise(arm: str, split: Split, settings: Settings) -> Iterator[Row]:
    """Yield the rows of ``pairwise`` for one arm and attribute of more than two groups, not yet adjusted.

    Every two groups, once: the reference of the attribute is a pair's reference, otherwise the group listed later.
    The simultaneous intervals are Newcombe's at 1 − α/m for the m pairs that can be compared. p is Pearson's without
    correction, or Fisher's mid-p where cells are small (:func:`fergap.audit.gaps.small_cells`; there can be thousands
    of pairs, too many for Boschloo's search).
    """
    if len(split.groups) < 3:
        return
    m = math.comb(len(estimable(split, settings)), 2)
    for first, second in combinations(range(len(split.groups)), 2):
        g, r = (second, first) if first == split.reference else (first, second)
        names, sizes = (split.groups[g], split.groups[r]), (int(split.n[g]), int(split.n[r]))
        row = {"arm": arm, "attribute": split.attribute, "group": names[0], "reference": names[1]}
        row |= {"status": pair_status(sizes, names, settings.minimum_faces), "confidence": settings.confidence}
        row |= {"n_group": sizes[0], "n_reference": sizes[1], "family": "pairwise", "method": "newcombe"}
        if row["status"] == "ok":
            counts = int(split.right[g]), sizes[0], int(split.right[r]), sizes[1]
            low, high = newcombe(*counts, settings.confidence)
            wide_low, wide_high = newcombe(*counts, 1 - settings.alpha / m)
            row |= {"estimate": counts[0] / sizes[0] - counts[2] / sizes[1], "ci_low": low, "ci_high": high}
            row |= {"simultaneous_low": wide_low, "simultaneous_high": wide_high}
            table = two_by_two(*counts)
            row |= {"test": "chi-square"} | chi_square(table)._asdict()
            if small_cells(*counts):
                row |= {"test": "fisher mid-p", "statistic": None, "df": None, "p_value": fisher_and_mid_p(table)[1]}
        yield row
