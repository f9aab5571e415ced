"""Intervals for a proportion, for the difference of two, and for the change of a paired one, from counts alone."""

import math

from scipy.optimize import brentq
from scipy.stats import norm
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

Interval = tuple[float, float]


def wilson(count: float, n: float, confidence: float) -> Interval:
    """Return Wilson's (1927) score interval of ``count`` out of ``n`` (n ≥ 1)."""
    low, high = proportion_confint(count, n, alpha=1 - confidence, method="wilson")
    # the closed form misses 0 and 1 by rounding errors where the estimate lies there
    return (0.0 if count == 0 else float(low)), (1.0 if count == n else float(high))


def clopper_pearson(count: int, n: int, confidence: float) -> Interval:
    """Return the Clopper–Pearson interval of ``count`` out of ``n`` (n ≥ 1)."""
    low, high = proportion_confint(count, n, alpha=1 - confidence, method="beta")
    return float(low), float(high)


def newcombe(x1: int, n1: int, x0: int, n0: int, confidence: float) -> Interval:
    """Return Newcombe's (1998) hybrid score interval (his method 10) of x1/n1 − x0/n0."""
    low, high = confint_proportions_2indep(
        x1, n1, x0, n0, method="newcomb", compare="diff", alpha=1 - confidence, correction=False
    )
    gap = x1 / n1 - x0 / n0
    return min(float(low), gap), max(float(high), gap)


def restricted_reference(x1: int, n1: int, x0: int, n0: int, difference: float) -> float:
    """Return the reference's maximum-likelihood proportion when p1 − p0 is ``difference``.

    The root of the likelihood equation's cubic in closed form (Miettinen & Nurminen 1985, appendix 1).
    """
    n = n1 + n0
    l2 = (n1 + 2 * n0) * difference - n - x1 - x0
    l1 = (n0 * difference - n - 2 * x0) * difference + x1 + x0
    l0 = x0 * difference * (1 - difference)
    q = l2**3 / (3 * n) ** 3 - l1 * l2 / (6 * n**2) + l0 / (2 * n)
    u = math.copysign(math.sqrt(max(l2**2 / (3 * n) ** 2 - l1 / (3 * n), 0.0)), q)
    w = (math.pi + math.acos(max(-1.0, min(1.0, q / u**3)))) / 3 if u else 0.0
    root = 2 * u * math.cos(w) - l2 / (3 * n)
    return min(max(root, 0.0, -difference), 1.0, 1.0 - difference)


def score(x1: int, n1: int, x0: int, n0: int, difference: float) -> float:
    """Return Miettinen and Nurminen's z statistic of p1 − p0 = ``difference``, with their factor N/(N − 1)."""
    p0 = restricted_reference(x1, n1, x0, n0, difference)
    p1 = p0 + difference
    n = n1 + n0
    variance = (p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0) * n / (n - 1)
    distance = x1 / n1 - x0 / n0 - difference
    if abs(distance) < 1e-14:
        return 0.0
    return distance / math.sqrt(variance) if variance > 1e-300 else math.copysign(math.inf, distance)


def miettinen_nurminen(x1: int, n1: int, x0: int, n0: int, confidence: float) -> Interval:
    """Return Miettinen and Nurminen's (1985) score interval of x1/n1 − x0/n0.

    Own code because statsmodels' ``method="score"`` constrains with the wrong count (its issue 10269).
    """
    gap, z = x1 / n1 - x0 / n0, norm.isf((1 - confidence) / 2)

    def end(limit: float, target: float) -> float:
        if abs(limit - gap) < 1e-12 or (score(x1, n1, x0, n0, limit) - target) * target <= 0:
            return math.copysign(1.0, limit)
        return brentq(lambda d: score(x1, n1, x0, n0, d) - target, gap, limit, xtol=1e-12)

    edge = 1 - 1e-12
    return end(-edge, z), end(edge, -z)


def equivalence_p(x1: int, n1: int, x0: int, n0: int, margin: float) -> float:
    """Return the p value of two one-sided score tests (TOST) that the gap lies outside ±``margin``."""
    return float(max(norm.sf(score(x1, n1, x0, n0, -margin)), norm.cdf(score(x1, n1, x0, n0, margin))))


def bonett_price(lost: int, gained: int, n: int, confidence: float) -> Interval:
    """Return Bonett and Price's (2012) interval of the change (gained − lost)/n of a paired proportion."""
    z = norm.isf((1 - confidence) / 2)
    up, down = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    half = z * math.sqrt((up + down - (up - down) ** 2) / (n + 2))
    change = (gained - lost) / n
    return max(-1.0, min(up - down - half, change)), min(1.0, max(up - down + half, change))


def paired_score(lost: int, gained: int, n: int, change: float) -> float:
    """Return Tango's (1998) z statistic of a paired proportion's change; at 0 it is McNemar's.

    (gained − lost − n δ)/√(n (2 q + δ (1 − δ))), q the maximum-likelihood share of lost faces when the share gained is
    q + δ: the larger root of 2n q² + ((2n − gained + lost) δ − gained − lost) q − lost δ (1 − δ).
    """
    distance = gained - lost - n * change
    if abs(distance) < 1e-12 * n:
        return 0.0
    b, c = (2 * n - gained + lost) * change - gained - lost, -lost * change * (1 - change)
    q = (math.sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)
    variance = n * (2 * q + change * (1 - change))
    return distance / math.sqrt(variance) if variance > 1e-300 else math.copysign(math.inf, distance)


def tango(lost: int, gained: int, n: int, confidence: float) -> Interval:
    """Return Tango's (1998) score interval of the change (gained − lost)/n of a paired proportion (n ≥ 1)."""
    estimate, z = (gained - lost) / n, norm.isf((1 - confidence) / 2)

    def end(limit: float, target: float) -> float:
        if abs(limit - estimate) < 1e-9 or (paired_score(lost, gained, n, limit) - target) * target <= 0:
            return math.copysign(1.0, limit)
        return brentq(lambda d: paired_score(lost, gained, n, d) - target, estimate, limit, xtol=1e-12)

    edge = 1 - 1e-12
    return end(-edge, z), end(edge, -z)


def wald_change(lost: int, gained: int, n: int, confidence: float) -> Interval:
    """Return Wald's interval of the change of a paired proportion: too short where few faces changed."""
    change = (gained - lost) / n
    variance = ((gained + lost) / n - change**2) / n
    half = norm.isf((1 - confidence) / 2) * math.sqrt(max(variance, 0.0))
    return max(-1.0, change - half), min(1.0, change + half)


def mover(first: float, first_ci: Interval, second: float, second_ci: Interval, correlation: float = 0.0) -> Interval:
    """Return Zou and Donner's (2008) interval of ``first`` − ``second`` from the interval of each."""

    def distance(a: float, b: float) -> float:
        return math.sqrt(max(a * a - 2 * correlation * a * b + b * b, 0.0))

    low = first - second - distance(first - first_ci[0], second_ci[1] - second)
    high = first - second + distance(first_ci[1] - first, second - second_ci[0])
    return low, high
