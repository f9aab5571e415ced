"""Which model is most biased: ranks with confidence sets, on the same faces."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fergap.audit.confusion_bias import CORRECTED
from fergap.audit.inputs import Sample
from fergap.audit.model_bias import EVERY, PUBLISHED, SCORE, Corrected, Measured, Published, SharedFaces, overall
from fergap.audit.settings import Settings

Row = dict[str, Any]


class Ranks(NamedTuple):
    """(arms,) each: rank, 1 being the largest, and the lowest and highest rank that the data allow."""

    rank: np.ndarray
    low: np.ndarray
    high: np.ndarray


def rank_sets(estimates: np.ndarray, deviations: np.ndarray, confidence: float) -> Ranks:
    """Return ranks with sets that hold all of them at once.

    Every two arms are compared by |difference| ÷ standard error against one critical value, the quantile of the largest
    such ratio over all pairs in the resamples; an arm's set leaves out the places of those that are told to be larger,
    and of those that are told to be smaller (Mogstad, Romano, Shaikh & Wilhelm 2024, *Review of Economic Studies* 91,
    476).

    Parameters
    ----------
    estimates : numpy.ndarray
        (arms,). Equal ones share the better rank.
    deviations : numpy.ndarray
        (draws, arms) resamples minus estimate, of the same faces.
    confidence : float
        That all sets hold.
    """
    m = len(estimates)
    i, j = np.triu_indices(m, 1)
    moved = deviations[:, i] - deviations[:, j]
    error = np.sqrt((moved**2).mean(0))
    different = error > 1e-12  # arms that predict alike have the same number in every resample
    found = estimates[i] - estimates[j]
    told = np.zeros((m, m), int)
    if different.any():
        critical = np.quantile(np.abs(moved[:, different] / error[different]).max(1), confidence)
        clear = np.zeros(len(i), bool)
        clear[different] = np.abs(found[different]) > critical * error[different]
        told[i[clear], j[clear]] = np.sign(found[clear])
        told -= told.T
    rank = 1 + (estimates > estimates[:, None] + 1e-12).sum(1)
    return Ranks(rank, 1 + (told < 0).sum(1), m - (told > 0).sum(1))


def numbers_of(own: Measured, attributes: Sequence[str], plain: Sequence[str]) -> dict[tuple[str, str, str], object]:
    """Return what an arm is ranked by: by attribute, metric and form."""
    found: dict[tuple[str, str, str], object] = {}
    for attribute in attributes:
        for metric in (*PUBLISHED, SCORE):
            number = own.published.get((attribute, metric, "" if metric == SCORE else "max"))
            if number is not None and not np.isnan(number.estimate):
                found[attribute, metric, "published"] = number
        for metric in (*CORRECTED, SCORE):
            if (number := own.corrected.get((attribute, metric))) is not None:
                found[attribute, metric, "corrected"] = number
    for form, (number, without) in overall(own, plain).items():
        if number is not None and not without:
            found[EVERY, SCORE, form] = number
    return found


def model_bias_ranks(sample: Sample, found: Sequence[SharedFaces], settings: Settings) -> Iterator[Row]:
    """Yield the rows of ``model_bias_ranks``: for every metric, arms from the most biased, on the same faces.

    An arm is *not distinguishable from the most biased* if its set holds rank 1, from the least if it holds the last.
    Arms without the metric are not ranked.
    """
    attributes = [a.name for a in sample.attributes]
    plain = [a.name for a in sample.attributes if not a.combined]
    for family in found:
        if not family.ranked:
            continue
        of = {arm.name: numbers_of(family.measured[arm.name], attributes, plain) for arm in family.arms}
        keys = dict.fromkeys(key for numbers in of.values() for key in numbers)
        for key in keys:
            names = [arm for arm in of if key in of[arm]]
            yield from ranked(key, {name: of[name][key] for name in names}, family, settings)


def ranked(
    key: tuple[str, str, str], numbers: Mapping[str, object], family: SharedFaces, settings: Settings
) -> Iterator[Row]:
    """Yield one metric's ranks."""
    attribute, metric, form = key
    head = {"arms": ", ".join(arm.name for arm in family.arms), "attribute": attribute, "metric": metric, "form": form}
    head |= {"n": family.n, "confidence": settings.confidence, "ranked": len(numbers)}
    if len(numbers) < 2:
        for arm in numbers:
            yield head | {"arm": arm, "status": "not estimable: no other arm has it"}
        return
    values = np.array([value_of(number) for number in numbers.values()])
    shown = np.array([size_of(number) for number in numbers.values()])
    deviations = np.column_stack([deviations_of(number) for number in numbers.values()])
    ranks = rank_sets(values, deviations, settings.confidence)
    names = list(numbers)
    for i in sorted(range(len(names)), key=lambda i: (ranks.rank[i], names[i])):
        row = head | {"arm": names[i], "estimate": float(shown[i]), "status": "ok", "method": "max-t over all pairs"}
        row |= {"rank": int(ranks.rank[i]), "rank_low": int(ranks.low[i]), "rank_high": int(ranks.high[i])}
        row["like_most_biased"] = int(ranks.low[i] == 1)
        yield row | {"like_least_biased": int(ranks.high[i] == len(names))}


def value_of(number: Published | Corrected) -> float:
    """Return what arms are compared by: a published number, or the square of a corrected one."""
    return number.estimate if isinstance(number, Published) else max(number.moves.value, 0.0)


def size_of(number: Published | Corrected) -> float:
    """Return the number as it is told."""
    return number.estimate if isinstance(number, Published) else float(np.sqrt(max(number.moves.value, 0.0)))


def deviations_of(number: Published | Corrected) -> np.ndarray:
    """Return the resamples minus the estimate: (draws,)."""
    return number.drawn - number.estimate if isinstance(number, Published) else number.moves.deviations
