"""Estimators of accuracies and gaps where labels of groups err, from the counts by class × label × answer × group.

The estimators, what they assume and their sources: :mod:`fergap.audit.correction`. Leading axes are resamples.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

from fergap.audit.gold_sample import Counts

Interval = tuple[float, float]
RIGHT = 1  # position of right answers in the tables
TINY = 1e-300  # in place of a sum of nothing, which 0 is then divided by


def shares(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return part ÷ whole, NaN where the whole is 0."""
    return np.divide(part, whole, out=np.full(np.broadcast_shapes(part.shape, whole.shape), np.nan), where=whole > 0)


def weighted(counts: Counts) -> np.ndarray:
    """Return the gold faces weighted by class and label: W, (…, label, answer, group)."""
    n = counts.gold.sum((-2, -1))
    weight = np.nan_to_num(shares(counts.all.sum(-1), n))
    return (counts.gold * weight[..., None, None]).sum(-4)


def group_shares(counts: Counts) -> np.ndarray:
    """Return W_mcg/Σ_g W_mcg; without a gold face of a label and answer, the share among all answers of the label."""
    w = weighted(counts)
    own, of_label = shares(w, w.sum(-1, keepdims=True)), shares(w.sum(-2), w.sum((-2, -1))[..., None])
    return np.where(np.isnan(own), of_label[..., None, :], own)


def by_answer(counts: Counts) -> np.ndarray:
    """Return T by the inverse matrix method within label and answer: (…, label, answer, group)."""
    return counts.all.sum(-3)[..., None] * group_shares(counts)


def alike(gold: np.ndarray, rest: np.ndarray, steps: int = 1000, tolerance: float = 1e-6) -> np.ndarray:
    r"""Return T by maximum likelihood where P(label | group) is the same in every stratum.

    EM over cells with known and unknown group,

    .. math:: T_{msg} = V_{msg} + R_{ms} \frac{\pi_{sg} Q_{gm}}{\sum_h \pi_{sh} Q_{hm}},\quad
        \pi_{sg} \propto \sum_m T_{msg},\quad Q_{gm} \propto \sum_s T_{msg}

    until no share changes by more than ``tolerance``.

    Parameters
    ----------
    gold : numpy.ndarray
        V, (…, label, stratum, group).
    rest : numpy.ndarray
        R, (…, label, stratum).
    """
    total = gold.sum((-3, -2, -1)) + rest.sum((-2, -1))
    # from the gold sample's shares within each label, so that no cell begins at 0 without being empty there
    start = np.nan_to_num(shares(gold.sum(-2), gold.sum((-2, -1))[..., None]))
    found = gold + rest[..., None] * start[..., None, :]
    for _ in range(steps):
        q = found.sum(-2) / np.maximum(found.sum((-3, -2)), TINY)[..., None, :]
        chance = q[..., None, :] * found.sum(-3)[..., None, :, :]
        new = gold + (rest / np.maximum(chance.sum(-1), TINY))[..., None] * chance
        change = np.abs(new - found).max((-3, -2, -1)) / total
        found = new
        if (change <= tolerance).all():
            break
    return found


def alike_over_classes(counts: Counts) -> np.ndarray:
    """Return T of all classes together with errors alike, (…, label, answer, group)."""
    gold = counts.gold.sum(-4).sum(-1)[..., None] * group_shares(counts)
    return alike(np.nan_to_num(gold), counts.rest.sum(-3).astype(float))


def alike_by_class(counts: Counts) -> np.ndarray:
    """Return T by class with errors alike in all of them, (…, class, label, answer, group)."""
    moved = np.moveaxis(counts.gold, -4, -3).astype(float)  # label, class, answer, group
    rest = np.moveaxis(counts.rest, -3, -2).astype(float)
    flat = (*moved.shape[:-3], -1, moved.shape[-1])
    found = alike(moved.reshape(flat), rest.reshape(*rest.shape[:-2], -1))
    return np.moveaxis(found.reshape(moved.shape), -3, -4)


def accuracies(found: np.ndarray) -> np.ndarray:
    """Return each group's accuracy from T: (…, group), NaN for an empty one."""
    return shares(found[..., RIGHT, :].sum(-2), found.sum((-3, -2)))


def attenuation(found: np.ndarray, g: int, r: int) -> np.ndarray:
    """Return PPV1 + PPV0 − 1 of two groups' labels from T: observed ÷ true gap where errors are alike."""
    table = found.sum(-2)
    right = [shares(table[..., a, a], table[..., a, a] + table[..., a, b]) for a, b in ((g, r), (r, g))]
    return right[0] + right[1] - 1


def error_ratio(counts: Counts) -> np.ndarray:
    """Return how often labels err among faces read wrong ÷ among those read right, groups in equal shares in both."""
    w = weighted(counts)
    sizes, diagonal = w.sum((-3, -2)), np.einsum("...mcm->...cm", w)
    errors = 1 - shares(diagonal, w.sum(-3))
    mean = np.nansum(errors * sizes[..., None, :], -1)
    return shares(mean[..., 1 - RIGHT], mean[..., RIGHT])


