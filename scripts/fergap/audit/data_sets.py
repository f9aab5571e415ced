"""Several data sets in one study: which one a face comes from, and one that a network never saw."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import random_table

from fergap.audit.changes import gap_change
from fergap.audit.counts import paired_split
from fergap.audit.inputs import Arm, Attribute, Sample, group_codes, make_sample
from fergap.audit.multiplicity import adjust
from fergap.audit.paired import mcnemar_midp
from fergap.audit.proportions import tango, wilson
from fergap.audit.settings import Settings, too_few
from fergap.errors import UserError
from fergap.seeds import generator
from fergap.study import SOURCE

Row = dict[str, Any]
DRAWS = 10_000
EVERY = "all"


def recognition(
    predictions: pd.DataFrame | None,
    people: pd.DataFrame,
    attributes: Sequence[str],
    groups: Mapping[str, Sequence[str]],
    settings: Settings,
) -> Iterator[Row]:
    """Yield the rows of ``source_recognition``: how well networks tell which source a face comes from.

    Parameters
    ----------
    predictions : pandas.DataFrame or None
        As :func:`fergap.audit.audit` takes them, the classes being the sources.
    people : pandas.DataFrame
    attributes : sequence of str
        By whose groups the accuracy is given too; ``source`` itself is left out.
    groups : mapping
        Attribute → declared groups; those of ``source`` put the sources in order.
    settings : Settings

    Yields
    ------
    dict
        ``metric`` accuracy, of all faces and of each group: with Wilson's interval, what answers of the same shares
        that know nothing of the face would score (``expected``, Σ_s n_s m_s / n² with n_s faces of a source and m_s
        answers), and p of as many right answers where both margins stay and nothing is known (tables drawn after
        Patefield 1981). ``metric`` share, of all faces: the share of a source's faces that is taken for each source,
        with Wilson's interval; ``expected`` is the share of all answers. p values of groups are adjusted by Holm's
        method within an arm and attribute.
    """
    if predictions is None or predictions.empty:
        return
    others = [name for name in attributes if SOURCE not in name.split("*")]
    asked = {"attributes": others or [SOURCE], "reference": {}, "groups": groups, "arms": None}
    sample = make_sample(predictions, people, classes=groups.get(SOURCE), **asked)
    rows: list[Row] = []
    for arm in sample.arms.values():
        every = Attribute(EVERY, (EVERY,), np.zeros(len(sample.faces), int), 0, False)
        for attribute in (every, *(a for a in sample.attributes if a.name in others)):
            for g, group in enumerate(attribute.groups):
                kept = arm.covered & (attribute.codes == g)
                k = len(sample.classes)
                counts = np.bincount(arm.true[kept] * k + arm.predicted[kept], minlength=k * k).reshape(k, k)
                head = {"arm": arm.name, "attribute": attribute.name, "group": group}
                rows += recognised(head, counts, sample.classes, settings)
    adjust((r for r in rows if r["metric"] == "accuracy" and r["attribute"] != EVERY), ["arm", "attribute"], "holm")
    yield from rows


def recognised(head: Row, counts: np.ndarray, sources: Sequence[str], settings: Settings) -> Iterator[Row]:
    """Yield the rows of one arm and group from its counts, (k, k) true × predicted source."""
    n, k = int(counts.sum()), len(sources)
    head = head | {"confidence": settings.confidence}
    row = head | {"metric": "accuracy", "count": int(np.trace(counts)), "n": n}
    row["status"] = too_few(n, settings.minimum_faces, head["group"])
    if row["status"] == "ok" and (counts.sum(1) > 0).sum() < 2:
        row["status"] = "not estimable: faces of a single source"
    if row["status"] == "ok":
        stream = generator(settings.seed, "audit", "recognition", head["arm"], head["attribute"], head["group"])
        drawn = random_table(counts.sum(1), counts.sum(0)).rvs(DRAWS, random_state=stream)
        reached = int((np.trace(drawn, axis1=1, axis2=2) >= row["count"]).sum())
        row |= share(row["count"], n, settings.confidence)
        row |= {"expected": float(counts.sum(1) @ counts.sum(0)) / n**2, "p_value": (1 + reached) / (1 + DRAWS)}
    yield row
    if head["attribute"] != EVERY:
        return
    for i in range(k):
        own = int(counts[i].sum())
        for j in range(k):
            row = head | {"metric": "share", "true": sources[i], "predicted": sources[j]}
            row |= {"count": int(counts[i, j]), "n": own, "status": "ok" if own else "not estimable: no face"}
            if own:
                row |= share(int(counts[i, j]), own, settings.confidence) | {"expected": counts[:, j].sum() / n}
            yield row


def share(count: int, n: int, confidence: float) -> Row:
    low, high = wilson(count, n, confidence)
    return {"estimate": count / n, "ci_low": low, "ci_high": high}


def unseen_sources(
    sample: Sample,
    people: pd.DataFrame,
    unseen: Mapping[str, str],
    groups: Mapping[str, Sequence[str]],
    settings: Settings,
) -> Iterator[Row]:
    """Yield the rows of ``unseen_sources``: accuracy on a source by networks that never saw it, and by others.

    Parameters
    ----------
    sample : Sample
    people : pandas.DataFrame
    unseen : mapping
        Arm that leaves each source out in turn → the arm that is the same with folds over all sources.
    groups : mapping
        Attribute → declared groups.
    settings : Settings

    Yields
    ------
    dict
        For each source and for all: of all faces and of each group, the accuracy of both arms on the same faces with
        Wilson's intervals; the change from seen to unseen with Tango's interval; McNemar's mid-p, for all faces of a
        source adjusted by Holm's method over the sources. For a group other than the reference also ``gap_change``,
        by how much more it changes than the reference, with the interval of :func:`gap_change`.
    """
    if not unseen:
        return
    names, own = group_codes(SOURCE, people, sample.faces, groups)
    rows: list[Row] = []
    for after, before in unseen.items():
        arms = sample.arms[before], sample.arms[after]
        if not np.array_equal(arms[0].covered, arms[1].covered):
            raise UserError(
                f"arms {before!r} and {after!r} do not predict the same faces",
                where="predictions",
                expected="every face by both, so that they can be compared face by face",
            )
        for code, source in enumerate((EVERY, *names), -1):
            there = own >= 0 if code < 0 else own == code
            kept = tuple(without(arm, ~there) for arm in arms)
            for attribute in (None, *(a for a in sample.attributes if SOURCE not in a.name.split("*"))):
                head = {"arm": after, "seen": before, "source": source}
                head["summary"] = source  # what the ledger of families tells the tests of one arm apart by
                rows += compared(head, kept, attribute, len(sample.classes), settings)
    adjust((r for r in rows if r["source"] != EVERY and r["attribute"] == EVERY), ["arm"], "holm")
    yield from rows


def without(arm: Arm, gone: np.ndarray) -> Arm:
    """Return an arm's predictions without some faces."""
    arrays = {name: np.where(gone, -1, getattr(arm, name)) for name in ("true", "predicted", "fold")}
    return Arm(arm.name, arm.seed, arm.repeat, **arrays)


