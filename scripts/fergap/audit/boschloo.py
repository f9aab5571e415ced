"""Boschloo's unconditional exact test of two proportions, for a small group against a reference of thousands too."""

import math

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import bdtr, bdtrc, gammaln, xlog1py, xlogy

from fergap.audit.stratified import Test, fisher

LARGEST = 2_000_000  # conditional probabilities to tabulate at most
GRID = 501
PEAKS = 3


def searchable(table: np.ndarray) -> bool:
    """Return whether the test of a two-by-two ``table`` (a row per group) is small enough to be searched."""
    n1, n0 = sorted(table.sum(1).tolist())
    return (n1 + 1) * (n1 + n0 + 1) <= LARGEST


def log_ways(n: int, k: np.ndarray) -> np.ndarray:
    """Return the logarithm of the number of ways to choose ``k`` out of ``n``."""
    return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)


def conditional_tails(n1: int, n0: int) -> tuple[np.ndarray, np.ndarray]:
    """Return P(X ≤ a | s) and P(X ≥ a | s) of the group's correct answers X given all of them, s.

    Returns
    -------
    tuple of two numpy.ndarray
        (n1 + 1, n1 + n0 + 1), a × s; what cannot occur has no probability.
    """
    a, s = np.arange(n1 + 1)[:, None], np.arange(n1 + n0 + 1)[None]
    b = s - a
    inside = (b >= 0) & (b <= n0)
    p = np.where(inside, np.exp(log_ways(n1, a) + log_ways(n0, np.clip(b, 0, n0)) - log_ways(n1 + n0, s)), 0.0)
    return np.cumsum(p, axis=0), np.cumsum(p[::-1], axis=0)[::-1]


def supremum(first: np.ndarray, n1: int, n0: int, upward: bool) -> float:
    """Return the largest probability of a region over the common share of correct answers.

    The region holds x1 with x0 ≥ ``first[x1]`` (``upward``) or x0 ≤ ``first[x1]``. A grid that is even in the arcsine
    of the root, where a share's spread is the same everywhere, and a search around its highest peaks.
    """
    a = np.arange(n1 + 1)[:, None]
    first = first[:, None]
    none = first > n0 if upward else first < 0
    every = first <= 0 if upward else first >= n0
    ways = log_ways(n1, a)

    def probability(angle: np.ndarray) -> np.ndarray:
        p = np.sin(angle) ** 2
        other = bdtrc(np.clip(first - 1, 0, n0), n0, p) if upward else bdtr(np.clip(first, 0, n0), n0, p)
        other = np.where(none, 0.0, np.where(every, 1.0, other))
        return (np.exp(ways + xlogy(a, p) + xlog1py(n1 - a, -p)) * other).sum(0)

    grid = np.linspace(0, math.pi / 2, GRID)
    values = probability(grid)
    inner = values[1:-1]
    peaks = 1 + np.flatnonzero((inner >= values[:-2]) & (inner >= values[2:]))
    best = float(values.max())
    for peak in peaks[np.argsort(-values[peaks])][:PEAKS]:
        found = minimize_scalar(
            lambda angle: -float(probability(np.array([angle]))[0]),
            bounds=(grid[peak - 1], grid[peak + 1]),
            method="bounded",
            options={"xatol": 1e-9},
        )
        best = max(best, -float(found.fun))
    return min(1.0, best)


def boschloo(table: np.ndarray) -> Test:
    """Return Boschloo's (1970) test, two-sided: twice the smaller one-sided p, at most 1; 1 when all answers are alike.

    Fisher's one-sided p is the statistic, and the p value is the largest probability, over the common share of correct
    answers, of a table whose p is as small. As ``scipy.stats.boschloo_exact``, whose search takes seconds where one
    group has thousands of faces: the tables as extreme are, for each x1, all x0 beyond one value.

    Parameters
    ----------
    table : numpy.ndarray of int
        A row per group, the columns correct and wrong; see :func:`searchable`.
    """
    (x1, y1), (x0, y0) = table[np.argsort(table.sum(1), kind="stable")].tolist()
    if x1 + x0 == 0 or y1 + y0 == 0:
        return Test(math.nan, math.nan, 1.0)
    n1, n0 = x1 + y1, x0 + y0
    a, b = np.arange(n1 + 1)[:, None], np.arange(n0 + 1)[None]
    one_sided = []
    for tail, upward in zip(conditional_tails(n1, n0), (True, False), strict=True):
        # R's tolerance for equally likely tables
        extreme = tail[a, a + b] <= tail[x1, x1 + x0] * (1 + 1e-7)
        count = extreme.sum(1)
        one_sided.append(supremum(n0 + 1 - count if upward else count - 1, n1, n0, upward))
    return Test(math.nan, math.nan, min(1.0, 2 * min(one_sided)))


def small_sample(table: np.ndarray) -> tuple[str, Test]:
    """Return the name and result of Boschloo's test, or of Fisher's where Boschloo's has too many tables to search."""
    return ("boschloo", boschloo(table)) if searchable(table) else ("fisher", fisher(table))
