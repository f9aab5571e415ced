"""What the taggers' votes say about each face's class: soft labels."""

import numpy as np
import pandas as pd

from fergap.faces.labels import label
from fergap.faces.votes import VOTES
from fergap.seeds import generator

DRAWS = 400  # of ten votes; the standard error of a probability is at most 0.025


def soft_targets(
    faces: pd.DataFrame, classes: tuple[str, ...], training: np.ndarray, name: str, scheme: dict, seed: int
) -> np.ndarray | None:
    """Return the taggers' distribution over the classes for each face.

    Where the classes are emotions that compete for a majority, it is their share of the votes for the classes.

    Where the classes follow from rules, votes are no votes for a class. Then it is the probability of each class if as
    many taggers voted anew: the rules are applied to 400 multinomial draws (a parametric bootstrap, Efron & Tibshirani
    1993) from the face's own shares of the ten answers, to which one vote with the training faces' mean shares is
    added, since an answer that ten taggers did not give is not impossible. Draws without a class are left out. Equal
    votes get equal targets.

    Parameters
    ----------
    faces : pandas.DataFrame
        Table ``faces``.
    classes : tuple of str
        In the order of the columns that come back.
    training : numpy.ndarray
        (m,) positions of the training faces; no other face's votes touch their targets.
    name, scheme : str, dict
        The scheme that made the labels, and what it is called.
    seed : int
        The study's seed.

    Returns
    -------
    ndarray of float32, shape (n, classes), or None
        Each row sums to 1; the label itself where no vote, or no draw, is for a class, and for all faces but the
        training ones. None where the faces have no votes.
    """
    columns = [f"votes_{vote}" for vote in VOTES]
    if not set(columns) <= set(faces):
        return None
    targets = (faces["label"].to_numpy(object)[:, None] == np.array(classes, object)).astype(np.float32)
    part = faces.iloc[training]
    if "majority" in scheme:
        weight = part[[f"votes_{c}" for c in classes]].to_numpy(np.float64)
    else:
        weight = drawn_classes(part[columns].to_numpy(np.int64), classes, name, scheme, seed)
    total = weight.sum(axis=1, keepdims=True)
    targets[training] = np.where(total > 0, weight / np.maximum(total, 1), targets[training])
    return targets


def drawn_classes(votes: np.ndarray, classes: tuple[str, ...], name: str, scheme: dict, seed: int) -> np.ndarray:
    """Return how often each class comes out when rows of votes, (n, 10) int64, are drawn anew: (n, classes) float64."""
    rows, inverse = np.unique(votes, axis=0, return_inverse=True)
    total = rows.sum(axis=1, keepdims=True)
    shares = (rows + votes.sum(axis=0) / votes.sum()) / (total + 1)
    draws = generator(seed, "soft labels").multinomial(total, shares[:, None, :], size=(len(rows), DRAWS))
    made = label(pd.DataFrame(draws.reshape(-1, len(VOTES)), columns=list(VOTES)), name, {name: scheme})
    code = made.code.reshape(len(rows), DRAWS)
    counts = np.column_stack([(code == made.classes.index(c)).sum(axis=1) for c in classes])
    return counts[inverse.reshape(-1)].astype(np.float64)