def compared(
    head: Row, arms: tuple[Arm, Arm], attribute: Attribute | None, classes: int, settings: Settings
) -> Iterator[Row]:
    """Yield the rows of one source and attribute, its reference first."""
    counted = paired_split(*arms, attribute, classes)
    pairs = [counted.pairs_of(g) for g in range(len(counted.groups))]
    for g, (group, faces) in enumerate(zip(counted.groups, pairs, strict=True)):
        row = head | {"attribute": counted.attribute, "group": group, "n": faces.n} | faces._asdict()
        row |= {"confidence": settings.confidence, "status": too_few(faces.n, settings.minimum_faces, group)}
        if row["status"] != "ok":
            yield row
            continue
        for name, right in (("seen", faces.n11 + faces.n10), ("unseen", faces.n11 + faces.n01)):
            found = share(right, faces.n, settings.confidence)
            row |= {f"accuracy_{name}": found["estimate"], f"{name}_low": found["ci_low"]}
            row[f"{name}_high"] = found["ci_high"]
        low, high = tango(faces.n10, faces.n01, faces.n, settings.confidence)
        row |= {"estimate": faces.change, "ci_low": low, "ci_high": high, "method": "tango"}
        if attribute is None:
            row["p_value"] = mcnemar_midp(faces.n10, faces.n01)
        elif g != counted.reference and pairs[counted.reference].n >= settings.minimum_faces:
            _, beyond = gap_change(faces, pairs[counted.reference], settings.confidence)
            row |= {"reference": counted.groups[counted.reference], "gap_change": beyond.estimate}
            row |= {"gap_change_low": beyond.ci_low, "gap_change_high": beyond.ci_high}
        yield row
