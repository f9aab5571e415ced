"""Tests and effects of a gap within true classes: K tables of correct and wrong answers in two groups."""

import math
from typing import NamedTuple

import numpy as np
from scipy.stats import chi2, chi2_contingency, fisher_exact, norm
from statsmodels.stats.contingency_tables import StratifiedTable


class Strata(NamedTuple):
    """Correct answers and faces by class, in the group and in the reference; integer arrays of K classes."""

    x1: np.ndarray
    n1: np.ndarray
    x0: np.ndarray
    n0: np.ndarray

    def informative(self) -> "Strata":
        """The classes that both groups have; the others say nothing about a difference within classes."""
        return Strata(*(a[(self.n1 > 0) & (self.n0 > 0)] for a in self))


class Test(NamedTuple):
    """A test statistic, its degrees of freedom and its two-sided p value; NaN where there is none."""

    statistic: float
    df: float
    p_value: float


def two_by_two(x1: int, n1: int, x0: int, n0: int) -> np.ndarray:
    """Return the table with a row per group and the columns correct, wrong."""
    return np.array([[x1, n1 - x1], [x0, n0 - x0]])


def least_expected(table: np.ndarray) -> float:
    """Return the smallest count expected under independence."""
    return float(np.min(np.outer(table.sum(1), table.sum(0)) / table.sum()))


def chi_square(table: np.ndarray) -> Test:
    """Return Pearson's chi-square test without continuity correction; p = 1 when all answers are alike."""
    if not table.sum(0).all():
        return Test(0.0, 1.0, 1.0)
    result = chi2_contingency(table, correction=False)
    return Test(float(result.statistic), float(result.dof), float(result.pvalue))


def fisher(table: np.ndarray) -> Test:
    """Return Fisher's exact test."""
    return Test(math.nan, math.nan, float(fisher_exact(table).pvalue))


def cochran_mantel_haenszel(strata: Strata) -> Test:
    """Return the Cochran–Mantel–Haenszel test without continuity correction; NaN where no class can tell."""
    s = strata.informative()
    right = s.x1 + s.x0
    varied = (right > 0) & (right < s.n1 + s.n0)
    if not varied.any():
        return Test(math.nan, 1.0, math.nan)
    tables = [two_by_two(*counts) for counts in zip(*(a[varied] for a in s), strict=True)]
    result = StratifiedTable(tables).test_null_odds(correction=False)
    # statsmodels' p is 1 − the distribution function, which is 0 where p is small
    return Test(float(result.statistic), 1.0, float(chi2.sf(result.statistic, 1)))


def hypergeometric(values: np.ndarray, n1: int, n0: int, right: int) -> np.ndarray:
    """Return the probabilities of consecutive possible numbers of a group's correct answers, ``right`` of n1 + n0.

    By the ratio of neighbours and scaled to sum to 1, so ``values`` must hold all that can happen but for what is
    negligible. SciPy's pmf needs 20 microseconds a value.
    """
    k = values[:-1].astype(float)
    ratio = (right - k) * (n1 - k) / ((k + 1) * (n0 - right + k + 1))
    logs = np.concatenate([[0.0], np.cumsum(np.log(ratio))])
    p = np.exp(logs - logs.max())
    return p / p.sum()


def conditional_distribution(strata: Strata, reach: float = 200.0) -> tuple[int, np.ndarray]:
    """Return the null distribution of the group's number of correct answers, given each class's margins.

    A sum of independent hypergeometric variables, by convolution. Values less likely than e**−reach times the mode
    are cut off, so that the work grows with the root of the number of faces.

    Returns
    -------
    (int, numpy.ndarray)
        The smallest value and the probabilities from there on.
    """
    start, total = 0, np.ones(1)

    def trimmed(first: int, p: np.ndarray) -> tuple[int, np.ndarray]:
        kept = np.flatnonzero(p >= p.max() * math.exp(-reach))
        return first + int(kept[0]), p[kept[0] : kept[-1] + 1]

    for x1, n1, x0, n0 in zip(*strata.informative(), strict=True):
        right = x1 + x0
        values = np.arange(max(0, right - n0), min(n1, right) + 1)
        centre = float(n1) * right / (n1 + n0)
        spread = math.sqrt(centre * (n1 + n0 - right) / (n1 + n0) * n0 / (n1 + n0 - 1))
        width = 25 * spread + 50
        values = values[(values >= centre - width) & (values <= centre + width)]
        first, p = trimmed(int(values[0]), hypergeometric(values, int(n1), int(n0), int(right)))
        start, total = trimmed(start + first, np.convolve(total, p))
    return start, total


def exact_conditional(strata: Strata) -> Test:
    """Return the exact class-stratified conditional test, the permutation test of correctness within true class.

    Two-sided by probability ordering, as R's ``mantelhaen.test(exact = TRUE)``. Where the observed value lies beyond
    the part of the distribution that is kept (p below 1e−80), the asymptotic p takes its place.

    Returns
    -------
    Test
        The statistic is the group's number of correct answers in the classes that both groups have.
    """
    s = strata.informative()
    if not len(s.n1):
        return Test(math.nan, math.nan, math.nan)
    observed = int(s.x1.sum())
    start, p = conditional_distribution(s)
    if not start <= observed < start + len(p):
        return Test(float(observed), math.nan, cochran_mantel_haenszel(s).p_value)
    # R's tolerance for equally likely values
    return Test(float(observed), math.nan, float(min(1.0, p[p <= p[observed - start] * (1 + 1e-7)].sum())))


def risk_difference(strata: Strata, confidence: float) -> tuple[float, float, float]:
    """Return the Mantel–Haenszel risk difference with its interval: the class-adjusted gap.

    Σ(x1 n0 − x0 n1)/N ÷ Σ n1 n0/N with the variance of Sato, Greenland and Robins (1989).
    """
    s = Strata(*(a.astype(float) for a in strata.informative()))
    if not len(s.n1):
        return math.nan, math.nan, math.nan
    n = s.n1 + s.n0
    weight = float(np.sum(s.n1 * s.n0 / n))
    gap = float(np.sum((s.x1 * s.n0 - s.x0 * s.n1) / n)) / weight
    first = np.sum(s.x0 * (s.n1 / n) ** 2 - s.x1 * (s.n0 / n) ** 2 + s.n1 / n * s.n0 / n * (s.n0 - s.n1) / 2)
    second = np.sum(s.x1 * (s.n0 - s.x0) / n + s.x0 * (s.n1 - s.x1) / n) / 2
    half = norm.isf((1 - confidence) / 2) * math.sqrt(max(float(gap * first + second), 0.0)) / weight
    return gap, max(-1.0, gap - half), min(1.0, gap + half)
