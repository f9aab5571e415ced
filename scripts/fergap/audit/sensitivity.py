"""Gaps and verdicts on other choices of faces: surer labels of the group, and no face that repeats another."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from fergap.audit.clusters import cluster_codes
from fergap.audit.counts import split
from fergap.audit.gaps import answers, pairs, primary_test
from fergap.audit.inputs import Arm, Attribute, Sample, fail_first
from fergap.audit.multiplicity import adjust
from fergap.audit.settings import Settings
from fergap.audit.verdicts import judged

Row = dict[str, Any]
ALL = "all faces"
CONFIDENCE = "label confidence"
CLUSTER = "one face per cluster"


class Choice(NamedTuple):
    """A choice of faces; ``kept`` gives (faces,) bool, or None where it says nothing about an attribute."""

    name: str
    threshold: float | None
    kept: Callable[[Arm, Attribute], np.ndarray | None]


def label_confidence(name: str, people: pd.DataFrame, faces: pd.Index) -> np.ndarray | None:
    """Return each face's confidence in its group, of a combined attribute the smaller of its parts'.

    Returns
    -------
    numpy.ndarray or None
        (faces,) in 0 … 1, NaN where none is given; None where an attribute, or a part of it, has none at all.

    Raises
    ------
    UserError
        A confidence is no number from 0 to 1.
    """
    if "*" in name:
        parts = [label_confidence(part, people, faces) for part in name.split("*")]
        return None if any(part is None for part in parts) else np.minimum.reduce(parts)
    if "confidence" not in people.columns:
        return None
    known = people[((people["attribute"] == name) & people["group"].notna() & people["confidence"].notna()).to_numpy()]
    values = pd.to_numeric(known["confidence"], errors="coerce").to_numpy(float)
    bad = ~((values >= 0) & (values <= 1))
    fail_first(bad, known, f"its confidence of {name} is none", "people", expected="a number from 0 to 1, or nothing")
    return pd.Series(values, index=known["image_id"]).reindex(faces).to_numpy() if len(known) else None


def one_of_each(sets: np.ndarray, order: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Return (faces,) bool: of the faces ``among``, of each set the first in ``order``, which has the faces' places."""
    chosen = np.flatnonzero(among)
    chosen = chosen[np.argsort(order[chosen], kind="stable")]
    kept = np.zeros(len(among), bool)
    kept[chosen[np.unique(sets[chosen], return_index=True)[1]]] = True
    return kept


def same_sets(first: np.ndarray, second: np.ndarray) -> bool:
    """Return whether two arrays of codes put the same faces together."""
    return bool((pd.factorize(first)[0] == pd.factorize(second)[0]).all())


def choices(
    sample: Sample, people: pd.DataFrame, duplicates: Mapping[str, Any], settings: Settings
) -> Iterator[Choice]:
    """Yield every choice of faces, all of them first.

    ``duplicates`` maps a kind of duplicate to the sets of each; clusters that are such sets are not a choice again.
    """
    yield Choice(ALL, None, lambda arm, attribute: arm.covered)

    sure = {a.name: label_confidence(a.name, people, sample.faces) for a in sample.attributes}
    for threshold in settings.confidence_thresholds:

        def surer(arm: Arm, attribute: Attribute, threshold: float = threshold) -> np.ndarray | None:
            found = sure[attribute.name]
            return None if found is None else found >= threshold

        yield Choice(CONFIDENCE, threshold, surer)

    sets = {f"without {kind} duplicates": cluster_codes(sample.faces, people, own) for kind, own in duplicates.items()}
    if sample.clusters is not None and not any(same_sets(own, sample.clusters) for own in sets.values()):
        sets[CLUSTER] = sample.clusters
    if not sets:
        return
    order = np.empty(len(sample.faces), int)
    order[np.argsort(sample.faces.astype(str).to_numpy(), kind="stable")] = np.arange(len(order))
    for name, own in sets.items():

        def single(arm: Arm, attribute: Attribute, own: np.ndarray = own) -> np.ndarray:
            return one_of_each(own, order, arm.covered & (attribute.codes >= 0))

        yield Choice(name, None, single)


