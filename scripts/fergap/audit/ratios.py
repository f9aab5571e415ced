"""Intervals for the ratio of two proportions, and for a group against the whole that it is part of."""

import math

from scipy.stats import norm

from fergap.audit.proportions import Interval, newcombe, wilson


def log_interval(estimate: float, se: float, confidence: float) -> Interval:
    """Return the interval of a ratio whose logarithm has the standard error ``se``: estimate · exp(∓ z se)."""
    half = float(norm.isf((1 - confidence) / 2)) * se
    return estimate * math.exp(-half), estimate * math.exp(half)


def katz(x1: int, n1: int, x0: int, n0: int, confidence: float) -> Interval:
    """Return the log interval (Katz et al. 1978) of (x1/n1)/(x0/n0), for x1 and x0 above 0."""
    se = math.sqrt(1 / x1 - 1 / n1 + 1 / x0 - 1 / n0)
    return log_interval((x1 / n1) / (x0 / n0), se, confidence)


def score_ratio(x1: int, n1: int, x0: int, n0: int, confidence: float) -> Interval:
    """Return the hybrid score interval of (x1/n1)/(x0/n0); NaN where x0 is 0.

    MOVER for ratios (Donner & Zou 2012, Stat Methods Med Res 21:347) on Wilson limits, the counterpart of Newcombe's
    interval for a difference. The lower end is written so that it has no pole at u0 = 2 p0.
    """
    if x0 == 0:
        return math.nan, math.nan
    p1, p0 = x1 / n1, x0 / n0
    (l1, u1), (l0, u0) = wilson(x1, n1, confidence), wilson(x0, n0, confidence)
    product = p1 * p0
    root = math.sqrt(max(product**2 - l1 * u0 * (2 * p1 - l1) * (2 * p0 - u0), 0.0))
    low = l1 * (2 * p1 - l1) / (product + root) if l1 > 0 else 0.0
    root = math.sqrt(max(product**2 - u1 * l0 * (2 * p1 - u1) * (2 * p0 - l0), 0.0))
    high = (product + root) / (l0 * (2 * p0 - l0))
    return min(low, p1 / p0), max(high, p1 / p0)


def against_whole(
    x1: int, n1: int, rest_x: int, rest_n: int, confidence: float, *, ratio: bool, above: bool
) -> Interval:
    """Return the interval of a group against the whole, from the group against the rest.

    With w the group's share of the faces, p − whole is (1 − w)(p − rest), and p/whole is r/(w r + 1 − w) where r is
    p/rest.

    Parameters
    ----------
    ratio : bool
        Ratio rather than difference.
    above : bool
        Whether the group lies above the whole: the difference is then group − whole and the ratio whole/group.
    """
    w = n1 / (n1 + rest_n)
    if not ratio:
        low, high = ((1 - w) * end for end in newcombe(x1, n1, rest_x, rest_n, confidence))
        return (low, high) if above else (-high, -low)
    if above:  # rest/group: whole/group is w + (1 − w) rest/group
        low, high = score_ratio(rest_x, rest_n, x1, n1, confidence)
        return w + (1 - w) * low, w + (1 - w) * high
    low, high = score_ratio(x1, n1, rest_x, rest_n, confidence)
    return low / (w * low + 1 - w), high / (w * high + 1 - w)
