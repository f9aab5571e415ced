"""Gaps and verdicts under each annotator's labels of people, beside those under the study's."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from fergap.audit.agreement import asked
from fergap.audit.inputs import Arm, Attribute, Sample
from fergap.audit.proportions import wilson
from fergap.audit.sensitivity import verdicts_on
from fergap.audit.settings import Settings
from fergap.tables import NO_GROUP

Row = dict[str, Any]
ANSWERED, COMMON = "faces with an answer", "faces answered by all"


def said_by(attribute: Attribute, annotator: str, said: dict[str, pd.DataFrame], faces: pd.Index) -> Attribute | None:
    """Return an attribute as one annotator labels it, of a combined one from the answers to its parts.

    Parameters
    ----------
    said : dict
        Plain attribute → faces × annotators, missing where somebody did not answer.

    Returns
    -------
    Attribute or None
        With the same reference; groups that this annotator alone names follow the others. None where the annotator
        answered nothing of it, or of a part.
    """
    parts = attribute.name.split("*")
    if any(part not in said or annotator not in said[part].columns for part in parts):
        return None
    answers = [said[part][annotator].reindex(faces) for part in parts]
    known = np.all([a.notna() & ~a.isin(NO_GROUP) for a in answers], axis=0)
    text = answers[0].astype("object")
    for other in answers[1:]:
        text = text + "*" + other.astype("object")
    new = sorted(set(text[known]) - set(attribute.groups))
    groups = (*attribute.groups, *new)
    codes = np.where(known, pd.Index(groups).get_indexer(text), -1).astype(np.int32)
    return replace(attribute, groups=groups, codes=codes)


def labellings(
    sample: Sample, arm: Arm, said: dict[str, pd.DataFrame], settings: Settings
) -> dict[str, dict[str, Attribute]]:
    """Return each attribute that several annotators labelled, as each of them does: attribute → annotator → attribute.

    An annotator counts for an attribute with labels of so many predicted faces that two groups could be compared.
    """
    annotators = list(dict.fromkeys(a for table in said.values() for a in table.columns))
    found = {}
    for attribute in sample.attributes:
        made = {a: said_by(attribute, a, said, sample.faces) for a in annotators}
        enough = 2 * settings.minimum_faces
        own = {a: m for a, m in made.items() if m is not None and (arm.covered & (m.codes >= 0)).sum() >= enough}
        if len(own) > 1:
            found[attribute.name] = own
    return found


def judged_by(
    arm: Arm, sample: Sample, labels: dict[str, dict[str, Attribute]], common: bool, settings: Settings
) -> Iterator[Row]:
    """Yield the rows of one arm, the study's own labels first, among all labelled faces or those that all labelled."""
    study = {a.name: a for a in sample.attributes if a.name in labels}
    annotators = list(dict.fromkeys(a for own in labels.values() for a in own))
    chosen = {None: study} | {a: {name: own[a] for name, own in labels.items() if a in own} for a in annotators}
    if common:
        shared = {
            name: np.all([m.codes >= 0 for m in (study[name], *own.values())], axis=0) for name, own in labels.items()
        }
        chosen = {
            who: {name: replace(a, codes=np.where(shared[name], a.codes, -1)) for name, a in own.items()}
            for who, own in chosen.items()
        }
    found = {who: verdicts_on(arm, sample, own, settings) for who, own in chosen.items()}
    for key in dict.fromkeys(key for rows in found.values() for key in rows):
        for who, rows in found.items():
            if key not in rows:
                continue
            row, whole = rows[key], found[None].get(key)
            if row["faces"]:
                low, high = wilson(row["n_group"], row["faces"], settings.confidence)
                row |= {"share": row["n_group"] / row["faces"], "share_low": low, "share_high": high}
            both = whole is not None and "not estimable" not in (row["verdict"], whole["verdict"])
            differs = int(row["verdict"] != whole["verdict"]) if both else None
            yield row | {"annotator": who, "among": COMMON if common else ANSWERED, "verdict_differs": differs}


def by_annotator(sample: Sample, raters: pd.DataFrame | None, settings: Settings) -> Iterator[Row]:
    """Yield the rows of ``by_annotator``: each gap under the study's labels, then under those of each annotator alone.

    ``annotator`` is missing for the study's labels, which may come from several. ``among`` tells the faces: those that
    the annotator labelled, and, where these differ, again those that all annotators labelled, so that a gap can differ
    by the labels alone. ``share`` is the group's among these faces, with Wilson's interval. A verdict is the one that
    an audit with these labels would give: the primary test, adjusted by Holm within its family, attributes that the
    annotator did not label staying as the study has them. ``verdict_differs`` compares it with the study's among the
    same kind of faces. An attribute that fewer than two annotators labelled has no row.

    Parameters
    ----------
    raters : pandas.DataFrame or None
        Table ``raters``; first answers count, adjudications do not.
    """
    said = {attribute: first for attribute, first, _, _ in asked(raters)}
    for arm in sample.arms.values():
        if not (labels := labellings(sample, arm, said, settings)):
            continue
        yield from judged_by(arm, sample, labels, False, settings)
        differing = {}
        for attribute in sample.attributes:
            own = labels.get(attribute.name, {})
            known = np.array([arm.covered & (m.codes >= 0) for m in (attribute, *own.values())])
            if own and known.all(axis=0).any() and (known != known[0]).any():
                differing[attribute.name] = own
        if differing:
            yield from judged_by(arm, sample, differing, True, settings)
