"""Log-loss, Brier score and calibration of every group, and their gaps, where predictions carry probabilities.

Log-loss, Brier score and overconfidence are means, whose intervals are closed forms at any number of faces. The
calibration error is not: sampling alone makes it positive, the more so the smaller the group, so it is printed beside
its mean in a calibrated model and has an interval only far above that (nearer, none covers). It is resampled: each face
is a cell of a table while there are few, and above ``CELLS`` faces neighbours share one. A cell keeps its faces' mean
scores, so that estimates are exact, resamples lose the spread within cells alone, and the work does not grow with the
faces.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import t

from fergap.audit.bootstrap import Replicates, bootstrap
from fergap.audit.inputs import Arm, Attribute, Sample
from fergap.audit.settings import BOOTSTRAP_FACES, Settings, pair_status, too_few
from fergap.seeds import generator

Row = dict[str, Any]
BINS = 15  # of equal width: Guo et al. 2017
CELLS = 500
MOST = 2_000  # resamples: two digits of an endpoint, at a tenth of the time of 20,000
DRAWS = 10_000  # of the calibration error in a calibrated model
CLEAR = 3.0  # times that error's mean from which intervals cover: 93 % and more in simulations, at 2.5 times 88 %
MEANS = ("log_loss", "brier", "overconfidence")
METRICS = (*MEANS, "ece")


class Scored(NamedTuple):
    """One group's scores.

    Attributes
    ----------
    means, variances : numpy.ndarray
        (3,) of ``MEANS`` over the faces, and their unbiased variances.
    ece, expected, p_value : float
        Expected calibration error, its mean were every answer right with the probability of its confidence, and how
        often it would then be as large.
    n : int
        Faces with probabilities.
    replicates : Replicates or None
        Of ``METRICS``; None for a group too small to resample.
    """

    n: int
    means: np.ndarray
    variances: np.ndarray
    ece: float
    expected: float
    p_value: float
    replicates: Replicates | None


def bins_of(confidence: np.ndarray) -> np.ndarray:
    """Return which of ``BINS`` bins of equal width, closed on the right, holds each confidence in 0 … 1."""
    return np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)


def calibration_error(over: np.ndarray, bins: np.ndarray) -> float:
    """Return Σ_bins |Σ (confidence − right)| ÷ n (Naeini, Cooper & Hauskrecht 2015); ``over`` is the bracket."""
    return float(np.abs(np.bincount(bins, weights=over, minlength=BINS)).sum() / len(over))


def calibrated_errors(confidence: np.ndarray, bins: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    """Return ``DRAWS`` calibration errors of a perfectly calibrated model on these confidences.

    Each bin's sum is then about normal with mean 0 and variance Σ c (1 − c).
    """
    variance = np.bincount(bins, weights=confidence * (1 - confidence), minlength=BINS)
    deviation = np.sqrt(np.maximum(variance, 0.0))
    return np.abs(stream.standard_normal((DRAWS, BINS)) * deviation).sum(1) / len(confidence)


def cells_of(stratum: np.ndarray) -> np.ndarray:
    """Return each face's cell, 0 …, for faces sorted by ``stratum``: neighbours of one stratum, at most ``CELLS``."""
    n = len(stratum)
    size = max(1, math.ceil(n / max(1, CELLS - 2 * BINS)))
    first = np.flatnonzero(np.r_[True, stratum[1:] != stratum[:-1]])
    rank = np.arange(n) - np.repeat(first, np.diff(np.r_[first, n]))
    return np.cumsum(rank % size == 0) - 1


