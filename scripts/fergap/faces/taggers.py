"""Ten simulated taggers, who read a drawn face as FER+'s taggers read a photograph."""

import numpy as np

from fergap.faces.cues import EXPRESSIONS

VOTES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
TAGGERS = 10

# what a tagger sees who misreads: shares of the wrong votes
MISREAD = {
    "anger": {"neutral": 0.28, "disgust": 0.3, "sadness": 0.17, "contempt": 0.1, "fear": 0.05, "surprise": 0.05},
    "disgust": {"anger": 0.45, "contempt": 0.15, "sadness": 0.15, "neutral": 0.15, "fear": 0.05},
    "fear": {"surprise": 0.55, "sadness": 0.2, "neutral": 0.08, "anger": 0.05, "disgust": 0.05},
    "happiness": {"neutral": 0.6, "surprise": 0.2, "contempt": 0.1, "sadness": 0.03},
    "sadness": {"neutral": 0.55, "fear": 0.12, "anger": 0.12, "disgust": 0.1, "contempt": 0.03},
    "surprise": {"fear": 0.42, "happiness": 0.2, "neutral": 0.3},
    "neutral": {"sadness": 0.46, "anger": 0.14, "happiness": 0.13, "contempt": 0.08, "surprise": 0.07, "fear": 0.04},
}
NO_FACE = 0.0005  # chance that a tagger takes a face for none


def chances(expression: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """Return each face's chances of the ten votes, float64 (n, 10), rows summing to 1.

    The right expression is seen with chance 1.3 × strength - 0.32, at least 0; the rest is divided as ``MISREAD``
    says, what that leaves over going to ``unknown``.

    Parameters
    ----------
    expression : (n,) integer array
        Positions in ``EXPRESSIONS``.
    strength : (n,) float array
        In 0 … 1; how clear the face is to people, before ``child_strength`` and ``gender_strength``.
    """
    wrong = np.array([[MISREAD[e].get(v, 0.0) for v in VOTES] for e in EXPRESSIONS])
    wrong[:, VOTES.index("unknown")] += 1 - wrong.sum(axis=1)
    right = np.array([[float(e == v) for v in VOTES] for e in EXPRESSIONS])
    clear = np.clip(1.3 * strength - 0.32, 0, 1)[:, None]
    out = clear * right[expression] + (1 - clear) * wrong[expression]
    out *= 1 - NO_FACE
    out[:, VOTES.index("NF")] += NO_FACE
    return out


def vote(chance: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw the votes of ten taggers from ``chances``; int64 (n, 10), rows summing to 10."""
    return rng.multinomial(TAGGERS, chance)


def vote_no_face(n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the votes on ``n`` pictures that show no face: nearly all ten say so; int64 (n, 10)."""
    votes = np.zeros((n, len(VOTES)), dtype=np.int64)
    unsure = rng.binomial(1, 0.1, n)
    votes[:, VOTES.index("NF")] = TAGGERS - unsure
    votes[:, VOTES.index("unknown")] = unsure
    return votes
