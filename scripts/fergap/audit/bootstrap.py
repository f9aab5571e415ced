"""The bootstrap on a table of counts.

Drawing n faces with replacement and counting them is a multinomial draw of the counts, exactly, so the work depends on
the number of cells and not on the number of faces. Groups are strata: each is drawn by itself, and a difference of two
groups is the difference of their draws.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm

CHUNK = 10_000  # resamples at a time, which bounds the memory


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
    """

    estimate: np.ndarray
    values: np.ndarray
    second: np.ndarray
    third: np.ndarray

    def __sub__(self, other: "Replicates") -> "Replicates":
        """The difference of two independent strata."""
        return Replicates(
            self.estimate - other.estimate,
            self.values - other.values,
            self.second + other.second,
            self.third - other.third,
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

    def monte_carlo_error(self, method: str, metric: int, confidence: float, batches: int = 20) -> tuple[float, float]:
        """Return the standard error of each endpoint that another seed would change it by.

        The interval of each of ``batches`` parts of the resamples, and their standard deviation over √batches.
        ``method`` is ``percentile``, ``basic`` or ``bca``.
        """
        parts = np.array_split(self.values, min(batches, len(self.values)))
        ends = [getattr(replace(self, values=part), method)(metric, confidence) for part in parts]
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
    """
    n = int(counts.sum())
    cells = np.flatnonzero(counts)
    c = counts.ravel()[cells]

    def tables(drawn: np.ndarray) -> np.ndarray:
        full = np.zeros((len(drawn), counts.size))
        full[:, cells] = drawn
        return full.reshape(-1, *counts.shape)

    values = [
        statistic(tables(generator.multinomial(n, c / n, size=min(CHUNK, resamples - done))))
        for done in range(0, resamples, CHUNK)
    ]
    left_out = statistic(tables(c - np.eye(len(cells))))
    influence = (n - 1) * (np.average(left_out, axis=0, weights=c) - left_out)
    return Replicates(
        statistic(counts.astype(float)[None])[0],
        np.concatenate(values),
        c @ influence**2 / n**2,
        c @ influence**3 / n**3,
    )
