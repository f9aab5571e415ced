"""Every group's accuracy, precision, recall and F1, with intervals, and its confusion counts."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from fergap.audit.bootstrap import Replicates
from fergap.audit.classification import per_class
from fergap.audit.counts import Split
from fergap.audit.proportions import clopper_pearson, wilson
from fergap.audit.resampling import AVERAGED, group_statistics
from fergap.audit.settings import Settings, faces, few_answers, too_few

Row = dict[str, Any]


def proportion_row(count: int, n: int, settings: Settings, nothing: str) -> Row:
    """Return the columns of a proportion with its Wilson interval; ``nothing`` is the status of n = 0."""
    if n == 0:
        return {"n": n, "count": count, "status": nothing}
    low, high = wilson(count, n, settings.confidence)
    return {
        "n": n,
        "count": count,
        "estimate": count / n,
        "ci_low": low,
        "ci_high": high,
        "method": "wilson",
        "status": "ok",
    }


def group_metrics(
    arm: str, split: Split, classes: tuple[str, ...], replicates: list[Replicates | None], settings: Settings
) -> Iterator[Row]:
    """Yield the rows of ``group_metrics`` for one arm and attribute."""
    common = split.common(settings.minimum_faces)
    for g, group in enumerate(split.groups):
        table, n = split.table[g], int(split.n[g])
        head = {"arm": arm, "attribute": split.attribute, "group": group, "confidence": settings.confidence}
        status, interval = too_few(n, settings.minimum_faces, group), few_answers(int(split.right[g]), n)
        yield head | {"metric": "accuracy"} | accuracy_row(int(split.right[g]), n, settings)
        f1 = per_class(table)[2]
        right, support, predicted = np.diagonal(table), table.sum(1), table.sum(0)
        for c, label in enumerate(classes):
            row = head | {"class": label}
            if status != "ok":
                for metric, total in (("recall", support[c]), ("precision", predicted[c]), ("f1", support[c])):
                    yield row | {"metric": metric, "n": int(total), "count": int(right[c]), "status": status}
                continue
            none = "not estimable: 0 faces of the class"
            yield row | {"metric": "recall"} | proportion_row(int(right[c]), int(support[c]), settings, none)
            none = "not estimable: never predicted"
            yield row | {"metric": "precision"} | proportion_row(int(right[c]), int(predicted[c]), settings, none)
            found = {"metric": "f1", "n": int(support[c]), "count": int(right[c])}
            if support[c] + predicted[c] == 0:
                yield row | found | {"status": "not estimable: 0 faces of the class"}
            else:
                enough = (
                    interval if support[c] >= 5 else f"interval not estimable: {faces(int(support[c]))} of the class"
                )
                if enough == "ok" and f1[c] in (0, 1):
                    enough = "interval not estimable: every answer alike"
                column = 1 + len(AVERAGED) + c
                yield row | found | {"estimate": f1[c]} | resampled(replicates[g], column, settings, enough)
        if status == "ok":
            estimates = group_statistics(table.astype(float)[None], common, support > 0, support + predicted > 0)[0]
        for m, (metric, average) in enumerate(AVERAGED, start=1):
            row = head | {"metric": metric, "average": average, "n": n}
            if status != "ok":
                yield row | {"status": status}
            elif average == "macro_common" and not common.any():
                yield row | {"status": "not estimable: no class with 5 faces in every group"}
            else:
                yield row | {"estimate": estimates[m]} | resampled(replicates[g], m, settings, interval)


def accuracy_row(count: int, n: int, settings: Settings) -> Row:
    """Return an accuracy's columns: Clopper–Pearson's interval below the minimum number of faces, else Wilson's."""
    row = proportion_row(count, n, settings, "not estimable: 0 faces")
    if 0 < n < settings.minimum_faces:
        low, high = clopper_pearson(count, n, settings.confidence)
        row |= {"ci_low": low, "ci_high": high, "method": "clopper-pearson"}
    return row


def resampled(replicates: Replicates | None, column: int, settings: Settings, status: str) -> Row:
    """Return a metric's bootstrap interval, or with another status than ``ok`` none."""
    if status != "ok":
        return {"status": status}
    low, high = replicates.bca(column, settings.confidence)
    return {"ci_low": low, "ci_high": high, "method": "bootstrap bca", "status": "ok"}


def confusion(arm: str, split: Split, classes: tuple[str, ...]) -> Iterator[Row]:
    """Yield the rows of ``confusion`` for one arm and attribute."""
    for (g, t, p), count in np.ndenumerate(split.table):
        yield {
            "arm": arm,
            "attribute": split.attribute,
            "group": split.groups[g],
            "true": classes[t],
            "predicted": classes[p],
            "count": int(count),
            "status": "ok",
        }
