"""What gap the sample could have shown, and how many faces a given gap would need."""

import math
from collections.abc import Callable, Iterator
from typing import Any

from scipy.optimize import brentq
from scipy.stats import norm
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import proportion_effectsize

from fergap.audit.counts import Split
from fergap.audit.gaps import answers, pairs
from fergap.audit.power import minimum_detectable_gap, power
from fergap.audit.settings import Settings

Row = dict[str, Any]
GAPS = (0.07, 0.05, 0.03, 0.02)
TARGET = 0.8
MOST_FACES = 1e9  # a search for the needed faces stops here


def arcsine_power(p1: float, n1: float, p0: float, n0: float, confidence: float) -> float:
    """Return the power by Cohen's (1988) h, both tails: R's ``pwr.2p2n.test``."""
    h = abs(proportion_effectsize(p1, p0))
    return float(NormalIndPower().power(h, n1, 1 - confidence, ratio=n0 / n1))


def equivalence_power(p0: float, n1: float, n0: float, margin: float, confidence: float) -> float:
    """Return the power of two one-sided z tests at ±``margin`` when both accuracies are ``p0``.

    2 Φ(margin/se − z) − 1 with se² = p0 (1 − p0)(1/n1 + 1/n0) and the one-sided z, and 0 where that is negative.
    """
    se = math.sqrt(p0 * (1 - p0) * (1 / n1 + 1 / n0))
    if se == 0:
        return 1.0
    return max(0.0, float(2 * norm.cdf(margin / se - norm.ppf(confidence)) - 1))


def needed(power_of: Callable[[float], float], target: float = TARGET) -> float:
    """Return the smallest number of faces, not rounded, at which ``power_of`` reaches ``target``; NaN above 1e9."""
    if power_of(MOST_FACES) < target:
        return math.nan
    if power_of(2.0) >= target:
        return 2.0
    log = brentq(lambda log: power_of(math.exp(log)) - target, math.log(2), math.log(MOST_FACES), xtol=1e-11)
    return math.exp(log)


def worse(p0: float, gap: float) -> float | None:
    """Return an accuracy ``gap`` below ``p0``, or above it where there is no room below; None where there is neither.

    The same direction as :func:`fergap.audit.power.minimum_detectable_gap`.
    """
    if p0 - gap >= 0:
        return p0 - gap
    return p0 + gap if p0 + gap <= 1 else None


def planning(arm: str, split: Split, classes: tuple[str, ...], settings: Settings) -> Iterator[Row]:
    """Yield the rows of ``power`` for one arm and attribute.

    Nothing depends on the observed gap: power at the observed gap would only repeat its p value. The reference's
    accuracy is taken as it was found, and needed group sizes keep the reference's size in the same proportion.
    """
    planned = dict.fromkeys((*GAPS, settings.margin))
    for g, r, head in pairs(arm, split, settings):
        _, n1, x0, n0 = answers(split, g, r)
        head |= {"n_group": n1, "n_reference": n0, "comparisons": 1, "confidence": settings.confidence}
        if head["status"] != "ok":
            yield head | {"question": "minimum detectable gap", "method": "pooled z"}
            continue
        p0, ratio = x0 / n0, n0 / n1
        head["accuracy_reference"] = p0
        for m in dict.fromkeys((1, len(classes))):
            confidence = 1 - settings.alpha / m
            gap = minimum_detectable_gap(n1, p0, n0, confidence, TARGET)
            row = head | {"question": "minimum detectable gap", "method": "pooled z", "comparisons": m}
            row |= {"power": TARGET, "confidence": confidence}
            yield row | ({"status": "not estimable: no gap is large enough"} if math.isnan(gap) else {"gap": gap})
        for gap in planned:
            yield from planned_gap(gap, p0, n1, n0, ratio, head, settings)


def planned_gap(gap: float, p0: float, n1: int, n0: int, ratio: float, head: Row, settings: Settings) -> Iterator[Row]:
    """Yield the power to show a gap and to certify it as a margin, and the faces that each needs."""
    alpha_two_sided, p1 = settings.confidence, worse(p0, gap)
    tests: dict[str, Callable[[float, float], float]] = {}
    if p1 is not None:
        tests = {
            "pooled z": lambda n, m: power(p1, n, p0, m, alpha_two_sided),
            "pooled z, both tails": lambda n, m: power(p1, n, p0, m, alpha_two_sided, strict=True),
            "arcsine (Cohen's h)": lambda n, m: arcsine_power(p1, n, p0, m, alpha_two_sided),
        }
    else:
        yield head | {"question": "power at gap", "gap": gap, "status": "not estimable: no room for the gap"}
    certify = {"two one-sided z": lambda n, m: equivalence_power(p0, n, m, gap, settings.confidence)}
    questions = (
        ("power at gap", "faces needed for gap", tests, {"gap": gap}),
        ("power to certify margin", "faces needed to certify margin", certify, {"gap": 0.0, "margin": gap}),
    )
    for now, wanted, methods, what in questions:
        for method, of in methods.items():
            row = head | what | {"method": method}
            yield row | {"question": now, "power": of(n1, n0)}
            faces = needed(lambda n, of=of: of(n, n * ratio))
            row |= {"question": wanted, "power": TARGET}
            if math.isnan(faces):
                yield row | {"status": "not estimable: more than a thousand million faces"}
            else:
                yield row | {"n_group": math.ceil(faces - 1e-6), "n_reference": math.ceil(faces * ratio - 1e-6)}
