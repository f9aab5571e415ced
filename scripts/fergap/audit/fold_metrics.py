"""Each fold's accuracy and macro averages over all faces, as k-fold tables print them."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from fergap.audit.classification import accuracy, averages
from fergap.audit.inputs import Sample

Row = dict[str, Any]


def fold_metrics(sample: Sample) -> Iterator[Row]:
    """Yield the rows of ``fold_metrics``: out-of-fold metrics in every fold of every seed and repeat.

    Precision, recall and F1 are averaged over all classes of the data set (``macro_all``); 0/0 counts as 0.
    """
    k = len(sample.classes)
    every = np.ones(k, dtype=bool)
    test = sample.rows[sample.rows["role"] == "test"]
    for arm in sample.arms:
        for (seed, repeat, fold), part in test[test["arm"] == arm].groupby(["seed", "repeat", "fold"]):
            table = np.bincount(part["true"] * k + part["predicted"], minlength=k * k).reshape(k, k)
            head = {"arm": arm, "seed": int(seed), "repeat": int(repeat), "fold": int(fold)}
            head |= {"n": len(part), "status": "ok"}
            yield head | {"metric": "accuracy", "average": None, "estimate": float(accuracy(table))}
            found = averages(table, every, every)
            for metric in ("precision", "recall", "f1"):
                yield head | {"metric": metric, "average": "macro_all", "estimate": float(found[metric, "macro_all"])}
