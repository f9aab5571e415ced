"""The gap corrected for wrong group labels, from a sample of faces whose true group is known.

Two corrections. *Independent of the model*: labels err alike on faces read right and wrong, so that the gap shrinks by
PPV1 + PPV0 − 1, and dividing restores it. *May depend on the model*: hard faces may be hard for both, so that answers
are moved to their true groups within right and wrong separately: the inverse matrix method (Marshall 1990), which needs
no such assumption and validated faces of each label that the model read right and wrong. Both take the validated faces
as drawn at random among those of their label (and, for the second, answer).
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from fergap import tables
from fergap.audit.counts import Split, split
from fergap.audit.gaps import answers, pairs
from fergap.audit.inputs import Arm, Attribute, Sample, fail_first
from fergap.audit.settings import Settings, few_answers
from fergap.errors import UserError
from fergap.seeds import generator

Row = dict[str, Any]
LOST = 0.005  # share of draws without a corrected gap above which there is no interval
INDEPENDENT = "validation: errors independent of the model"
DEPENDENT = "validation: errors may depend on the model"
METHOD = "bootstrap percentile"


class Validated(NamedTuple):
    """A validation sample: (faces,) position among the audited faces (−1 for others), labelled and true group."""

    face: np.ndarray
    label: np.ndarray
    truth: np.ndarray


def validated(table: pd.DataFrame, attribute: Attribute, faces: pd.Index) -> Validated | None:
    """Return an attribute's validated faces; None where there is none.

    Parameters
    ----------
    table : pandas.DataFrame
        ``image_id``, ``attribute``, ``truth``, and optionally ``group``, the label; without one, that of the people.
    faces : pandas.Index
        The audited faces.

    Raises
    ------
    UserError
        A group is none of the attribute's, a label is not that of the people, or a face has none.
    """
    own = table[(table["attribute"] == attribute.name).to_numpy()].reset_index(drop=True)
    if own.empty:
        return None
    face = faces.get_indexer(own["image_id"])
    position = {name: g for g, name in enumerate(attribute.groups)}
    truth = own["truth"].map(position).fillna(-1).to_numpy(int)
    fail_first(
        truth < 0, own, f"its {attribute.name} is none of the groups", "validation", expected=", ".join(position)
    )
    known = np.where(face >= 0, attribute.codes[face], -1)
    label = known
    if "group" in own.columns:
        given = own["group"].map(position).fillna(-1).to_numpy(int)
        fail_first(
            (given >= 0) & (known >= 0) & (given != known),
            own,
            f"its {attribute.name} is labelled otherwise than among the people",
            "validation",
            expected="in column group the label that is audited, in column truth the validated group",
        )
        label = np.where(given >= 0, given, known)
    fail_first(
        label < 0,
        own,
        f"its label of {attribute.name} is not known",
        "validation",
        expected="a group, or a labelled face",
    )
    return Validated(face, label, truth)


def check_validation(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table of validated faces; a UserError where a column or value is missing or a face repeated."""
    ids = table["image_id"].to_numpy() if "image_id" in table.columns else None
    checked = tables.check(table, "validation", "validation")
    return checked.assign(image_id=ids)  # as given: ids need not be text


def corrected_independent(right: np.ndarray, n: np.ndarray, ppv: np.ndarray) -> np.ndarray:
    """Return (A1 − A0) ÷ (PPV1 + PPV0 − 1); NaN where the labels say nothing.

    Parameters
    ----------
    right, n, ppv : numpy.ndarray
        (…, 2) of the faces labelled group and labelled reference.
    """
    gap, attenuation = right[..., 0] / n[..., 0] - right[..., 1] / n[..., 1], ppv.sum(-1) - 1
    return np.divide(gap, attenuation, out=np.full_like(gap, np.nan), where=attenuation > 1e-9)


def corrected_dependent(counts: np.ndarray, ppv: np.ndarray) -> np.ndarray:
    """Return the gap of the true groups when labels are right with ``ppv`` within each answer; NaN for an empty group.

    Parameters
    ----------
    counts, ppv : numpy.ndarray
        (…, 2, 2): label (group, reference) × answer (right, wrong).
    """
    kept, moved = counts * ppv, counts * (1 - ppv)
    group, reference = kept[..., 0, :] + moved[..., 1, :], kept[..., 1, :] + moved[..., 0, :]
    sizes = group.sum(-1), reference.sum(-1)
    shares = [
        np.divide(part[..., 0], size, out=np.full(np.shape(size), np.nan), where=size > 0)
        for part, size in zip((group, reference), sizes, strict=True)
    ]
    return shares[0] - shares[1]


def interval(values: np.ndarray, confidence: float) -> Row:
    """Return a percentile interval within ±1, or why there is none."""
    there = values[~np.isnan(values)]
    if len(there) < (1 - LOST) * len(values):
        return {"status": "interval not estimable: too few validated faces to tell the groups apart"}
    tail = (1 - confidence) / 2
    low, high = np.quantile(there, [tail, 1 - tail])
    return {"ci_low": max(-1.0, float(low)), "ci_high": min(1.0, float(high))}


