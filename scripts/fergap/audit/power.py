"""What gap a sample of this size could have shown."""

import math

from scipy.optimize import brentq
from scipy.stats import norm


def power(p1: float, n1: int, p0: float, n0: int, confidence: float, strict: bool = False) -> float:
    """Return the power of the two-sided pooled z test of p1 = p0.

    Φ((|d| − z s0)/s1), s0 pooled and s1 unpooled; ``strict`` adds the other tail. For n1 = n0, R's ``power.prop.test``.
    """
    z = norm.isf((1 - confidence) / 2)
    pooled = (n1 * p1 + n0 * p0) / (n1 + n0)
    s0 = math.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n0))
    s1 = math.sqrt(p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0)
    if s1 == 0:
        return float(p1 != p0)
    other_tail = norm.cdf((-abs(p1 - p0) - z * s0) / s1) if strict else 0.0
    return float(norm.cdf((abs(p1 - p0) - z * s0) / s1) + other_tail)


def minimum_detectable_gap(n1: int, p0: float, n0: int, confidence: float, target: float = 0.8) -> float:
    """Return the smallest gap that the chi-square test of n1 against n0 faces shows with power ``target``.

    The group is taken to be worse than the reference, whose accuracy is ``p0``; where the reference is too poor for
    that, better.

    Returns
    -------
    float
        In 0 … 1; NaN where no gap is large enough.
    """
    for direction, room in ((-1, p0), (1, 1 - p0)):

        def surplus(gap: float, direction: int = direction) -> float:
            return power(p0 + direction * gap, n1, p0, n0, confidence) - target

        if room > 1e-9 and surplus(room) >= 0:
            return float(brentq(surplus, 1e-9, room, xtol=1e-10))
    return math.nan


def minimum_detectable_change(se: float, confidence: float, target: float = 0.8) -> float:
    """Return the smallest change of a gap that a z test with standard error ``se`` shows with power ``target``."""
    return float(se * (norm.isf((1 - confidence) / 2) + norm.ppf(target)))
