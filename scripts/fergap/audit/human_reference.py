"""The gap of the taggers who made the labels, and the model's at equal ambiguity."""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import norm

from fergap.audit.counts import tabulate
from fergap.audit.inputs import Arm, Attribute, Sample
from fergap.audit.proportions import newcombe, wilson
from fergap.audit.settings import BOOTSTRAP_FACES, Settings, pair_status, too_few
from fergap.audit.stratified import Strata, risk_difference
from fergap.errors import UserError

Row = dict[str, Any]
COLUMNS = ("answered", "right", "kept", "ambiguity")
DECIMALS = 6  # of an entropy in bits, so that equal votes are one stratum


class Mean(NamedTuple):
    """A ratio of two sums over faces, and each face's pull on it: their squares sum to its variance."""

    estimate: float
    pulls: np.ndarray


class Readings(NamedTuple):
    """What is known of the faces that an arm predicted and taggers voted on; arrays of one length."""

    model: np.ndarray
    answered: np.ndarray
    right: np.ndarray
    kept: np.ndarray
    ambiguity: np.ndarray


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> Mean:
    r"""Return Σ r / Σ w with each face's pull, NaN where Σ w = 0.

    The delta method's variance of a ratio of two means is n/(n − 1) Σ (r − A w)² / (Σ w)² (Cochran 1977, eq. 2.39). The
    faces are the sample; the chance of the vote left out is no part of the error, for its expectation is exact.
    """
    n, total = len(numerator), float(denominator.sum())
    if not total:
        return Mean(math.nan, np.full(n, math.nan))
    estimate = float(numerator.sum()) / total
    scale = math.sqrt(n / (n - 1)) if n > 1 else math.nan
    return Mean(estimate, scale * (numerator - estimate * denominator) / total)


def means(of: Readings) -> dict[str, Mean]:
    """Return each metric of a group's faces."""
    one = np.ones(len(of.model))
    return {
        "model_accuracy": ratio(of.model, one),
        "tagger_accuracy": ratio(of.right, of.answered),
        "model_minus_taggers": ratio(of.answered * of.model - of.right, of.answered),
        "label_kept": ratio(of.kept, one),
        "ambiguity": ratio(of.ambiguity, one),
    }


def normal(mean: Mean, metric: str, n: int, lowest: float, settings: Settings) -> Row:
    """Return the columns of an estimate with the normal interval of its delta variance; n of the smaller group."""
    if math.isnan(mean.estimate):
        return {"status": "not estimable: no single vote can be right about these faces"}
    row = {"estimate": mean.estimate, "method": "delta"}
    if n < BOOTSTRAP_FACES:
        return row | {"status": f"interval not estimable: fewer than {BOOTSTRAP_FACES} faces"}
    se = float(np.sqrt(np.sum(mean.pulls**2)))
    half = float(norm.isf(settings.alpha / 2)) * se
    low, high = mean.estimate - half, mean.estimate + half
    if metric != "ambiguity":  # the others are shares
        low, high = max(lowest, low), min(1.0, high)
    return row | {"se": se, "ci_low": low, "ci_high": high}


def group_rows(head: Row, of: Readings, settings: Settings) -> Iterator[Row]:
    """Yield a group's own rows."""
    n = len(of.model)
    head = head | {"n": n, "status": too_few(n, settings.minimum_faces, head["group"])}
    if head["status"] != "ok":
        yield head | {"metric": "model_accuracy"}
        yield head | {"metric": "tagger_accuracy"}
        return
    head["answered"] = float(of.answered.mean())
    for metric, mean in means(of).items():
        row = head | {"metric": metric}
        if metric == "model_accuracy":
            low, high = wilson(int(of.model.sum()), n, settings.confidence)
            yield row | {"estimate": mean.estimate, "ci_low": low, "ci_high": high, "method": "wilson"}
        else:
            yield row | normal(mean, metric, n, -1.0 if metric == "model_minus_taggers" else 0.0, settings)


def strata(first: Readings, other: Readings, codes: tuple[np.ndarray, np.ndarray]) -> Strata:
    """Return right answers and faces by stratum, given each face's code of it."""
    size = [1 + max(int(c.max()) for c in codes)]
    counts = []
    for of, code in zip((first, other), codes, strict=True):
        counts += [tabulate([code], size, of.model > 0), tabulate([code], size, of.model >= 0)]
    return Strata(*counts)


