"""Further tests and intervals of the crude gap, for readers who expect them: none of them is primary."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import xlog1py, xlogy
from scipy.stats import chi2_contingency
from statsmodels.stats.proportion import confint_proportions_2indep

from fergap.audit.boschloo import boschloo, log_ways, searchable
from fergap.audit.counts import Split
from fergap.audit.gaps import answers, bounds, pairs, small_cells
from fergap.audit.proportions import Interval
from fergap.audit.settings import Settings
from fergap.audit.stratified import Strata, Test, chi_square, conditional_distribution, two_by_two

Row = dict[str, Any]
SEARCHED = 200  # faces of both groups up to which the unconditional tests are searched
GRID = 4001


def yates(table: np.ndarray) -> Test:
    """Return Pearson's chi-square test with Yates' continuity correction; p = 1 when all answers are alike."""
    if not table.sum(0).all():
        return Test(0.0, 1.0, 1.0)
    result = chi2_contingency(table, correction=True)
    return Test(float(result.statistic), float(result.dof), float(result.pvalue))


def fisher_and_mid_p(table: np.ndarray) -> tuple[float, float]:
    """Return Fisher's exact two-sided p, by probability ordering, and its mid-p (half the observed table's less).

    From the part of the hypergeometric distribution that counts, so that the work does not grow with the faces; an
    answer beyond it (p below 1e−80) has the chi-square p for both. Both are 1 where the margins allow no other table.
    """
    (x1, y1), (x0, y0) = table.tolist()
    start, p = conditional_distribution(Strata(*(np.array([v]) for v in (x1, x1 + y1, x0, x0 + y0))))
    if not start <= x1 < start + len(p):
        far = chi_square(table).p_value
        return far, far
    if len(p) == 1:
        return 1.0, 1.0
    observed = float(p[x1 - start])
    # R's tolerance for equally likely tables
    both = min(1.0, float(p[p <= observed * (1 + 1e-7)].sum()))
    return both, both - observed / 2


def binomial(n: int, share: np.ndarray) -> np.ndarray:
    """Return P(x | n, share) as (shares, n + 1)."""
    x = np.arange(n + 1)
    return np.exp(log_ways(n, x) + xlogy(x, share[:, None]) + xlog1py(n - x, -share[:, None]))


def supremum(region: np.ndarray) -> float:
    """Return the largest probability of ``region`` over the common share of correct answers.

    A grid and a search between the neighbours of its best point: SciPy's search misses the supremum at times.

    Parameters
    ----------
    region : numpy.ndarray of bool
        (n1 + 1, n0 + 1) outcomes x1, x0.
    """
    n1, n0 = region.shape[0] - 1, region.shape[1] - 1
    region = region.astype(float)

    def probability(share: np.ndarray) -> np.ndarray:
        return ((binomial(n1, share) @ region) * binomial(n0, share)).sum(1)

    grid = np.linspace(0, 1, GRID)
    values = probability(grid)
    best = int(values.argmax())
    ends = grid[max(best - 1, 0)], grid[min(best + 1, GRID - 1)]
    found = minimize_scalar(
        lambda share: -probability(np.array([share]))[0], bounds=ends, method="bounded", options={"xatol": 1e-10}
    )
    return float(min(1.0, max(values[best], -found.fun)))


def barnard(table: np.ndarray) -> Test:
    """Return Barnard's unconditional exact test, ordered by the pooled z statistic, two-sided."""
    (x1, y1), (x0, y0) = table.tolist()
    n1, n0 = x1 + y1, x0 + y0
    first, second = np.arange(n1 + 1)[:, None], np.arange(n0 + 1)[None]
    pooled = (first + second) / (n1 + n0)
    se = np.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n0))
    z = np.divide(first / n1 - second / n0, se, out=np.zeros_like(se), where=se > 0)
    observed = float(z[x1, x0])
    return Test(observed, math.nan, supremum(np.abs(z) >= abs(observed) - 1e-10))


def difference_interval(x1: int, n1: int, x0: int, n0: int, method: str, confidence: float) -> Interval:
    """Return statsmodels' interval of x1/n1 − x0/n0 by ``method``, kept within ±1 and around the estimate."""
    low, high = confint_proportions_2indep(x1, n1, x0, n0, method=method, compare="diff", alpha=1 - confidence)
    gap = x1 / n1 - x0 / n0
    return max(-1.0, min(float(low), gap)), min(1.0, max(float(high), gap))


def crude_tests(arm: str, split: Split, settings: Settings) -> Iterator[Row]:
    """Yield further rows of ``tests`` for one arm and attribute; those that it has anyway for small cells are not."""
    for g, r, head in pairs(arm, split, settings):
        head["primary"] = 0
        if head["status"] != "ok":
            continue
        table = two_by_two(*answers(split, g, r))
        small, few = small_cells(*answers(split, g, r)), table.sum() <= SEARCHED
        searched = searchable(table)
        both, mid = fisher_and_mid_p(table)
        yield head | {"test": "chi-square, yates"} | yates(table)._asdict()
        if not small or searched:
            yield head | {"test": "fisher", "p_value": both}
        yield head | {"test": "fisher mid-p", "p_value": mid}
        if few:
            yield head | {"test": "barnard"} | barnard(table)._asdict()
            if not small:
                yield head | {"test": "boschloo"} | boschloo(table)._asdict()


def crude_gaps(arm: str, split: Split, settings: Settings) -> Iterator[Row]:
    """Yield the intervals of Agresti and Caffo (2000) and of Wald for one arm and attribute, for ``gaps``."""
    for g, r, head in pairs(arm, split, settings):
        x1, n1, x0, n0 = answers(split, g, r)
        head |= {"metric": "accuracy", "n_group": n1, "n_reference": n0, "confidence": settings.confidence}
        for method in ("agresti-caffo", "wald"):
            row = head | {"method": method, "primary": 0}
            if row["status"] == "ok":
                interval = difference_interval(x1, n1, x0, n0, method, settings.confidence)
                row |= {"estimate": x1 / n1 - x0 / n0} | bounds(interval)
            yield row
