"""Simulated raters of drawn faces: they know who was drawn, and err as often as the study says."""

import numpy as np
import pandas as pd

from fergap import seeds

ATTRIBUTES = ("gender", "age")


def from_simulated(truth: pd.DataFrame, name: str, error: float, share: float, seed: int) -> pd.DataFrame:
    """Return the answers of one simulated rater.

    Every rater answers about the first ``share`` of the faces in one random order, which is the same for all, so that
    who answers about fewer repeats what others answered. Each answer is wrong with probability ``error``, whoever the
    face shows and however hard it is, and then any of the other groups with the same probability.

    Parameters
    ----------
    truth : pandas.DataFrame
        ``image_id``, ``gender`` and ``age`` of the drawn faces.
    name : str
        The annotator's.
    error, share : float
        In 0 … 1.

    Returns
    -------
    pandas.DataFrame
        As the sources in :mod:`fergap.people.annotators`, in the order of ``truth``.
    """
    place = seeds.generator(seed, "people", "simulated", "order").permutation(len(truth))
    own = truth[place < round(share * len(truth))].reset_index(drop=True)
    out = {"image_id": own["image_id"]}
    for attribute in ATTRIBUTES:
        stream = seeds.generator(seed, "people", "simulated", name, attribute)
        groups = sorted(truth[attribute].dropna().unique())
        codes = pd.Index(groups).get_indexer(own[attribute])
        away = stream.integers(1, max(2, len(groups)), len(own))
        wrong = (stream.random(len(own)) < error) & (codes >= 0) & (len(groups) > 1)
        said = np.array([*groups, None], dtype=object)[np.where(wrong, (codes + away) % max(1, len(groups)), codes)]
        out[attribute] = pd.Series(said, dtype="str")
    return pd.DataFrame(out).assign(annotator=name)
