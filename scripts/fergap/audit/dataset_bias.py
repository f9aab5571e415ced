"""How biased a data set is before any training: labels by group, and groups by group."""

from collections.abc import Iterator, Sequence
from itertools import combinations, product
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.stats import chi2, ncx2, norm, random_table

from fergap.audit.association import (
    ASSOCIATIONS,
    PUBLISHED,
    UNEVENNESS,
    Measure,
    duchers_z,
    entropy,
    mutual_information,
    shares,
)
from fergap.audit.inputs import Attribute, Sample
from fergap.audit.proportions import wilson
from fergap.audit.settings import Settings
from fergap.seeds import generator

Row = dict[str, Any]
DRAWS = 2000
FEWEST = 20  # faces below which nothing is resampled
SHRINKAGES = 21
DEEPEST = 3  # attributes that are crossed with the label


def too_little(faces: int, kinds: int) -> str:
    """Return why nothing can be measured, or an empty text."""
    if kinds < 2:
        return "not estimable: fewer than two groups or labels have a face"
    return f"not estimable: {faces} faces, fewer than {FEWEST}" if faces < FEWEST else ""


def cross(first: np.ndarray, second: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Count pairs of codes, −1 being unknown: (k, n) int64."""
    known = (first >= 0) & (second >= 0)
    return np.bincount(first[known] * shape[1] + second[known], minlength=shape[0] * shape[1]).reshape(shape)


def associations(
    counts: np.ndarray, confidence: float, stream: np.random.Generator, draws: int = DRAWS
) -> Iterator[Row]:
    """Yield every measure of a table of two attributes with its interval and what independence would give.

    Parameters
    ----------
    counts : numpy.ndarray of int
        (k, n), groups by labels; groups and labels without a face are left out.
    confidence : float
    stream : numpy.random.Generator
    draws : int
        Of the bootstrap and of tables under independence.

    Yields
    ------
    dict
        ``metric``, ``form`` (``corrected`` or ``published``), ``n``, ``estimate``, ``ci_low``, ``ci_high``,
        ``expected`` and ``p_value``, ``status``.

    Notes
    -----
    Under independence the margins are kept and tables drawn at random (Patefield 1981): ``expected`` is their mean and
    p the share, with the observed table counted, that reaches the estimate. Measures made of mutual information or of
    χ² have the interval of a noncentral χ² (:func:`chi_square_intervals`), the others that of
    :func:`corrected_interval`, in the corrected forms with the lower end of :func:`lower_ends`. Where independence is
    not rejected at 1 − confidence, the lower end is 0. benchmarks/README.md tells how often these hold the truth.
    """
    counts = counts[counts.sum(1) > 0][:, counts.sum(0) > 0]
    faces = int(counts.sum())
    short = too_little(faces, min(counts.shape))
    if not short:
        asymptotic = chi_square_intervals(counts, confidence)
        resampled = stream.multinomial(faces, (counts / faces).ravel(), draws).reshape(draws, *counts.shape)
        shuffled = random_table(counts.sum(1), counts.sum(0)).rvs(draws, random_state=stream)
        others = {name: measure for name, measure in ASSOCIATIONS.items() if name not in asymptotic}
        lower = lower_ends(counts, others, confidence, stream, draws // 4)
    for form, measures in (("corrected", ASSOCIATIONS), ("published", PUBLISHED)):
        for name, measure in measures.items():
            row = {"metric": name, "form": form, "n": faces}
            if short:
                yield row | {"status": short}
                continue
            estimate = float(measure(counts))
            interval = asymptotic.get(name) or corrected_interval(estimate, measure(resampled), confidence)
            interval = (lower.get(name, interval[0]), interval[1])
            # published forms may lie above 0 under independence
            yield row | measured(estimate, measure(shuffled), interval, confidence, zero=form == "corrected")


def measured(
    estimate: float, null: np.ndarray, interval: tuple[float, float], confidence: float, zero: bool = True
) -> Row:
    """Return an estimate with its null; with ``zero`` the interval begins at 0 where that is not rejected.

    The interval is widened to the estimate where it leaves that out: a table much nearer to independence than chance
    makes it rejects every noncentrality, and 0 … 0 would claim to know that nothing is there.
    """
    p = (1 + (null >= estimate - 1e-12).sum()) / (1 + len(null))
    low = 0.0 if zero and p > 1 - confidence else min(interval[0], estimate)
    high = max(interval[1], estimate)
    bounds = {"ci_low": low, "ci_high": high, "expected": float(null.mean()), "p_value": float(p)}
    return {"estimate": estimate, "status": "ok"} | bounds


def chi_square_intervals(counts: np.ndarray, confidence: float) -> dict[str, tuple[float, float]]:
    """Return the intervals of the measures that are functions of a χ² statistic, by metric.

    2 N I (I in nats, with the entropies taken as known) and Pearson's X² are nearly noncentral χ² with
    (k − 1)(n − 1) degrees of freedom and noncentrality 2 N I, or N φ² (Smithson 2003, *Confidence Intervals*, ch. 4);
    the interval holds every noncentrality that a two-sided test of the statistic accepts.
    """
    faces, (k, n) = counts.sum(), counts.shape
    expected = counts.sum(1, keepdims=True) * counts.sum(0, keepdims=True) / faces
    pearson = float(((counts - expected) ** 2 / expected).sum())
    by_label, by_group = entropy(shares(counts.sum(0), -1)), entropy(shares(counts.sum(1), -1))
    information = [
        x / (2 * faces) for x in noncentralities(2 * faces * float(mutual_information(counts)), k, n, confidence)
    ]
    phi = [x / faces for x in noncentralities(pearson, k, n, confidence)]
    return {
        "normalised_mutual_information": tuple(min(1.0, float(x / np.sqrt(by_label * by_group))) for x in information),
        "uncertainty_coefficient": tuple(min(1.0, float(x / by_label)) for x in information),
        "cramers_v": tuple(min(1.0, float(np.sqrt(x / (min(k, n) - 1)))) for x in phi),
    }


def lower_ends(
    counts: np.ndarray, measures: dict[str, Measure], confidence: float, stream: np.random.Generator, draws: int
) -> dict[str, float]:
    """Return by metric the smallest value that a one-sided test at (1 − confidence) / 2 does not reject.

    The populations tested lie between independence and the observed table: all shares keep their margins, and their
    departure from independence is shrunk. The value is that of the population under which tables reach the estimate
    with just that chance. A distance grows by chance alone, and more so the nearer to independence a table is, which
    the bootstrap at the observed table does not show.
    """
    faces, alpha = int(counts.sum()), (1 - confidence) / 2
    observed = counts / faces
    independent = observed.sum(1, keepdims=True) * observed.sum(0, keepdims=True)
    shrunk = np.linspace(0, 1, SHRINKAGES)[:, None, None]
    populations = independent + shrunk * (observed - independent)
    drawn = np.stack([stream.multinomial(faces, p.ravel(), draws).reshape(draws, *counts.shape) for p in populations])
    ends = {}
    for name, measure in measures.items():
        reached = np.maximum.accumulate((measure(drawn) >= measure(counts) - 1e-12).mean(1))
        ends[name] = float(np.interp(alpha, reached, measure(populations))) if reached[0] < alpha else 0.0
    return ends


def noncentralities(statistic: float, k: int, n: int, confidence: float) -> tuple[float, float]:
    """Return the noncentralities of χ² with (k − 1)(n − 1) degrees of freedom that a statistic does not reject."""
    df, alpha = (k - 1) * (n - 1), 1 - confidence
    most = statistic + 10 * np.sqrt(2 * df + 4 * statistic) + 10 * df

    def solved(tail: float) -> float:
        if chi2.cdf(statistic, df) <= tail:
            return 0.0
        return float(brentq(lambda x: ncx2.cdf(statistic, df, x) - tail, 1e-12, most))

    return solved(1 - alpha / 2), solved(alpha / 2)


def unevenness(counts: np.ndarray, confidence: float, stream: np.random.Generator, draws: int = DRAWS) -> Iterator[Row]:
    """Yield every measure of one attribute's groups, (k,) counts, as :func:`associations` does.

    What is expected comes from equal shares; groups that are declared and have no face count.
    """
    faces = int(counts.sum())
    short = too_little(faces, len(counts))
    for name, measure in UNEVENNESS.items():
        row = {"metric": name, "form": "corrected", "n": faces}
        if short:
            yield row | {"status": short}
            continue
        estimate = float(measure(counts))
        null = measure(stream.multinomial(faces, np.full(len(counts), 1 / len(counts)), draws))
        drawn = measure(stream.multinomial(faces, counts / faces, draws))
        yield row | measured(estimate, null, corrected_interval(estimate, drawn, confidence), confidence)


def corrected_interval(estimate: float, replicates: np.ndarray, confidence: float) -> tuple[float, float]:
    """Return estimate − bias ± z √(se² + bias²), within 0 … 1 where the estimate is.

    Bias and standard error are the bootstrap's (Efron & Tibshirani 1993, ch. 10). Measures of distance are biased
    upwards, most where nothing differs; percentiles of the bootstrap lie above the estimate there, and intervals that
    take the bias for known are too short.
    """
    bias, error = replicates.mean() - estimate, replicates.std()
    reach = norm.ppf((1 + confidence) / 2) * np.hypot(error, bias)
    low, high = estimate - bias - reach, estimate - bias + reach
    if 0 <= estimate <= 1:
        low, high = max(0.0, low), min(1.0, high)
    return float(low), float(high)


def dataset_bias(sample: Sample, settings: Settings) -> list[Row]:
    """Return the rows of table ``dataset_bias``: every attribute against the label, and attributes among themselves.

    An attribute ``with`` the label or another attribute has the measures of :func:`associations`; one with none those
    of :func:`unevenness`.
    """
    labels, plain = sample.labels, [a for a in sample.attributes if not a.combined]
    present = labels >= 0
    rows = []

    def add(first: Attribute, other: str, counts: np.ndarray) -> None:
        stream = generator(settings.seed, "audit", "dataset bias", first.name, other)
        make = associations if other else unevenness
        head = {"attribute": first.name, "with": other or None, "confidence": settings.confidence}
        rows.extend(head | row for row in make(counts, settings.confidence, stream))

    for attribute in plain:
        codes, k = np.where(present, attribute.codes, -1), len(attribute.groups)
        add(attribute, "", np.bincount(codes[codes >= 0], minlength=k))
        add(attribute, "label", cross(codes, labels, (k, len(sample.classes))))
    for first, second in combinations(plain, 2):
        codes = np.where(present, first.codes, -1)
        add(first, second.name, cross(codes, second.codes, (len(first.groups), len(second.groups))))
    return rows


def dataset_shares(sample: Sample, settings: Settings) -> list[Row]:
    """Return the rows of table ``dataset_shares``: the labels' shares in all faces, and by one to three attributes.

    Each share of a group's faces has Wilson's interval, and beside it the label's share of all faces of known group and
    Ducher's Z, in −1 … 1: how much more or less often the two meet than if they were independent.
    """
    labels, plain = sample.labels, [a for a in sample.attributes if not a.combined]
    everyone = np.where(labels >= 0, 0, -1)
    rows = _shares("all", ["all"], everyone, labels, sample.classes, settings)
    for size in range(1, DEEPEST + 1):
        for chosen in combinations(plain, size):
            known = np.all([a.codes >= 0 for a in chosen], 0)
            shape = tuple(len(a.groups) for a in chosen)
            codes = np.where(known, np.ravel_multi_index([np.maximum(a.codes, 0) for a in chosen], shape), -1)
            names = ["*".join(parts) for parts in product(*(a.groups for a in chosen))]
            rows += _shares("*".join(a.name for a in chosen), names, codes, labels, sample.classes, settings)
    return rows


def _shares(
    attribute: str,
    groups: Sequence[str],
    codes: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    settings: Settings,
) -> list[Row]:
    counts = cross(codes, labels, (len(groups), len(classes)))
    overall, z, rows = shares(counts.sum(0), -1), duchers_z(counts), []
    for g, group in enumerate(groups):
        n = int(counts[g].sum())
        for c, label in enumerate(classes):
            row = {"attribute": attribute, "group": group, "label": label, "count": int(counts[g, c]), "n": n}
            row |= {
                "overall": float(overall[c]),
                "confidence": settings.confidence,
                "status": "ok" if n else "not estimable: no face",
            }
            if n:
                low, high = wilson(int(counts[g, c]), n, settings.confidence)
                found = {"share": counts[g, c] / n, "ci_low": low, "ci_high": high, "duchers_z": float(z[g, c])}
                row |= found if attribute != "all" else found | {"duchers_z": None}
            rows.append(row)
    return rows
