"""How well the probabilities of single answers fit what was true."""

from typing import NamedTuple

import numpy as np


class Scores(NamedTuple):
    """Scores of an arm's probabilities; (faces,) each, NaN where a face has none.

    Attributes
    ----------
    log_loss : numpy.ndarray
        −ln of the true class's probability, which counts as at least 2.2e−16.
    brier : numpy.ndarray
        Squared distance of the probabilities from the true class, Σ (p − y)², in 0 … 2 (Brier 1950).
    confidence : numpy.ndarray
        Probability of the predicted class.
    """

    log_loss: np.ndarray
    brier: np.ndarray
    confidence: np.ndarray


def score(p: np.ndarray, true: np.ndarray, predicted: np.ndarray) -> Scores:
    """Return the scores of (faces, classes) probabilities for (faces,) codes of true and predicted classes."""
    face = np.arange(len(p))
    of_true, confidence = p[face, true], p[face, predicted]
    # np.maximum keeps NaN
    log_loss = -np.log(np.maximum(of_true, np.finfo(float).eps))
    brier = np.einsum("fc,fc->f", p, p) - 2 * of_true + 1
    return Scores(log_loss, np.maximum(brier, 0.0), confidence)