def bounds_of_gap(counts: Counts, g: int, r: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the greatest gap of g and r that the labels' predictive values allow.

    T_mg = N_m W_m·g/W_m·· faces of each group have label m, in any way among its right and wrong answers: the gap is
    greatest where right answers go to g first, then to the other groups, last to r, and least the other way round.
    """
    w = weighted(counts).sum(-2)
    n = counts.all.sum(-3)
    sizes = n.sum(-1)[..., None] * shares(w, w.sum(-1, keepdims=True))

    def most(first: int, last: int) -> np.ndarray:
        right = n[..., RIGHT]
        x = np.minimum(sizes[..., first], right)
        y = np.maximum(0, right - (sizes.sum(-1) - sizes[..., last]))
        total = sizes.sum(-2)
        return shares(x.sum(-1), total[..., first]) - shares(y.sum(-1), total[..., last])

    return -most(r, g), most(g, r)


# ---- resampling ----


def smoothed(gold: np.ndarray) -> np.ndarray:
    """Return the gold faces with half a face added for every group of a label and answer, spread over the classes.

    So that a gold sample without an error does not count as proof that there is none.
    """
    of_cell = gold.sum(-1)
    over = of_cell.sum(0)
    return gold + 0.5 * np.nan_to_num(shares(of_cell, over[None]))[..., None]


def drawn_gold(counts: Counts, resamples: int, stream: np.random.Generator) -> np.ndarray:
    """Return (resamples, *gold.shape) gold samples, as many faces of each class and label as there are."""
    shape = counts.gold.shape
    n = counts.gold.sum((-2, -1))
    p = smoothed(counts.gold).reshape(*shape[:2], -1)
    p = np.where(n[..., None] > 0, p, 1.0)
    drawn = stream.multinomial(n, p / p.sum(-1, keepdims=True), (resamples, *n.shape))
    return drawn.reshape(resamples, *shape)


def drawn(counts: Counts, resamples: int, stream: np.random.Generator) -> Counts:
    """Return resampled tables: gold and other faces within class and label, and how many faces of these there are.

    The sources of uncertainty, who is in the gold sample and which faces were audited, in one draw. The gold sample
    stays as large in each class and label as it is, so that none is emptied; both parts of a class and label are then
    scaled to a number of faces drawn from all audited ones.
    """
    n, whole = counts.rest.sum(-1), counts.all.sum(-1)
    answer = shares(counts.rest, n[..., None])
    answer[n == 0] = 1 / answer.shape[-1]
    rest = stream.multinomial(n, answer, (resamples, *n.shape))
    total = whole.sum()
    sizes = stream.multinomial(total, whole.ravel() / total, resamples).reshape(resamples, *whole.shape)
    scale = np.nan_to_num(shares(sizes, whole))
    return Counts(drawn_gold(counts, resamples, stream) * scale[..., None, None], rest * scale[..., None])


def within(values: np.ndarray, confidence: float) -> Interval:
    """Return the percentile interval of the values that there are; NaN where more than 1 in 200 is missing."""
    there = values[~np.isnan(values)]
    if len(there) < 0.995 * len(values) or not len(there):
        return math.nan, math.nan
    tail = (1 - confidence) / 2
    low, high = np.quantile(there, [tail, 1 - tail])
    return float(low), float(high)


class Imputed(NamedTuple):
    """Rubin's combination: estimate, total variance, degrees of freedom."""

    estimate: float
    variance: float
    df: float

    def interval(self, confidence: float) -> Interval:
        half = float(student.isf((1 - confidence) / 2, self.df)) * math.sqrt(self.variance)
        return self.estimate - half, self.estimate + half


def rubin(estimates: np.ndarray, variances: np.ndarray) -> Imputed:
    """Return the combination of m completed analyses: T = Ū + (1 + 1/m) B, df (m − 1)(1 + Ū/((1 + 1/m) B))²."""
    m = len(estimates)
    inner, outer = float(variances.mean()), (1 + 1 / m) * float(estimates.var(ddof=1))
    df = (m - 1) * (1 + inner / outer) ** 2 if outer > 0 else math.inf
    return Imputed(float(estimates.mean()), inner + outer, df)


def completed(counts: Counts, imputations: int, stream: np.random.Generator) -> np.ndarray:
    """Return T of tables whose open groups are imputed: (imputations, label, answer, group)."""
    share = group_shares(Counts(drawn_gold(counts, imputations, stream), counts.rest[None]))
    open_faces = counts.rest.sum(0)
    filled = stream.multinomial(open_faces, np.where(np.isnan(share), 1 / share.shape[-1], share))
    return filled + counts.gold.sum(0)
