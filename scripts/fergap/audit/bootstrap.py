"""The bootstrap on a table of counts.

Drawing n faces with replacement and counting them is a multinomial draw of the counts, exactly, so the work depends on
the number of cells and not on the number of faces. Groups are strata: each is drawn by itself, and a difference of two
groups is the difference of their draws.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm

CHUNK = 10_000  # resamples at a time, which bounds the memory
FLAT = 0.01  # share of resamples without a standard error above which there is no studentized interval


@dataclass(frozen=True)
class Replicates:
    """Bootstrap replicates of M metrics, with what BCa's acceleration needs of each stratum.

    Attributes
    ----------
    estimate : numpy.ndarray
        (M,) metrics of the counts themselves.
    values : numpy.ndarray
        (B, M) metrics of the resamples.
    second, third : numpy.ndarray
        (M,) Σ c U²/n² and Σ c U³/n³ over cells of c faces, U being the jackknife influence.
    left_out : int
        Resamples that gave no value and are not among the B.
    variance : numpy.ndarray or None
        (1 + B,) delta-method variance of the first metric, a mean over faces, in the counts themselves and in each
        resample.
    """

    estimate: np.ndarray
    values: np.ndarray
    second: np.ndarray
    third: np.ndarray
    left_out: int = 0
    variance: np.ndarray | None = None

    def __sub__(self, other: "Replicates") -> "Replicates":
        """The difference of two independent strata."""
        return Replicates(
            self.estimate - other.estimate,
            self.values - other.values,
            self.second + other.second,
            self.third - other.third,
            self.left_out + other.left_out,
            None if self.variance is None or other.variance is None else self.variance + other.variance,
        )

    def percentile(self, metric: int, confidence: float) -> tuple[float, float]:
        """Return the percentile interval."""
        tail = (1 - confidence) / 2
        low, high = np.quantile(self.values[:, metric], [tail, 1 - tail])
        return float(low), float(high)

    def basic(self, metric: int, confidence: float) -> tuple[float, float]:
        """Return the basic (reflected percentile) interval."""
        low, high = self.percentile(metric, confidence)
        return float(2 * self.estimate[metric] - high), float(2 * self.estimate[metric] - low)

    def bca(self, metric: int, confidence: float) -> tuple[float, float]:
        """Return the BCa interval: multi-sample acceleration (Davison & Hinkley 1997), ties counted half.

        Values are compared after rounding to 12 digits, because 0.7 − 0.4 is not 0.3 in binary.
        """
        values, estimate = np.round(self.values[:, metric], 12), np.round(self.estimate[metric], 12)
        below = (np.sum(values < estimate) + np.sum(values <= estimate)) / (2 * len(values))
        z0 = norm.ppf(np.clip(below, 0.5 / len(values), 1 - 0.5 / len(values)))
        a = self.acceleration()[metric]
        z = z0 + norm.ppf([(1 - confidence) / 2, (1 + confidence) / 2])
        low, high = np.quantile(values, norm.cdf(z0 + z / (1 - a * z)))
        return float(low), float(high)

    def studentized(self, metric: int, confidence: float) -> tuple[float, float]:
        """Return the studentized (bootstrap-t) interval of the first metric (Davison & Hinkley 1997, 5.2.1).

        T − s q, q the quantiles of (T* − T)/s* with each resample's own delta standard error s*. Resamples whose s* is
        0 have no such ratio and are left out; with more than ``FLAT`` of them, or an s of 0, the ends are NaN.
        """
        if metric or self.variance is None:
            raise ValueError("only the first metric has a standard error in each resample")
        known = self.variance[1:] > 0
        if self.variance[0] <= 0 or known.mean() < 1 - FLAT:
            return math.nan, math.nan
        ratio = (self.values[known, 0] - self.estimate[0]) / np.sqrt(self.variance[1:][known])
        tail, error = (1 - confidence) / 2, math.sqrt(self.variance[0])
        low, high = np.quantile(ratio, [tail, 1 - tail])
        return float(self.estimate[0] - error * high), float(self.estimate[0] - error * low)

    def flat(self) -> int:
        """Return how many resamples have a standard error of 0, which the studentized interval leaves out."""
        return 0 if self.variance is None else int((self.variance[1:] <= 0).sum())

    def part(self, rows: np.ndarray) -> "Replicates":
        """Return the replicates with these resamples alone."""
        kept = None if self.variance is None else self.variance[np.r_[0, rows + 1]]
        return replace(self, values=self.values[rows], variance=kept)

    def monte_carlo_error(self, method: str, metric: int, confidence: float, batches: int = 20) -> tuple[float, float]:
        """Return the standard error of each endpoint that another seed would change it by.

        The interval of each of ``batches`` parts of the resamples, and their standard deviation over √batches.
        ``method`` is ``percentile``, ``basic``, ``bca`` or ``studentized``.
        """
        parts = np.array_split(np.arange(len(self.values)), min(batches, len(self.values)))
        ends = [getattr(self.part(rows), method)(metric, confidence) for rows in parts]
        low, high = np.std(ends, axis=0, ddof=1) / np.sqrt(len(parts))
        return float(low), float(high)

    def acceleration(self) -> np.ndarray:
        """Return BCa's acceleration of each metric (Efron & Tibshirani 1993, 15.36, summed over strata)."""
        flat = self.second < 1e-24
        return np.where(flat, 0.0, self.third / np.where(flat, 1.0, self.second) ** 1.5 / 6)


def bootstrap(
    counts: np.ndarray,
    statistic: Callable[[np.ndarray], np.ndarray],
    resamples: int,
    generator: np.random.Generator,
    worth: np.ndarray | None = None,
) -> Replicates:
    """Resample one stratum's counts.

    Parameters
    ----------
    counts : numpy.ndarray of int
        Any shape; at least two faces.
    statistic : callable
        Maps (…, *counts.shape) counts to (…, M) metrics.
    resamples : int
        Number of resamples B.
    generator : numpy.random.Generator
        The stream of this stratum.
    worth : numpy.ndarray, optional
        Of the shape of ``counts``: what a face of each cell is worth where the first metric is the mean worth of a
        face; gives each resample a variance, (Σ c w²/n − mean²)/n.
    """
    n = int(counts.sum())
    cells = np.flatnonzero(counts)
    c = counts.ravel()[cells]

    def tables(drawn: np.ndarray) -> np.ndarray:
        full = np.zeros((len(drawn), counts.size))
        full[:, cells] = drawn
        return full.reshape(-1, *counts.shape)

    values, variance = [], []
    for done in range(0, resamples, CHUNK):
        drawn = generator.multinomial(n, c / n, size=min(CHUNK, resamples - done))
        values.append(statistic(tables(drawn)))
        if worth is not None:
            variance.append(mean_variance(drawn, worth.ravel()[cells]))
    left_out = statistic(tables(c - np.eye(len(cells))))
    influence = (n - 1) * (np.average(left_out, axis=0, weights=c) - left_out)
    return Replicates(
        statistic(counts.astype(float)[None])[0],
        np.concatenate(values),
        c @ influence**2 / n**2,
        c @ influence**3 / n**3,
        variance=None if worth is None else np.concatenate([mean_variance(c[None], worth.ravel()[cells]), *variance]),
    )


def mean_variance(counts: np.ndarray, worth: np.ndarray) -> np.ndarray:
    """Return the delta-method variance of the mean worth of a face in each row of (draws, cells) counts."""
    n = counts.sum(1)
    # whole-number sums, so that a table of faces all alike has a variance of exactly 0
    return np.maximum(n * (counts @ worth**2) - (counts @ worth) ** 2, 0.0) / n.astype(float) ** 3
