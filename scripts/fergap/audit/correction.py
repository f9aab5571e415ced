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
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from fergap.audit.gold_sample import Counts, Labelled, counted, labelled
from fergap.audit.inputs import Arm, Attribute, Sample
from fergap.audit.label_errors import (
    RIGHT,
    accuracies,
    alike_by_class,
    alike_over_classes,
    attenuation,
    bounds_of_gap,
    by_answer,
    completed,
    drawn,
    error_ratio,
    rubin,
    shares,
    weighted,
    within,
)
from fergap.audit.proportions import newcombe, wilson
from fergap.audit.settings import BOOTSTRAP_ANSWERS, BOOTSTRAP_FACES, Settings, faces, pair_status
from fergap.audit.tipping import reading, tipping_rows
from fergap.errors import UserError
from fergap.seeds import generator

Row = dict[str, Any]
MODEL_ALONE, GOLD_ALONE = "model labels alone", "gold sample alone"
ALIKE, BY_ANSWER = "corrected, errors alike", "corrected, errors by answer"
IMPUTED, BOUNDS = "multiple imputation", "bounds, errors of any kind"
LEAST = 5  # gold faces of a label and answer from which errors may depend on the answer
IMPUTATIONS = 100
CHUNK = 500  # resamples at a time: tables of this many stay in the processor's cache
PERCENTILE = "bootstrap percentile"


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
    yield from tipping_rows(
        head | {"estimator": ALIKE}, found.counts, g, r, alike_over_classes(found.counts), both_ends, settings
    )


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