def drawn_shares(count: np.ndarray, n: np.ndarray, resamples: int, stream: np.random.Generator) -> np.ndarray:
    """Return (resamples, …) shares of binomial draws, half a face added to both outcomes of the table drawn from.

    So that a sample without an error does not count as proof that there is none.
    """
    return stream.binomial(n, (count + 0.5) / (n + 1), (resamples, *np.shape(n))) / n


def pair_rows(arm: Arm, counts: Split, g: int, r: int, own: Validated, head: Row, settings: Settings) -> Iterator[Row]:
    """Yield the two corrected gaps of a pair; only labels and truths of the pair count."""
    correct = arm.true == arm.predicted
    n, right = counts.n[[g, r]], counts.right[[g, r]]
    among = np.isin(own.truth, (g, r))
    chosen = [among & (own.label == side) for side in (g, r)]
    m = np.array([side.sum() for side in chosen])
    v = np.array([(side & (own.truth == own.label)).sum() for side in chosen])
    head |= {"validated_group": int(m[0]), "validated_reference": int(m[1]), "method": METHOD}
    names, enough = (head["group"], head["reference"]), few_answers(*answers(counts, g, r))
    stream = generator(settings.seed, "audit", "validation", arm.name, counts.attribute, *names)
    draws = stream.binomial(n, right / n, (settings.resamples, 2))

    def finished(row: Row, estimate: float, values: np.ndarray) -> Row:
        if np.isnan(estimate):
            return row | {"status": "not estimable: the labels say nothing about the groups"}
        if abs(estimate) > 1:
            return row | {"status": "not estimable: the gap would exceed 100 points"}
        row |= {"estimate": float(estimate)}
        return row | (interval(values, settings.confidence) if enough == "ok" else {"status": enough})

    row = head | {"scenario": INDEPENDENT}
    if few := lacking(m, names, settings.minimum_faces):
        yield row | {"status": few}
        yield head | {"scenario": DEPENDENT, "status": few}
        return
    ppv = v / m
    row |= predictive(n, ppv) | {"ppv_sum": float(ppv.sum()), "attenuation": float(ppv.sum() - 1)}
    values = corrected_independent(draws, n, drawn_shares(v, m, settings.resamples, stream))
    yield finished(row, float(corrected_independent(right, n, ppv)), values)

    # by label and answer; faces of the sample that this arm did not predict say nothing here
    row = head | {"scenario": DEPENDENT}
    answered = (own.face >= 0) & np.where(own.face >= 0, arm.covered[own.face], False)
    by = [[side & answered & (correct[own.face] == answer) for answer in (True, False)] for side in chosen]
    m2 = np.array([[cell.sum() for cell in side] for side in by])
    v2 = np.array([[(cell & (own.truth == own.label)).sum() for cell in side] for side in by])
    cells = np.stack([right, n - right], 1)
    if few := lacking(m2.ravel(), [f"{name} {a}" for name in names for a in ("read right", "read wrong")], 5):
        yield row | {"status": few}
        return
    row |= {"validated_group": int(m2[0].sum()), "validated_reference": int(m2[1].sum())}
    ppv2 = v2 / m2
    row |= predictive(n, (cells * ppv2).sum(1) / n)
    tables_drawn = np.stack([draws, n - draws], -1)
    values = corrected_dependent(tables_drawn, drawn_shares(v2, m2, settings.resamples, stream))
    yield finished(row, float(corrected_dependent(cells, ppv2)), values)


def predictive(n: np.ndarray, ppv: np.ndarray) -> Row:
    """Return the columns of predictive values, and of the true share of the group that they make."""
    share = (n[0] * ppv[0] + n[1] * (1 - ppv[1])) / n.sum()
    return {"ppv_group": float(ppv[0]), "ppv_reference": float(ppv[1]), "share": float(share)}


def lacking(counts: np.ndarray, names: list[str] | tuple[str, ...], least: int) -> str | None:
    """Return the status that names what has fewer than ``least`` validated faces, or None."""
    few = [f"{int(c):,} of {name}" for c, name in zip(counts, names, strict=True) if c < least]
    return f"not estimable: validated faces: {' and '.join(few)}" if few else None


def validation_rows(sample: Sample, table: pd.DataFrame | None, settings: Settings) -> Iterator[Row]:
    """Yield the rows that a validation sample adds to ``label_noise``, for every arm, attribute and pair."""
    if table is None:
        return
    table = check_validation(table)
    found = {a.name: own for a in sample.attributes if (own := validated(table, a, sample.faces))}
    if not found:
        there = ", ".join(sorted(table["attribute"].unique())) or "none"
        raise UserError(
            f"no attribute of the audit is validated (there: {there})",
            where="validation",
            expected="rows of " + ", ".join(a.name for a in sample.attributes),
        )
    for arm in sample.arms.values():
        for attribute in sample.attributes:
            if attribute.name not in found:
                continue
            counts = split(arm, attribute, len(sample.classes))
            for g, r, head in pairs(arm.name, counts, settings):
                head |= {"n_group": int(counts.n[g]), "n_reference": int(counts.n[r])}
                head |= {"confidence": settings.confidence}
                if head["status"] == "ok":
                    yield from pair_rows(arm, counts, g, r, found[attribute.name], head, settings)
                else:
                    yield from (head | {"scenario": scenario} for scenario in (INDEPENDENT, DEPENDENT))
