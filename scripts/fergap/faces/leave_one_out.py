"""What one tagger says against the label that the others' votes make: exact expectations over the vote left out."""

import numpy as np
import pandas as pd

from fergap.faces.labels import label
from fergap.faces.votes import EMOTIONS, TAGGERS, VOTES


def single_votes(name: str, schemes: dict[str, dict]) -> np.ndarray:
    """Return the class that a vote for each column of ``VOTES`` stands for: int64, shape (10,).

    It is the class of a face on which all ten taggers vote so: of the emotion itself where a majority decides, of the
    first rule that ten such votes fulfil where rules do. −1 where they make no class, and −2 where the column is none
    of the scheme's emotions, so that a vote for it answers no question of the scheme.
    """
    scheme = schemes[name]
    asked = scheme.get("majority") or scheme.get("emotions", EMOTIONS)
    alike = pd.DataFrame(TAGGERS * np.eye(len(VOTES), dtype=np.int64), columns=list(VOTES))
    return np.where([vote in asked for vote in VOTES], label(alike, name, schemes).code, -2)


def readings(votes: pd.DataFrame, name: str, schemes: dict[str, dict]) -> pd.DataFrame:
    r"""Return what a tagger of each face is expected to say when one of its votes is left out at random.

    Of :math:`N = \sum_e v_e` votes the one left out is for :math:`e` with probability :math:`v_e / N`; the others,
    :math:`v - 1_e`, are labelled by the study's own scheme. With :math:`c(e)` the class that a vote stands for
    (:func:`single_votes`) and :math:`L` the scheme,

    .. math::
        \text{answered} = \sum_e \frac{v_e}{N} [L(v - 1_e) \in c(\text{all})] [e \text{ is one of the emotions}],
        \quad \text{right} = \sum_e \frac{v_e}{N} [c(e) = L(v - 1_e)],
        \quad \text{kept} = \sum_e \frac{v_e}{N} [L(v - 1_e) = L(v)].

    So a vote is right if it stands for the class that the others make; it is no answer if it is for none of the
    scheme's emotions (as ``unknown``), or if no single vote stands for the class that the others make (or they make
    none): a rule such as ``sadness != 0 and neutral != 0`` needs a mixture of votes, which no tagger gives alone. A
    vote for an emotion that stands for no class is a wrong answer.

    Parameters
    ----------
    votes : pandas.DataFrame
        The columns of ``VOTES``, whole numbers; one row per face, at least one vote in each.
    name, schemes
        The scheme, as :func:`fergap.faces.labels.label` takes them.

    Returns
    -------
    pandas.DataFrame
        With the index of ``votes`` and the float64 columns ``answered``, ``right`` (at most ``answered``) and ``kept``,
        all in 0 … 1.
    """
    patterns, which = np.unique(votes[list(VOTES)].to_numpy("int64"), axis=0, return_inverse=True)
    stands = single_votes(name, schemes)
    whole = label(pd.DataFrame(patterns, columns=list(VOTES)), name, schemes).code
    out = np.zeros((len(patterns), 3))
    share = patterns / patterns.sum(axis=1, keepdims=True)
    for e in range(len(VOTES)):
        rows = np.flatnonzero(patterns[:, e])
        if not len(rows):
            continue
        rest = patterns[rows]
        rest[:, e] -= 1
        others = label(pd.DataFrame(rest, columns=list(VOTES)), name, schemes).code
        chance = share[rows, e]
        asked = np.isin(others, stands[stands >= 0]) & (stands[e] > -2)
        out[rows, 0] += chance * asked
        out[rows, 1] += chance * (asked & (others == stands[e]))
        out[rows, 2] += chance * (others == whole[rows])
    return pd.DataFrame(np.minimum(out, 1)[which.ravel()], index=votes.index, columns=["answered", "right", "kept"])
