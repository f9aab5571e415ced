"""Which faces are annotated."""

import numpy as np
import pandas as pd

from fergap import seeds


def sample(labels: pd.Series, per_class: int | None, seed: int) -> np.ndarray:
    """Return which faces are annotated: all, or ``per_class`` of each class drawn without replacement.

    Returns
    -------
    numpy.ndarray of bool, length n
    """
    if per_class is None:
        return np.ones(len(labels), dtype=bool)
    chosen = np.zeros(len(labels), dtype=bool)
    for label in sorted(labels.unique()):
        rows = np.flatnonzero(labels == label)
        rng = seeds.generator(seed, "sample", label)
        chosen[rng.choice(rows, size=min(per_class, len(rows)), replace=False)] = True
    return chosen
