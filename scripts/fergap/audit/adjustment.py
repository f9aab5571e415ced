"""How much of a gap is class mix: adjusted effects, homogeneity over classes, decomposition, Simpson's paradox."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.stats import chi2, norm
from statsmodels.stats.contingency_tables import StratifiedTable

from fergap.audit.counts import Split
from fergap.audit.gaps import NO_CLASS, answers, bounds, estimated, pairs
from fergap.audit.proportions import newcombe
from fergap.audit.settings import Settings, faces, few_answers
from fergap.audit.stratified import Strata, Test, risk_difference, two_by_two

Row = dict[str, Any]
LEAST = 5  # faces of a class in each group for an interval of its part


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


def shares_and_recalls(strata: Strata) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return each class's share of the group and of the reference, and its recall in both.

    The recall of a class that one group lacks is the other group's.
    """
    w1, w0 = strata.n1 / strata.n1.sum(), strata.n0 / strata.n0.sum()
    r1, r0 = strata.x1 / np.maximum(strata.n1, 1), strata.x0 / np.maximum(strata.n0, 1)
    return w1, w0, np.where(strata.n1 > 0, r1, r0), np.where(strata.n0 > 0, r0, r1)


def kitagawa(strata: Strata) -> tuple[np.ndarray, np.ndarray]:
    """Return each class's part of the gap by mix and by accuracy within it (Kitagawa 1955); both sum to the gap.

    Mix (w1 − w0)(R1 + R0)/2, within (R1 − R0)(w1 + w0)/2, of shares w and recalls R. A class that one group lacks is
    all mix.
    """
    w1, w0, r1, r0 = shares_and_recalls(strata)
    return (w1 - w0) * (r1 + r0) / 2, (r1 - r0) * (w1 + w0) / 2


def kitagawa_errors(strata: Strata) -> tuple[np.ndarray, np.ndarray]:
    """Return standard errors of Kitagawa's parts by the delta method, of each class and then of their sum.

    Groups are independent samples of faces; in each the class counts are multinomial and the right answers binomial
    given them. A part f(w, R) has the variance [Σ g² w − (Σ g w)²]/n + Σ h² R (1 − R)/(n w) from each group, with
    g = ∂f/∂w and h = ∂f/∂R.

    Returns
    -------
    tuple of two numpy.ndarray
        (classes + 1,) of mix and of within.
    """
    w1, w0, r1, r0 = shares_and_recalls(strata)
    both = (w1 > 0) & (w0 > 0)
    gap, middle = r1 - r0, (r1 + r0) / 2
    shares = np.where(both, (w1 - w0) / 2, w1 - w0)  # a class of one group alone is all mix, at that group's recall
    weights = np.where(both, (w1 + w0) / 2, 0.0)
    out = []
    for slopes in (((middle, shares), (-middle, shares)), ((gap / 2, weights), (gap / 2, -weights))):
        variance = np.zeros(len(w1) + 1)
        for (g, h), n, w, r in zip(slopes, (strata.n1, strata.n0), (w1, w0), (r1, r0), strict=True):
            spread = np.divide(h**2 * r * (1 - r), n, out=np.zeros_like(r), where=n > 0)
            variance[:-1] += g**2 * w * (1 - w) / n.sum() + spread
            variance[-1] += (np.sum(g**2 * w) - np.sum(g * w) ** 2) / n.sum() + spread.sum()
        out.append(np.sqrt(np.maximum(variance, 0.0)))
    return out[0], out[1]


def simpson_reading(strata: Strata, confidence: float) -> str | None:
    """Return what a raised :func:`simpson` flag is worth.

    The rule compares two estimates and knows nothing of their errors, so a gap near 0 raises the flag by noise alone.
    ``none``: no flag. ``within error``: flag, but the intervals of the crude gap (Newcombe) and of the adjusted one
    (Mantel–Haenszel) both include 0, so neither has a sign to be turned. ``reversed``: another sign after adjusting,
    at least one of the two intervals without 0. ``shifted``: the same sign, moved by more than half, at least one of
    the two without 0. None where no class is common to both groups.
    """
    flag = simpson(strata)
    if not flag:
        return None if flag is None else "none"
    counts = [int(a.sum()) for a in strata]
    adjusted, *interval = risk_difference(strata, confidence)
    if all(low <= 0 <= high for low, high in (newcombe(*counts, confidence), interval)):
        return "within error"
    crude = counts[0] / counts[1] - counts[2] / counts[3]
    return "reversed" if crude * adjusted < 0 else "shifted"


def simpson(strata: Strata) -> int | None:
    """Return 1 if adjusting for class turns the gap's sign or moves it by more than half of it, else 0.

    The rule to the letter, whatever the errors: :func:`simpson_reading` says what it is worth. None where no class is
    common to both groups.
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
            row |= estimated(standardised_gap(split.strata(g, r), settings.confidence), NO_CLASS)
        yield row


def adjusted_effects(arm: str, split: Split, settings: Settings) -> Iterator[Row]:
    """Yield the Mantel–Haenszel odds ratios of one arm and attribute, for ``effects``."""
    for g, r, head in pairs(arm, split, settings):
        row = head | {"effect": "adjusted_odds_ratio", "method": "mantel-haenszel", "confidence": settings.confidence}
        if row["status"] == "ok":
            found = odds_ratio(split.strata(g, r), settings.confidence)
            row |= estimated(found, "not estimable: no finite odds ratio within classes")
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

    ``crude`` = ``expected_from_mix`` + ``beyond_mix`` = ``mix`` + ``within_class``; the last two also by class. The
    crude gap has Newcombe's interval and Kitagawa's parts a normal one with delta standard errors, which a group with
    fewer than 30 faces or 5 correct or wrong answers, or a class with fewer than 5 faces in a group, has not.
    """
    z = float(norm.isf(settings.alpha / 2))
    for g, r, head in pairs(arm, split, settings):
        if head["status"] != "ok":
            yield head | {"component": "crude"}
            continue
        head["confidence"] = settings.confidence
        counts = answers(split, g, r)
        enough = few_answers(*counts)
        strata = split.strata(g, r)
        crude, expected = float(split.right[g] / split.n[g] - split.right[r] / split.n[r]), expected_gap(strata)
        mix, within = kitagawa(strata)
        interval = {"method": "newcombe"} | bounds(newcombe(*counts, settings.confidence))
        yield head | {"component": "crude", "estimate": crude} | interval
        yield head | {"component": "expected_from_mix", "estimate": expected}
        yield head | {"component": "beyond_mix", "estimate": crude - expected}
        support = np.minimum(strata.n1, strata.n0)
        errors = kitagawa_errors(strata)
        for component, parts, se in (("mix", mix, errors[0]), ("within_class", within, errors[1])):
            values = [*parts, parts.sum()]
            for c in (-1, *range(len(classes))):
                estimate, half = float(values[c]), z * float(se[c])
                row = head | {"component": component, "estimate": estimate, "method": "delta"}
                row |= {"class": None if c < 0 else classes[c]}
                if enough != "ok":
                    row["status"] = enough
                elif c >= 0 and support[c] < LEAST:
                    row["status"] = f"interval not estimable: {faces(int(support[c]))} of the class in a group"
                else:
                    row |= bounds((max(-1.0, estimate - half), min(1.0, estimate + half)))
                yield row