def gap_rows(head: Row, first: Readings, other: Readings, classes: tuple, settings: Settings) -> Iterator[Row]:
    """Yield the rows of one gap; ``classes`` are the codes of both groups' true classes."""
    n1, n0 = len(first.model), len(other.model)
    head = head | {"n": n1, "n_reference": n0}
    if head["status"] != "ok":
        yield head | {"metric": "model_accuracy"}
        yield head | {"metric": "tagger_accuracy"}
        return
    x1, x0 = int(first.model.sum()), int(other.model.sum())
    low, high = newcombe(x1, n1, x0, n0, settings.confidence)
    crude = {"estimate": x1 / n1 - x0 / n0, "ci_low": low, "ci_high": high, "method": "newcombe"}
    yield head | {"metric": "model_accuracy"} | crude
    levels, code = np.unique(
        np.round(np.concatenate([first.ambiguity, other.ambiguity]), DECIMALS), return_inverse=True
    )
    levels_of = code[:n1], code[n1:]
    both = tuple(c * len(levels) + a for c, a in zip(classes, levels_of, strict=True))
    for adjusted_for, codes in (("ambiguity", levels_of), ("class and ambiguity", both)):
        row = head | {"metric": "model_accuracy", "adjusted_for": adjusted_for, "method": "mantel-haenszel"}
        found = strata(first, other, codes)
        estimate, low, high = risk_difference(found, settings.confidence)
        if math.isnan(estimate):
            yield row | {"status": f"not estimable: no {adjusted_for} that both groups have"}
            continue
        used = found.informative()
        row |= {"compared": float((used.n1.sum() + used.n0.sum()) / (n1 + n0))}
        yield row | {"estimate": estimate, "ci_low": low, "ci_high": high}
    mine, theirs = means(first), means(other)
    for metric in list(mine)[1:]:
        (estimate, pulls), (reference, others) = mine[metric], theirs[metric]
        gap = Mean(estimate - reference, np.concatenate([pulls, others]))
        yield head | {"metric": metric} | normal(gap, metric, min(n1, n0), -1.0, settings)


def human_reference(sample: Sample, taggers: pd.DataFrame | None, settings: Settings) -> Iterator[Row]:
    """Return the rows of ``human_reference``: for every arm, attribute and group, and for every gap.

    ``model_accuracy`` is the arm's against the labels, ``tagger_accuracy`` that of one tagger against the label of the
    others' votes (Σ right / Σ answered over the faces; ``answered`` is the mean). ``model_minus_taggers`` is their
    difference, paired by face, each face counting by ``answered``; ``label_kept`` the chance that the label stays when
    one vote is left out; ``ambiguity`` the mean entropy of the votes, in bits. Rows with a ``reference`` are gaps. A
    gap of ``model_accuracy`` that is ``adjusted_for`` ambiguity compares faces whose votes have the same entropy, each
    value a stratum (Mantel–Haenszel risk difference, as for classes), ``compared`` being the share of faces in strata
    of both groups. What is hard for everyone shows in ``tagger_accuracy`` and shrinks at equal ambiguity; a gap of the
    model stays there and shows in ``model_minus_taggers``.

    Parameters
    ----------
    taggers : pandas.DataFrame or None
        By ``image_id``: ``answered``, ``right``, ``kept`` (0 … 1) and ``ambiguity`` (bits); see
        :func:`fergap.faces.leave_one_out.readings`.

    Raises
    ------
    UserError
        A column is missing, or no predicted face has readings.
    """
    return by_arm(sample, taggers, settings, arm_rows)


def by_arm(
    sample: Sample, taggers: pd.DataFrame | None, settings: Settings, rows: Callable[..., Iterator[Row]]
) -> Iterator[Row]:
    """Yield what ``rows``, called as :func:`arm_rows` is, has of every arm and attribute; nothing without taggers."""
    if taggers is None:
        return
    values, voted = read(sample, taggers)
    for arm in sample.arms.values():
        for attribute in sample.attributes:
            yield from rows(arm, attribute, values, arm.covered & voted, settings)


def read(sample: Sample, taggers: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return (faces, 4) what the taggers' readings say of the audited faces, and which of these have any.

    Raises
    ------
    UserError
        A column is missing, or no predicted face has readings.
    """
    if absent := [c for c in COLUMNS if c not in taggers.columns]:
        raise UserError(f"column {absent[0]!r} is missing", where="taggers", expected=", ".join(COLUMNS))
    known = taggers[list(COLUMNS)].astype(float).reindex(sample.faces)
    voted = known.notna().all(axis=1).to_numpy()
    if not voted.any():
        raise UserError(
            f"no predicted face has votes (ids are like {sample.faces[0]!r})",
            where="taggers",
            expected="their image_id",
        )
    return known.to_numpy(), voted


def arm_rows(
    arm: Arm, attribute: Attribute, values: np.ndarray, counted: np.ndarray, settings: Settings
) -> Iterator[Row]:
    """Yield the rows of one arm and attribute, among the ``counted`` faces."""
    right = (arm.predicted == arm.true).astype(float)
    rows = [np.flatnonzero(counted & (attribute.codes == g)) for g in range(len(attribute.groups))]
    of = [Readings(right[i], *values[i].T) for i in rows]
    head = {"arm": arm.name, "attribute": attribute.name, "confidence": settings.confidence}
    for group, its in zip(attribute.groups, of, strict=True):
        yield from group_rows(head | {"group": group}, its, settings)
    r = attribute.reference
    for g, group in enumerate(attribute.groups):
        if g == r:
            continue
        names = group, attribute.groups[r]
        status = pair_status((len(rows[g]), len(rows[r])), names, settings.minimum_faces)
        pair = head | {"group": group, "reference": names[1], "status": status}
        yield from gap_rows(pair, of[g], of[r], (arm.true[rows[g]], arm.true[rows[r]]), settings)
