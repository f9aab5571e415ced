"""How wrong labels of groups would have to be for a verdict to change."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fergap.audit.gold_sample import Counts
from fergap.audit.label_errors import RIGHT, Interval
from fergap.audit.label_noise import corrected, labelling
from fergap.audit.proportions import newcombe
from fergap.audit.settings import Settings

Row = dict[str, Any]
MOST_TIMES = 20.0  # as many errors, where a search for what would turn a verdict ends


def reading(interval: Interval, narrow: Interval, margin: float) -> str | None:
    """Return what intervals alone say of a gap: *equivalent*, *gap* or *undecided*, as verdicts are called."""
    if any(math.isnan(end) for end in (*interval, *narrow)):
        return None
    if -margin < narrow[0] and narrow[1] < margin:
        return "equivalent"
    return "gap" if interval[0] > 0 or interval[1] < 0 else "undecided"


def turn(verdict: Callable[[float], str | None], path: np.ndarray) -> float | None:
    """Return where along ``path`` the verdict first differs from that at its start, None where it nowhere does.

    A place without a verdict, because no such labels could have been seen, ends the path.
    """
    first, last = verdict(path[0]), path[0]
    for x in path[1:]:
        now = verdict(x)
        if now is None:
            return None
        if now != first:
            low, high = last, x
            for _ in range(40):
                middle = (low + high) / 2
                low, high = (middle, high) if verdict(middle) == first else (low, middle)
            return float(high)
        last = x
    return None


def with_errors(
    answers: tuple[int, int, int, int], rates: tuple[float, float], factor: float, settings: Settings
) -> str | None:
    """Return the reading of a gap were the labels wrong ``factor`` times as often as ``rates``, on all answers alike.

    Parameters
    ----------
    answers : tuple of int
        Right answers and faces labelled group, and labelled reference.
    rates : tuple of float
        Share of the group's, and of the reference's faces that have the other's label.
    """
    x1, n1, x0, n0 = answers
    found = labelling(n1 / (n1 + n0), 1 - factor * rates[0], 1 - factor * rates[1])
    if found is None or max(rates) * factor > 1:
        return None
    ends = []
    for confidence in (settings.confidence, settings.equivalence_confidence):
        row = corrected(found, x1 / n1 - x0 / n0, *newcombe(*answers, confidence))
        if "estimate" not in row:
            return None
        ends.append((row["ci_low"], row["ci_high"]))
    return reading(*ends, settings.margin)


def gap_at_ratio(answers: tuple[int, int, int, int], rates: tuple[float, float], ratio: float) -> float:
    """Return the gap were labels wrong ``ratio`` times as often among faces read wrong as among those read right.

    Over both answers the errors stay as often as ``rates``: the matrix method within answers (Barron 1977), the errors
    of each answer following from the group's accuracy, which follows from them. NaN where no such labels could be.
    """
    x1, n1, x0, n0 = answers
    seen = np.array([[x1, n1 - x1], [x0, n0 - x0]], float)  # label × answer
    scale = np.array([1.0, ratio])
    true = seen.copy()
    for _ in range(200):
        of_answer = true / true.sum(1, keepdims=True)
        error = np.array(rates)[:, None] * scale / (of_answer @ scale)[:, None]  # group × answer
        if (error >= 1).any():
            return math.nan
        determinant = 1 - error.sum(0)
        if (determinant <= 1e-6).any():
            return math.nan
        total = seen.sum(0)
        group = (seen[0] - error[1] * total) / determinant
        new = np.stack([group, total - group])
        if (new < 0).any() or (new.sum(1) == 0).any():
            return math.nan
        if np.abs(new - true).max() < 1e-7 * seen.sum():
            return float(new[0, 0] / new[0].sum() - new[1, 0] / new[1].sum())
        true = new
    return math.nan


def tipping_rows(
    head: Row, counts: Counts, g: int, r: int, found: np.ndarray, ends: tuple[Interval, Interval], settings: Settings
) -> Iterator[Row]:
    """Yield how wrong the labels would have to be for the verdict to change.

    ``tipping_factor``: times as many errors as the gold sample shows, alike on all answers, at which the verdict on the
    labels as given turns (label_noise has the predictive values at which it does). ``tipping_ratio``: errors among
    faces read wrong ÷ among those read right, nearest to 1, at which the verdict on the gap corrected for errors alike
    turns; the interval moves with the estimate.

    Parameters
    ----------
    found : numpy.ndarray
        T with errors alike.
    ends : tuple
        The corrected gap's interval and that of the equivalence test.
    """
    by_label = counts.all.sum(0)
    x1, x0 = (int(by_label[a, RIGHT]) for a in (g, r))
    n1, n0 = (int(by_label[a].sum()) for a in (g, r))
    answers, table = (x1, n1, x0, n0), found.sum(-2)
    rates = tuple(float(table[b, a] / (table[a, a] + table[b, a])) for a, b in ((g, r), (r, g)))
    head = head | {"confidence": settings.confidence}

    row = head | {"metric": "tipping_factor", "verdict": with_errors(answers, rates, 0.0, settings)}
    path = np.linspace(0, MOST_TIMES, 201)
    at = turn(lambda k: with_errors(answers, rates, k, settings), path) if any(rates) else None
    yield row | ({"status": "not reached"} if at is None else {"estimate": at})

    middle = gap_at_ratio(answers, rates, 1.0)

    def moved(ratio: float) -> str | None:
        shift = gap_at_ratio(answers, rates, ratio) - middle
        return reading(*(((low + shift), (high + shift)) for low, high in ends), settings.margin)

    row = head | {"metric": "tipping_ratio", "verdict": moved(1.0)}
    if row["verdict"] is None:
        yield row | {"status": "not estimable: such labels could not have been seen"}
        return
    path = np.linspace(0, math.log(MOST_TIMES), 41)
    turns = [turn(lambda x: moved(math.exp(x)), sign * path) for sign in (1, -1)]
    at = min((x for x in turns if x is not None), key=abs, default=None)
    yield row | ({"status": "not reached"} if at is None else {"estimate": math.exp(at)})
