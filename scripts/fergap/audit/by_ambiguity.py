"""Gaps of the model and of the taggers among faces on which the votes differ little, more, and much."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from fergap.audit.human_reference import Mean, Readings, Row, by_arm, means, normal
from fergap.audit.inputs import Arm, Attribute, Sample
from fergap.audit.proportions import newcombe
from fergap.audit.settings import Settings, pair_status

EDGES = (0.0, 0.5, 1.0, 1.5)  # bits: 0 is all votes alike, 0.47 nine of ten, 0.97 six against four


def band(ambiguity: np.ndarray) -> np.ndarray:
    """Return (faces,) the band of each entropy: 0 for 0 bits, i for those above the edge before and up to ``EDGES[i]``.

    One more is the band above the last edge.
    """
    return np.searchsorted(EDGES, np.round(ambiguity, 6))


def ends(i: int) -> Row:
    """Return a band's columns: above ``bits_above`` and up to ``bits_to``, the first from its own end on."""
    return {"bits_above": EDGES[max(i - 1, 0)], "bits_to": EDGES[i] if i < len(EDGES) else None}


def metric_rows(head: Row, first: Readings, other: Readings, settings: Settings) -> Iterator[Row]:
    """Yield the gap of the model (Newcombe) and of the taggers (delta method, face by face) of two groups in a band."""
    mine, theirs, n1, n0 = means(first), means(other), len(first.model), len(other.model)
    for metric in ("model_accuracy", "tagger_accuracy"):
        (group, pulls), (reference, others) = mine[metric], theirs[metric]
        row = head | {"metric": metric, "accuracy_group": group, "accuracy_reference": reference}
        if metric == "model_accuracy":
            counts = int(first.model.sum()), n1, int(other.model.sum()), n0
            low, high = newcombe(*counts, settings.confidence)
            yield row | {"estimate": group - reference, "ci_low": low, "ci_high": high, "method": "newcombe"}
        else:
            gap = Mean(group - reference, np.concatenate([pulls, others]))
            yield row | normal(gap, metric, min(n1, n0), -1.0, settings)


def arm_rows(
    arm: Arm, attribute: Attribute, values: np.ndarray, counted: np.ndarray, settings: Settings
) -> Iterator[Row]:
    """Yield the rows of one arm and attribute, among the ``counted`` faces."""
    right = (arm.predicted == arm.true).astype(float)
    bands = np.where(counted, band(values[:, 3]), -1)
    r = attribute.reference
    for g, group in enumerate(attribute.groups):
        if g == r:
            continue
        names = group, attribute.groups[r]
        for i in range(len(EDGES) + 1):
            rows = [np.flatnonzero((bands == i) & (attribute.codes == code)) for code in (g, r)]
            n1, n0 = map(len, rows)
            if not n1 + n0:
                continue
            head = {"arm": arm.name, "attribute": attribute.name, "group": group, "reference": names[1]} | ends(i)
            head |= {"n_group": n1, "n_reference": n0, "confidence": settings.confidence}
            head["status"] = pair_status((n1, n0), names, settings.minimum_faces)
            if head["status"] == "ok":
                of = [Readings(right[own], *values[own].T) for own in rows]
                yield from metric_rows(head, *of, settings)
            else:
                yield head | {"metric": "model_accuracy"}


def by_ambiguity(sample: Sample, taggers: pd.DataFrame | None, settings: Settings) -> Iterator[Row]:
    """Return the rows of ``by_ambiguity``: every gap of every arm, and the taggers', by the entropy of the votes.

    A gap that everyone has shows in both and grows with ambiguity; one of the model alone stays where votes agree.
    ``accuracy_group`` and ``accuracy_reference`` are shares, ``estimate`` their difference.

    Parameters
    ----------
    taggers : pandas.DataFrame or None
        As :func:`fergap.audit.human_reference.human_reference` takes it, with the same errors.
    """
    return by_arm(sample, taggers, settings, arm_rows)
