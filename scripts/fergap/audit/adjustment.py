"""How much of a gap is class mix: adjusted effects, homogeneity over classes, decomposition, Simpson's paradox."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.stats import chi2, norm
from statsmodels.stats.contingency_tables import StratifiedTable

from fergap.audit.counts import Split
from fergap.audit.gaps import bounds, pairs
from fergap.audit.settings import Settings
from fergap.audit.stratified import Strata, Test, risk_difference, two_by_two

Row = dict[str, Any]


def telling(strata: Strata) -> list[np.ndarray]:
    """Return the tables of the classes that both groups have and that were answered both right and wrong."""
    s = strata.informative()
    right = s.x1 + s.x0
    varied = (right > 0) & (right < s.n1 + s.n0)
    return [two_by_two(*counts) for counts in zip(*(a[varied] for a in s), strict=True)]


def odds_ratio(strata: Strata, confidence: float) -> tuple[float, float, float]:
    """Return the Mantel–Haenszel odds ratio of a correct answer with its interval; NaN where it is 0 or infinite.

    Σ a d/N ÷ Σ b c/N, with the variance of Robins, Breslow and Greenland (1986).
    """
    tables = telling(strata)
    if not any(t[0, 0] * t[1, 1] for t in tables) or not any(t[0, 1] * t[1, 0] for t in tables):
        return math.nan, math.nan, math.nan
    pooled = StratifiedTable(tables)
    low, high = pooled.oddsratio_pooled_confint(alpha=1 - confidence)
    return float(pooled.oddsratio_pooled), float(low), float(high)


def breslow_day(strata: Strata, tarone: bool) -> Test:
    """Return Breslow and Day's test that the odds ratio is the same in every class; NaN where there is none to test.

    The common odds ratio is Mantel and Haenszel's; ``tarone`` subtracts Tarone's (1985) correction for its estimate.
    Own code because statsmodels' ``test_equal_odds`` divides by 0 where that odds ratio is 1.
    """
    tables, ratio = telling(strata), odds_ratio(strata, 0.95)[0]
    if len(tables) < 2 or math.isnan(ratio):
        return Test(math.nan, math.nan, math.nan)
    table = np.array(tables, float)
    faces, right = table[:, 0].sum(1), table[:, :, 0].sum(1)
    # the expected count e solves e (n0 − right + e) = ratio (faces − e)(right − e)
    a, b = 1 - ratio, table[:, 1].sum(1) - right + ratio * (faces + right)
    root = np.sqrt(b**2 + 4 * a * ratio * faces * right)
    e = np.where(b > 0, 2 * ratio * faces * right / np.where(b > 0, b + root, 1), (root - b) / (2 * a if a else 1))
    variance = 1 / (1 / e + 1 / (right - e) + 1 / (faces - e) + 1 / (table[:, 1].sum(1) - right + e))
    excess = table[:, 0, 0] - e
    statistic = float(np.sum(excess**2 / variance))
    if tarone:
        statistic -= float(excess.sum() ** 2 / variance.sum())
    statistic, df = max(statistic, 0.0), len(tables) - 1
    return Test(statistic, float(df), float(chi2.sf(statistic, df)))


def standardised_gap(strata: Strata, confidence: float) -> tuple[float, float, float]:
    """Return the gap at the pooled class shares, with its interval, over the classes that both groups have.

    Σ w (x1/n1 − x0/n0), standard error √Σ w² (p1 q1/n1 + p0 q0/n0).
    """
    s = Strata(*(a.astype(float) for a in strata.informative()))
    if not len(s.n1):
        return math.nan, math.nan, math.nan
    weight = (s.n1 + s.n0) / (s.n1 + s.n0).sum()
    p1, p0 = s.x1 / s.n1, s.x0 / s.n0
    gap = float(np.sum(weight * (p1 - p0)))
    variance = np.sum(weight**2 * (p1 * (1 - p1) / s.n1 + p0 * (1 - p0) / s.n0))
    half = norm.isf((1 - confidence) / 2) * math.sqrt(float(variance))
    return gap, max(-1.0, gap - half), min(1.0, gap + half)


def expected_gap(strata: Strata) -> float:
    """Return the gap that class mix alone makes: both groups answered as both together were in each class."""
    n = strata.n1 + strata.n0
    rate = (strata.x1 + strata.x0) / np.maximum(n, 1)
    return float(np.sum(rate * (strata.n1 / strata.n1.sum() - strata.n0 / strata.n0.sum())))


def kitagawa(strata: Strata) -> tuple[np.ndarray, np.ndarray]:
    """Return each class's part of the gap by mix and by accuracy within it (Kitagawa 1955); both sum to the gap.

    Mix (w1 − w0)(R1 + R0)/2, within (R1 − R0)(w1 + w0)/2, of shares w and recalls R. A class that one group lacks is
    all mix: its recall there is taken to be the other group's.
    """
    w1, w0 = strata.n1 / strata.n1.sum(), strata.n0 / strata.n0.sum()
    r1, r0 = strata.x1 / np.maximum(strata.n1, 1), strata.x0 / np.maximum(strata.n0, 1)
    r1, r0 = np.where(strata.n1 > 0, r1, r0), np.where(strata.n0 > 0, r0, r1)
    return (w1 - w0) * (r1 + r0) / 2, (r1 - r0) * (w1 + w0) / 2


def simpson(strata: Strata) -> int | None:
    """Return 1 if adjusting for class turns the gap's sign or moves it by more than half of it, else 0.

    None where no class is common to both groups.
    """
    crude = strata.x1.sum() / strata.n1.sum() - strata.x0.sum() / strata.n0.sum()
    adjusted = risk_difference(strata, 0.95)[0]
    if math.isnan(adjusted):
        return None
    moved = abs(adjusted - crude) > abs(crude) / 2 + 1e-12
    turned = crude * adjusted < 0 and min(abs(crude), abs(adjusted)) > 1e-12
    return int(turned or moved)


def adjusted_gaps(arm: str, split: Split, settings: Settings) -> Iterator[Row]:
    """Yield the standardised gaps of one arm and attribute, for ``gaps``."""
    for g, r, head in pairs(arm, split, settings):
        row = head | {"metric": "accuracy", "adjusted_for": "class", "method": "standardised", "primary": 0}
        row |= {"n_group": int(split.n[g]), "n_reference": int(split.n[r]), "confidence": settings.confidence}
        if row["status"] == "ok":
            estimate, *interval = standardised_gap(split.strata(g, r), settings.confidence)
            if math.isnan(estimate):
                row["status"] = "not estimable: no class that both groups have"
            else:
                row |= {"estimate": estimate} | bounds(interval)
        yield row


def adjusted_effects(arm: str, split: Split, settings: Settings) -> Iterator[Row]:
    """Yield the Mantel–Haenszel odds ratios of one arm and attribute, for ``effects``."""
    for g, r, head in pairs(arm, split, settings):
        row = head | {"effect": "adjusted_odds_ratio", "method": "mantel-haenszel", "confidence": settings.confidence}
        if row["status"] == "ok":
            estimate, *interval = odds_ratio(split.strata(g, r), settings.confidence)
            if math.isnan(estimate):
                row["status"] = "not estimable: no finite odds ratio within classes"
            else:
                row |= {"estimate": estimate} | bounds(interval)
        yield row


def homogeneity(arm: str, split: Split, settings: Settings) -> Iterator[Row]:
    """Yield Breslow and Day's tests of one arm and attribute, for ``tests``."""
    for g, r, head in pairs(arm, split, settings):
        for name, tarone in (("breslow-day", False), ("breslow-day, tarone", True)):
            row = head | {"test": name, "primary": 0}
            if row["status"] == "ok":
                found = breslow_day(split.strata(g, r), tarone)
                row |= found._asdict()
                if math.isnan(found.p_value):
                    row["status"] = "not estimable: fewer than two classes with a finite odds ratio"
            yield row


def decomposition(arm: str, split: Split, classes: tuple[str, ...], settings: Settings) -> Iterator[Row]:
    """Yield the rows of ``decomposition`` for one arm and attribute.

    ``crude`` = ``expected_from_mix`` + ``beyond_mix`` = ``mix`` + ``within_class``; the last two also by class.
    """
    for g, r, head in pairs(arm, split, settings):
        if head["status"] != "ok":
            yield head | {"component": "crude"}
            continue
        strata = split.strata(g, r)
        crude, expected = float(split.right[g] / split.n[g] - split.right[r] / split.n[r]), expected_gap(strata)
        mix, within = kitagawa(strata)
        yield head | {"component": "crude", "estimate": crude}
        yield head | {"component": "expected_from_mix", "estimate": expected}
        yield head | {"component": "beyond_mix", "estimate": crude - expected}
        for component, parts in (("mix", mix), ("within_class", within)):
            yield head | {"component": component, "estimate": float(parts.sum())}
            for label, part in zip(classes, parts, strict=True):
                yield head | {"component": component, "class": label, "estimate": float(part)}
