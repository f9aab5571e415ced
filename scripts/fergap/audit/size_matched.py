"""The group's macro averages beside those of as many faces of the reference."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from fergap.audit.counts import Split
from fergap.audit.gaps import pairs
from fergap.audit.resampling import GAP_METRICS, gap_statistics
from fergap.audit.settings import Settings
from fergap.seeds import generator

Row = dict[str, Any]
DRAWS = 10_000


def matched(
    table: np.ndarray, n: int, common: np.ndarray, generator: np.random.Generator, draws: int = DRAWS
) -> np.ndarray:
    """Return the metrics of ``GAP_METRICS`` of ``n`` faces drawn without replacement from one group.

    Parameters
    ----------
    table : numpy.ndarray of int
        (classes, classes) counts of the group drawn from; at least n.
    n : int
        Faces in each draw.
    common : numpy.ndarray of bool
        Classes that are averaged.
    generator : numpy.random.Generator
        The stream of the draws.
    draws : int
        Number of draws.

    Returns
    -------
    numpy.ndarray
        (draws, metrics).
    """
    drawn = generator.multivariate_hypergeometric(table.ravel(), n, size=draws, method="marginals")
    return gap_statistics(drawn.reshape(draws, *table.shape).astype(float), common)


def size_matched(arm: str, split: Split, settings: Settings) -> Iterator[Row]:
    """Yield the rows of ``size_matched`` for one arm and attribute.

    Macro averages of few faces are biased down, so a small group looks worse than it is. ``gap`` is the plain
    difference, ``gap_matched`` the group's value less the mean of equally many faces of the reference; ``range_low``
    and ``range_high`` hold the stated share of the draws, and ``p_value`` is two-sided, (1 + the draws at least as far
    from their mean)/(1 + draws), which is a test of the group's faces being such a draw and ignores class mix.
    """
    common = split.common(settings.minimum_faces)
    for g, r, head in pairs(arm, split, settings):
        n1, n0 = int(split.n[g]), int(split.n[r])
        head |= {"n_group": n1, "n_reference": n0}
        if head["status"] == "ok" and not common.any():
            head["status"] = "not estimable: no class with 5 faces in every group"
        if head["status"] == "ok" and n1 >= n0:
            head["status"] = "not needed: the reference is not larger than the group"
        if head["status"] != "ok":
            for metric, average in GAP_METRICS[1:]:
                yield head | {"metric": metric, "average": average}
            continue
        stream = generator(settings.seed, "audit", "size matched", arm, split.attribute, split.groups[g])
        values = matched(split.table[r], n1, common, stream)
        own, whole = (gap_statistics(split.table[i].astype(float)[None], common)[0] for i in (g, r))
        tail = settings.alpha / 2
        for m, (metric, average) in enumerate(GAP_METRICS[1:], start=1):
            drawn, mean = values[:, m], float(values[:, m].mean())
            low, high = np.quantile(drawn, [tail, 1 - tail])
            as_far = int(np.sum(np.abs(drawn - mean) >= abs(own[m] - mean) - 1e-12))
            yield head | {
                "metric": metric,
                "average": average,
                "value_group": float(own[m]),
                "value_reference": float(whole[m]),
                "matched_mean": mean,
                "range_low": float(low),
                "range_high": float(high),
                "gap": float(own[m] - whole[m]),
                "gap_matched": float(own[m]) - mean,
                "monte_carlo_error": float(drawn.std(ddof=1) / np.sqrt(len(drawn))),
                "draws": len(drawn),
                "confidence": settings.confidence,
                "p_value": (1 + as_far) / (1 + len(drawn)),
            }