def verdicts_on(
    arm: Arm, sample: Sample, chosen: Mapping[str, Attribute], settings: Settings
) -> dict[tuple[str, str], Row]:
    """Return by attribute and group what an audit would say of each gap if the faces' groups were ``chosen``.

    Parameters
    ----------
    chosen : mapping
        Attributes of the sample by name, with other codes. Those that are not among them have no row and keep their
        faces, so that their tests stay in the family of those that p values are adjusted with.
    """
    tests, found = [], {}
    for attribute in sample.attributes:
        counts = split(arm, chosen.get(attribute.name, attribute), len(sample.classes))
        for g, r, head in pairs(arm.name, counts, settings):
            test = primary_test(counts, g, r, head)
            tests.append(test)
            if attribute.name in chosen:
                found[attribute.name, head["group"]] = test, answers(counts, g, r), int(counts.n.sum())
    adjust(tests, ["family"], "holm")
    rows = {}
    for key, (test, (x1, n1, x0, n0), faces) in found.items():
        row = {c: test[c] for c in ("arm", "attribute", "group", "reference", "status")}
        row |= {"faces": faces, "n_group": n1, "n_reference": n0}
        row |= {"confidence": settings.confidence, "method": "newcombe", "verdict": "not estimable"}
        if row["status"] == "ok":
            row |= {c: test[c] for c in ("p_value", "p_adjusted")}
            row |= judged(x1, n1, x0, n0, test["p_adjusted"], settings)
        rows[key] = row
    return rows


def judged_pairs(arm: Arm, sample: Sample, choice: Choice, settings: Settings) -> dict[tuple[str, str], Row]:
    """Return the rows of one choice by attribute and group; an attribute that it says nothing about has none."""
    kept = [(attribute, choice.kept(arm, attribute)) for attribute in sample.attributes]
    chosen = {a.name: replace(a, codes=np.where(own, a.codes, -1)) for a, own in kept if own is not None}
    rows = verdicts_on(arm, sample, chosen, settings)
    for row in rows.values():
        row |= {"choice": choice.name, "threshold": choice.threshold}
        if row["status"] != "ok" and choice.threshold is not None:
            row["status"] += f", with a confidence of at least {choice.threshold:g}"
    return rows


def sensitivity(
    sample: Sample, people: pd.DataFrame, duplicates: Mapping[str, Any], settings: Settings
) -> Iterator[Row]:
    """Yield the rows of ``sensitivity``: for each arm and pair all faces, then every other choice of them.

    *label confidence*: faces whose annotator's confidence in their group is at least the threshold; a face without one
    is left out, and an attribute without any has no such row. *without … duplicates* and *one face per cluster*: of
    each set the face whose ``image_id`` is the first as text, among those that the arm predicts and whose group is
    known. A verdict is the one that an audit of these faces alone would give: the primary test, adjusted by Holm within
    its family among the same choice. A pair that no other choice concerns has no row.

    Parameters
    ----------
    people : pandas.DataFrame
        Its column ``confidence``, if there is one, is the annotator's, 0 … 1.
    duplicates : mapping
        Kind of duplicate → face id → set.

    Raises
    ------
    UserError
        A confidence is no number from 0 to 1.
    """
    made = list(choices(sample, people, duplicates, settings))
    for arm in sample.arms.values():
        found = [judged_pairs(arm, sample, choice, settings) for choice in made]
        for key, whole in found[0].items():
            rows = [rows[key] for rows in found if key in rows]
            if len(rows) == 1:
                continue
            for row in rows:
                both = "not estimable" not in (row["verdict"], whole["verdict"])
                yield row | {"verdict_differs": int(row["verdict"] != whole["verdict"]) if both else None}
