"""Every number that the audit owes and cannot give, with the reason."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fergap.audit.counts import Split
from fergap.audit.fairness_metrics import faces_behind, rates
from fergap.audit.fairness_null import LEAST, summary_masks, xu_classes
from fergap.audit.settings import faces

Row = dict[str, Any]
CELL = ("arm", "contrast", "attribute", "group", "reference", "class", "metric", "average", "method")
SAME = {
    "effect": "metric",
    "estimator": "method",
    "test": "method",
    "scenario": "metric",
    "choice": "metric",
    "question": "metric",
    "quantity": "metric",
    "term": "group",
    "summary": "average",
    "label": "class",
    "answer": "class",
    "first": "group",
    "second": "reference",
    "with": "reference",
}
ANSWERS = ("not reached", "not needed")  # a scenario that cannot occur is an answer


def not_estimable(tables: Mapping[str, Sequence[Row]]) -> Iterator[Row]:
    """Yield the rows of ``not_estimable``: each row of any table whose ``status`` is not ``ok``."""
    for name, rows in tables.items():
        for row in rows:
            status = row.get("status", "ok")
            if status != "ok" and not status.startswith(ANSWERS):
                renamed = {SAME.get(key, key): value for key, value in row.items() if value is not None}
                yield {"table": name, "reason": status} | {key: renamed.get(key) for key in CELL}


def left_out(arm: str, split: Split, classes: tuple[str, ...], minimum_faces: int, least: int = 5) -> Iterator[Row]:
    """Yield the classes that ``macro_common`` averages and their gaps leave out, by the groups that are short of them.

    One row for the averages (``group_metrics``) and, where there is a gap, one for the gaps.
    """
    for g in range(len(split.groups)):
        if split.n[g] < minimum_faces:
            continue  # the whole group is left out, which its own rows say
        for c, label in enumerate(classes):
            n = int(split.support[g, c])
            if n < least:
                row = {"arm": arm, "attribute": split.attribute, "group": split.groups[g], "class": label}
                row |= {"average": "macro_common"}
                of = f"{faces(n)} of {split.groups[g]}"
                yield row | {"table": "group_metrics", "reason": f"class left out of the average: {of}"}
                if len(split.groups) > 1:
                    yield row | {"table": "gaps", "reason": f"class left out of macro gaps: {of}"}


def left_out_of_fairness(arm: str, split: Split, classes: tuple[str, ...], minimum_faces: int) -> Iterator[Row]:
    """Yield the groups and the classes that summaries of fairness metrics over classes leave out.

    A class is left out of a metric's largest, smallest and mean value where the metric rests on fewer than 5 faces in a
    group (for equal opportunity and equalized odds faces of the class; for the false positive rate of the others); see
    :func:`fergap.audit.fairness_null.summary_masks`. Where it is not defined, its own row says so.
    """
    head = {"table": "fairness", "arm": arm, "attribute": split.attribute}
    kept = np.flatnonzero(split.n >= minimum_faces)
    for g, group in enumerate(split.groups):
        if g not in kept:
            yield head | {"group": group, "reason": f"group left out of every metric: {faces(int(split.n[g]))}"}
    if len(kept) < 2:
        return
    table = split.table[kept]
    rate, masks = rates(table), summary_masks(table)
    behind = {metric: faces_behind(metric, rate) for metric in masks}
    for metric, found in masks.items():
        worst = next(iter(found))
        for c in np.flatnonzero(~found[worst] & (behind[metric] < LEAST)):
            row = head | {"class": classes[c], "metric": metric, "average": worst}
            yield row | {"reason": f"class left out of the summaries: {faces(int(behind[metric][c]))} in a group"}
    for c in np.flatnonzero(~xu_classes(table)["common_classes"]):
        row = head | {"class": classes[c], "metric": "xu_fairness", "average": "common_classes"}
        yield row | {"reason": f"class left out of the sum: {faces(int(table[:, c].sum(-1).min()))} in a group"}
