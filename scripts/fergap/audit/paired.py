"""The change of accuracy on the same faces, and the change of the gap: tests and intervals from paired counts."""

import math
from typing import NamedTuple

from scipy.optimize import brentq
from scipy.stats import binom, binomtest, norm, t

from fergap.audit.proportions import bonett_price, mover, wilson


class Pairs(NamedTuple):
    """Faces right before and after, lost (right before, wrong after), gained, and wrong twice."""

    n11: int
    n10: int
    n01: int
    n00: int

    @property
    def n(self) -> int:
        return sum(self)

    @property
    def change(self) -> float:
        """Accuracy after − accuracy before."""
        return (self.n01 - self.n10) / self.n

    @property
    def variance(self) -> float:
        """Variance of the change per face, (b + c)/n − ((c − b)/n)², with divisor n."""
        return (self.n10 + self.n01) / self.n - self.change**2


class Difference(NamedTuple):
    """A difference of two changes with its standard error, interval and test."""

    estimate: float
    se: float
    ci_low: float
    ci_high: float
    statistic: float
    df: float
    p_value: float


def mcnemar_exact(lost: int, gained: int) -> float:
    """Return McNemar's exact two-sided p; 1 when no face changed."""
    return float(binomtest(lost, lost + gained).pvalue) if lost + gained else 1.0


def mcnemar_midp(lost: int, gained: int) -> float:
    """Return McNemar's mid-p (Fagerland, Lydersen & Laake 2013); 1 when no face changed."""
    if lost + gained == 0:
        return 1.0
    point = float(binom.pmf(min(lost, gained), lost + gained, 0.5))
    return 1 - point / 2 if lost == gained else mcnemar_exact(lost, gained) - point


def mcnemar(lost: int, gained: int) -> tuple[float, float]:
    """Return McNemar's χ² without continuity correction and its p; 0 and 1 when no face changed."""
    if lost + gained == 0:
        return 0.0, 1.0
    z = (gained - lost) / math.sqrt(lost + gained)
    return z * z, float(2 * norm.sf(abs(z)))


def wald_p(lost: int, gained: int, n: int) -> float:
    """Return the p value of Wald's test of no change of n faces; 1 when no face changed, 0 when all changed alike."""
    spread = n * (lost + gained) - (gained - lost) ** 2
    if spread == 0:
        return float(lost == gained)
    return float(2 * norm.sf(abs(gained - lost) * math.sqrt(n / spread)))


def welch(group: Pairs, reference: Pairs, confidence: float) -> Difference:
    """Return Welch's t on the change per face (−1, 0, 1), group − reference.

    The same as ``scipy.stats.ttest_ind(equal_var=False)`` on the faces, from counts.
    """
    parts = [pairs.variance / (pairs.n - 1) for pairs in (group, reference)]
    estimate, se = group.change - reference.change, math.sqrt(sum(parts))
    if se == 0:
        return Difference(estimate, se, math.nan, math.nan, math.nan, math.nan, math.nan)
    df = sum(parts) ** 2 / sum(v**2 / (pairs.n - 1) for v, pairs in zip(parts, (group, reference), strict=True))
    half = se * float(t.isf((1 - confidence) / 2, df))
    statistic = estimate / se
    return Difference(
        estimate, se, estimate - half, estimate + half, statistic, df, float(2 * t.sf(abs(statistic), df))
    )


def mean_gap(group: Pairs, reference: Pairs, confidence: float) -> tuple[float, float, float]:
    """Return the mean of the gaps before and after, group − reference, and its interval.

    Each face counts ½ for either arm in which it is right. Newcombe's hybrid of each group's Wilson interval, as for a
    gap, so that a group nearly all right does not count as proof that it is: Welch's t held 83 % where 60 faces at 0.97
    are compared with 2,000 at 0.99. Two answers to a face say more than one: a group's interval is that of as many
    faces as would vary as much, n m(1 − m)/s², with half a face added to each of the four counts.
    """
    means, limits = [], []
    for pairs in (group, reference):
        right, half = pairs.n11 + 0.5, (pairs.n10 + pairs.n01 + 1) / 2
        m, mean = (right + half) / (pairs.n + 2), (pairs.n11 + (pairs.n10 + pairs.n01) / 2) / pairs.n
        worth = pairs.n * m * (1 - m) / ((right + half / 2) / (pairs.n + 2) - m**2)
        low, high = wilson(mean * worth, worth, confidence)
        means.append(mean)
        limits.append((min(low, mean), max(high, mean)))
    return means[0] - means[1], *mover(means[0], limits[0], means[1], limits[1])


def mover_change(group: Pairs, reference: Pairs, confidence: float) -> Difference:
    """Return the MOVER interval of the difference of changes on Bonett–Price limits; conservative in small cells.

    Its p value is the level at which the interval just reaches 0.
    """
    estimate = group.change - reference.change

    def interval(level: float) -> tuple[float, float]:
        limits = [bonett_price(pairs.n10, pairs.n01, pairs.n, level) for pairs in (group, reference)]
        return mover(group.change, limits[0], reference.change, limits[1])

    def reach(level: float) -> float:
        low, high = interval(level)
        return low if estimate > 0 else -high

    low, high = interval(confidence)
    if estimate == 0 or reach(1e-9) <= 0:
        p = 1.0
    elif reach(1 - 1e-12) >= 0:
        p = 1e-12
    else:
        p = 1 - brentq(reach, 1e-9, 1 - 1e-12, xtol=1e-13)
    se = math.sqrt(sum(pairs.variance / pairs.n for pairs in (group, reference)))
    return Difference(estimate, se, low, high, math.nan, math.nan, p)