def statistic(scores: np.ndarray, bins: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function from (…, cells) counts to (…, 4) ``METRICS``; ``scores`` are (cells, 3) ``MEANS``."""
    by_bin = np.zeros((len(bins), BINS))
    by_bin[np.arange(len(bins)), bins] = scores[:, 2]

    def of(counts: np.ndarray) -> np.ndarray:
        n = counts.sum(-1, keepdims=True)
        return np.concatenate([counts @ scores, np.abs(counts @ by_bin).sum(-1, keepdims=True)], -1) / n

    return of


def order_of(arm: Arm) -> tuple[np.ndarray, np.ndarray]:
    """Return an arm's faces with probabilities, sorted by stratum and log-loss, and the strata: bin × right."""
    given = np.flatnonzero(~np.isnan(arm.scores.log_loss))
    right = arm.true[given] == arm.predicted[given]
    stratum = 2 * bins_of(arm.scores.confidence[given]) + right
    order = np.lexsort((arm.scores.log_loss[given], stratum))
    return given[order], stratum[order]


def scored(
    arm: Arm, faces: np.ndarray, stratum: np.ndarray, settings: Settings, stream: np.random.Generator
) -> Scored | None:
    """Return a group's scores; None for a group of fewer than two faces.

    Parameters
    ----------
    faces, stratum : numpy.ndarray of int
        The group's part of :func:`order_of`.
    """
    n = len(faces)
    if n < 2:
        return None
    confidence, bins = arm.scores.confidence[faces], stratum // 2
    scores = np.stack([arm.scores.log_loss[faces], arm.scores.brier[faces], confidence - stratum % 2], 1)
    replicates = None
    if n >= BOOTSTRAP_FACES:
        cell = cells_of(stratum)
        counts = np.bincount(cell)
        within = np.stack([np.bincount(cell, weights=column) for column in scores.T], 1) / counts[:, None]
        first = np.r_[0, np.cumsum(counts)[:-1]]
        replicates = bootstrap(counts, statistic(within, bins[first]), min(settings.resamples, MOST), stream)
    error, calibrated = calibration_error(scores[:, 2], bins), calibrated_errors(confidence, bins, stream)
    p = (1 + int((calibrated >= error - 1e-12).sum())) / (DRAWS + 1)
    return Scored(n, scores.mean(0), scores.var(0, ddof=1), error, float(calibrated.mean()), p, replicates)


def mean_interval(first: Scored, second: Scored | None, metric: int, confidence: float) -> tuple[float, float] | None:
    """Return Student's interval of a group's mean, or Welch's of the difference of two; None where nothing varies."""
    parts = [(s.variances[metric] / s.n, s.n - 1) for s in (first, second) if s is not None]
    variance = sum(v for v, _ in parts)
    if variance <= 0:
        return None
    df = variance**2 / sum(v**2 / d for v, d in parts)
    half = t.isf((1 - confidence) / 2, df) * math.sqrt(variance)
    estimate = first.means[metric] - (0.0 if second is None else second.means[metric])
    return float(estimate - half), float(estimate + half)


def metric_rows(first: Scored, second: Scored | None, head: Row, settings: Settings) -> Iterator[Row]:
    """Yield a group's rows or, with a ``second`` one, the rows of the gap first − second."""
    both = [s for s in (first, second) if s is not None]
    resampled = None
    if all(s.replicates for s in both):
        resampled = first.replicates if second is None else first.replicates - second.replicates
    for m, metric in enumerate(METRICS):
        row = head | {"metric": metric}
        values = [s.means[m] if metric in MEANS else s.ece for s in both]
        row |= {"estimate": float(values[0] - sum(values[1:]))}
        if metric in MEANS:
            found = row | {"method": "t" if second is None else "welch", "primary": 1}
            interval = mean_interval(first, second, m, settings.confidence)
            if interval is None:
                yield found | {"status": "interval not estimable: every value alike"}
            else:
                yield found | {"ci_low": interval[0], "ci_high": interval[1]}
        else:
            expected = [s.expected for s in both]
            row |= {"bins": BINS, "expected_if_calibrated": expected[0] - sum(expected[1:])}
            if second is None:
                row |= {"p_value": first.p_value}
        for method in ("bca", "percentile"):
            found = row | {"method": f"bootstrap {method}", "primary": int(metric == "ece" and method == "bca")}
            if resampled is None:
                yield found | {"status": f"interval not estimable: fewer than {BOOTSTRAP_FACES} faces"}
                continue
            if np.ptp(resampled.values[:, m]) == 0:
                yield found | {"status": "interval not estimable: every value alike"}
                continue
            if metric == "ece" and any(s.ece < CLEAR * s.expected for s in both):
                yield found | {
                    "status": f"interval not estimable: less than {CLEAR:g} times a calibrated model's error"
                }
                continue
            low, high = getattr(resampled, method)(m, settings.confidence)
            yield found | {"ci_low": low, "ci_high": high, "resamples": len(resampled.values)}


def attribute_rows(
    arm: Arm, attribute: Attribute | None, order: tuple[np.ndarray, np.ndarray], settings: Settings
) -> Iterator[Row]:
    """Yield an arm's rows of one attribute, or of all faces as one group."""
    faces, stratum = order
    name, groups, reference = "all", ("all",), 0
    codes = np.zeros(len(faces), np.int64)
    if attribute is not None:
        name, groups, reference = attribute.name, attribute.groups, attribute.reference
        codes = attribute.codes[faces]
    found = []
    for g, group in enumerate(groups):
        own = codes == g
        stream = generator(settings.seed, "audit", "calibration", arm.name, name, group)
        found.append(scored(arm, faces[own], stratum[own], settings, stream))
    sizes = np.bincount(codes[codes >= 0], minlength=len(groups)).tolist()
    head = {"arm": arm.name, "attribute": name, "confidence": settings.confidence, "primary": 0}
    for g, group in enumerate(groups):
        row = head | {"group": group, "n": sizes[g], "status": too_few(sizes[g], settings.minimum_faces)}
        if row["status"] == "ok":
            yield from metric_rows(found[g], None, row, settings)
        else:
            yield from (row | {"metric": metric, "primary": 1} for metric in METRICS)
    for g, group in enumerate(groups):
        if g == reference:
            continue
        status = pair_status((sizes[g], sizes[reference]), (group, groups[reference]), settings.minimum_faces)
        row = head | {"group": group, "reference": groups[reference], "n": sizes[g], "n_reference": sizes[reference]}
        row["status"] = status
        if status == "ok":
            yield from metric_rows(found[g], found[reference], row, settings)
        else:
            yield from (row | {"metric": metric, "primary": 1} for metric in METRICS)


def calibration_metrics(sample: Sample, settings: Settings) -> Iterator[Row]:
    """Yield the rows of ``calibration_metrics``: none for an arm without probabilities."""
    for arm in sample.arms.values():
        if arm.scores is None:
            continue
        order = order_of(arm)
        if not len(order[0]):
            continue
        for attribute in (None, *sample.attributes):
            yield from attribute_rows(arm, attribute, order, settings)
