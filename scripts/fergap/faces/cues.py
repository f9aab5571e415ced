"""Expressions as cues: how strongly each part of a drawn face moves, after the action units of Ekman and Friesen."""

from collections.abc import Mapping

import numpy as np

EXPRESSIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
SHARES = np.array([0.13, 0.10, 0.11, 0.19, 0.14, 0.14, 0.19])

CUES = (
    "inner_brow",  # AU 1, inner ends of the brows raised
    "outer_brow",  # AU 2, outer ends raised
    "brow_lower",  # AU 4, brows lowered and drawn together
    "lid_raise",  # AU 5, upper lids raised
    "cheek",  # AU 6, cheeks and lower lids raised
    "lid_tight",  # AU 7, both lids narrowed
    "nose_wrinkle",  # AU 9
    "lip_raise",  # AU 10, upper lip raised
    "corner_pull",  # AU 12, corners of the mouth up and out
    "corner_drop",  # AU 15, corners down
    "chin_raise",  # AU 17
    "stretch",  # AU 20, mouth widened
    "press",  # AU 24, lips pressed
    "open",  # AU 25 to 27, mouth open
)

ADULT = {
    "anger": {
        "brow_lower": 1.0,
        "lid_tight": 0.7,
        "lid_raise": 0.3,
        "press": 0.9,
        "chin_raise": 0.3,
        "corner_drop": 0.2,
    },
    "disgust": {"nose_wrinkle": 1.0, "lip_raise": 1.0, "brow_lower": 0.5, "lid_tight": 0.6, "cheek": 0.4, "open": 0.15},
    "fear": {"inner_brow": 1.0, "outer_brow": 0.4, "brow_lower": 0.4, "lid_raise": 1.0, "stretch": 0.9, "open": 0.4},
    "happiness": {"corner_pull": 1.0, "cheek": 0.8, "open": 0.3},
    "sadness": {"inner_brow": 1.0, "brow_lower": 0.3, "corner_drop": 1.0, "chin_raise": 0.6, "lid_tight": 0.3},
    "surprise": {"inner_brow": 0.9, "outer_brow": 1.0, "lid_raise": 0.8, "open": 1.0},
    "neutral": {},
}

# children pout when angry, cry when sad and shut their mouths in fear; the rest they do as adults do
CHILD = ADULT | {
    "anger": {"corner_drop": 1.0, "chin_raise": 1.0, "inner_brow": 0.3, "brow_lower": 0.3, "press": 0.3},
    "fear": {"inner_brow": 0.8, "outer_brow": 0.7, "lid_raise": 1.0, "press": 0.9},
    "sadness": {"lid_tight": 1.0, "cheek": 0.6, "open": 0.9, "stretch": 0.5, "inner_brow": 0.9, "corner_drop": 0.6},
}


def table(prototypes: Mapping[str, Mapping[str, float]]) -> np.ndarray:
    """Return prototypes as an array of expressions × cues, float64, in the order of ``EXPRESSIONS`` and ``CUES``."""
    return np.array([[prototypes[e].get(c, 0.0) for c in CUES] for e in EXPRESSIONS])


def move(
    expression: np.ndarray,
    strength: np.ndarray,
    child: np.ndarray,
    female: np.ndarray,
    truth: Mapping[str, float],
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw the cues of faces.

    A face's cues are its expression's prototype times its strength, times a factor of its own for each cue (mean 1,
    standard deviation 0.2; one cue in seventeen stays away), plus the features it has at rest (standard deviation
    0.07). A child's prototype is ``(1 - child_style) * ADULT + child_style * CHILD`` at the length of ``ADULT``, so
    that style turns the vector and only ``child_strength`` scales it; ``gender_strength`` scales a woman's.

    Parameters
    ----------
    expression : (n,) integer array
        Positions in ``EXPRESSIONS``.
    strength : (n,) float array
        In 0 … 1.
    child, female : (n,) bool arrays
    truth : mapping
        ``child_strength``, ``child_style`` (0 … 1) and ``gender_strength``.
    rng : numpy.random.Generator

    Returns
    -------
    (n, len(CUES)) float64 array
        0 is a face at rest, 1 a full movement; bounded to -0.3 … 1.4.
    """
    style = np.where(child, truth["child_style"], 0.0)[:, None]
    scale = np.where(child, truth["child_strength"], 1.0) * np.where(female, truth["gender_strength"], 1.0)
    adult = table(ADULT)[expression]
    prototype = (1 - style) * adult + style * table(CHILD)[expression]
    # blending turns the direction and must not shorten: the strength is the other parameter's
    length = np.linalg.norm(prototype, axis=1, keepdims=True)
    prototype *= np.linalg.norm(adult, axis=1, keepdims=True) / np.where(length > 0, length, 1)
    own = rng.normal(1.0, 0.2, prototype.shape) * (rng.random(prototype.shape) > 0.06)
    # happy people show their teeth or do not; angry ones press their lips or bare their teeth
    smiling, angry = (expression == EXPRESSIONS.index(e) for e in ("happiness", "anger"))
    bares = rng.random(len(expression)) < 0.3
    own[:, CUES.index("open")] *= np.where(smiling, rng.uniform(0.0, 2.4, len(expression)), 1.0)
    own[:, CUES.index("press")] *= np.where(angry & bares, 0.1, 1.0)
    prototype[:, CUES.index("open")] += 0.35 * (angry & bares)
    rest = rng.normal(0.0, 0.07, prototype.shape)
    return np.clip((scale * strength)[:, None] * prototype * own + rest, -0.3, 1.4)
