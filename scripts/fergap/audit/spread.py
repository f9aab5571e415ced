"""What other replicates, single folds and training faces say beside the headline numbers."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from fergap.audit.inputs import Attribute, Sample

Row = dict[str, Any]


def accuracy_by_group(rows: pd.DataFrame, codes: np.ndarray, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the accuracy (NaN without faces) and the number of rows of each group."""
    own = codes[rows["face"].to_numpy()]
    known = own >= 0
    n = np.bincount(own[known], minlength=groups)
    right = np.bincount(own[known], weights=rows["correct"].to_numpy()[known], minlength=groups)
    return np.divide(right, n, out=np.full(groups, np.nan), where=n > 0), n


def replicates(sample: Sample) -> Iterator[Row]:
    """Yield the rows of ``replicates``: every gap in every seed and repeat, and in each fold of the first replicate."""
    test = sample.rows[sample.rows["role"] == "test"]
    for arm in sample.arms.values():
        own = test[test["arm"] == arm.name]
        parts = [(key, None, part) for key, part in own.groupby(["seed", "repeat"], sort=False)]
        first = own[(own["seed"] == arm.seed) & (own["repeat"] == arm.repeat)]
        if len(first["fold"].unique()) > 1:
            parts += [((arm.seed, arm.repeat), int(fold), part) for fold, part in first.groupby("fold")]
        for attribute in sample.attributes:
            for (seed, repeat), fold, part in parts:
                accuracy, n = accuracy_by_group(part, attribute.codes, len(attribute.groups))
                yield from gap_rows(arm.name, attribute, int(seed), int(repeat), fold, accuracy, n)


def gap_rows(
    arm: str, attribute: Attribute, seed: int, repeat: int, fold: int | None, accuracy: np.ndarray, n: np.ndarray
) -> Iterator[Row]:
    """Yield each group's gap in one part of the predictions."""
    r = attribute.reference
    for g, group in enumerate(attribute.groups):
        if g != r:
            empty = not (n[g] and n[r])
            yield {
                "arm": arm,
                "attribute": attribute.name,
                "group": group,
                "reference": attribute.groups[r],
                "seed": seed,
                "repeat": repeat,
                "fold": fold,
                "n_group": int(n[g]),
                "n_reference": int(n[r]),
                "accuracy_group": accuracy[g],
                "accuracy_reference": accuracy[r],
                "gap": accuracy[g] - accuracy[r],
                "status": "not estimable: 0 faces" if empty else "ok",
            }


def optimism(sample: Sample) -> Iterator[Row]:
    """Yield the rows of ``optimism``: accuracy on faces that the model was trained on, beside the out-of-fold one."""
    everyone = Attribute("all", ("all",), np.zeros(len(sample.faces), np.int32), 0, False)
    for arm in sample.arms.values():
        rows = sample.rows
        own = rows[(rows["arm"] == arm.name) & (rows["seed"] == arm.seed) & (rows["repeat"] == arm.repeat)]
        train, test = own[own["role"] == "train"], own[own["role"] == "test"]
        for attribute in (everyone, *sample.attributes):
            groups = len(attribute.groups)
            inside, trained = accuracy_by_group(train, attribute.codes, groups)
            outside, n = accuracy_by_group(test, attribute.codes, groups)
            for g, group in enumerate(attribute.groups):
                status = "ok" if trained[g] else "not estimable: no predictions of training faces"
                yield {
                    "arm": arm.name,
                    "attribute": attribute.name,
                    "group": group,
                    "n": int(n[g]),
                    "in_sample": inside[g],
                    "out_of_fold": outside[g],
                    "optimism": inside[g] - outside[g],
                    "status": status if n[g] else "not estimable: 0 faces",
                }
