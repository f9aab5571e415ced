"""Which pictures are one photograph: copies pixel for pixel, and near copies."""

import numpy as np
from scipy import fft
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

FREQUENCIES = 12
BLOCK = 1024
ROUNDING = 1e-4


def smallest_row(sets: np.ndarray) -> np.ndarray:
    """Return set ids renamed to the smallest row of each set; int64, shape (n,)."""
    _, first, inverse = np.unique(sets, return_index=True, return_inverse=True)
    return first[inverse].astype("int64")


def exact_sets(pixels: np.ndarray) -> np.ndarray:
    """Return for each picture the smallest row with the very same pixels.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (n, height, width)

    Returns
    -------
    ndarray of int64, shape (n,)
        Equal for two pictures if and only if all their pixels are: whole pictures are compared, not digests.
    """
    if not len(pixels):
        return np.zeros(0, "int64")
    flat = np.ascontiguousarray(pixels).reshape(len(pixels), -1)
    return smallest_row(flat.view(f"V{flat.shape[1]}")[:, 0])


def standardised(pixels: np.ndarray, dtype: str) -> np.ndarray:
    """Return pictures as rows of mean 0 and length 1, flat ones as zeros; shape (n, height * width)."""
    raw = pixels.reshape(len(pixels), -1)
    rows = (raw - raw.mean(axis=1, keepdims=True)).astype(dtype)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    flat = (raw == raw[:, :1]).all(axis=1)
    return np.divide(rows, length, out=np.zeros_like(rows), where=~flat[:, None])


def signatures(pixels: np.ndarray, frequencies: int = FREQUENCIES) -> np.ndarray:
    r"""Return short vectors whose inner product is never below the correlation of two pictures.

    Let x be a standardised picture, P the projection onto the lowest ``frequencies`` × ``frequencies`` cosines (an
    orthonormal basis) and Q = 1 − P. The signature is (Px, ‖Qx‖), and by the Cauchy-Schwarz inequality
    :math:`r = \langle x, y \rangle = \langle Px, Py \rangle + \langle Qx, Qy \rangle
    \le \langle Px, Py \rangle + \lVert Qx \rVert \lVert Qy \rVert`.

    Returns
    -------
    ndarray of float32, shape (n, min(frequencies, height) * min(frequencies, width) + 1)
    """
    height, width = pixels.shape[1:]
    down = fft.dct(np.eye(height, dtype="float32"), axis=0, norm="ortho")[:frequencies]
    along = fft.dct(np.eye(width, dtype="float32"), axis=0, norm="ortho")[:frequencies]
    parts = []
    for start in range(0, len(pixels), BLOCK):
        rows = standardised(pixels[start : start + BLOCK], "float32")
        low = (down @ rows.reshape(-1, height, width) @ along.T).reshape(len(rows), -1)
        rest = 1 - np.square(low, dtype="float64").sum(axis=1, keepdims=True)
        rest[~rows.any(axis=1)] = 0
        parts.append(np.hstack([low, np.sqrt(rest.clip(min=0))]).astype("float32"))
    return np.concatenate(parts)


def candidate_pairs(pixels: np.ndarray, threshold: float) -> np.ndarray:
    """Return all pairs of rows whose signatures allow a correlation above ``threshold``; int64, shape (pairs, 2)."""
    short = signatures(pixels)
    pairs = [np.zeros((0, 2), "int64")]
    for start in range(0, len(short), BLOCK):
        bound = short[start : start + BLOCK] @ short[start:].T
        left, right = np.nonzero(bound > threshold - ROUNDING)
        above = right > left
        pairs.append(np.column_stack([left[above], right[above]]) + start)
    return np.concatenate(pairs)


def correlations(pixels: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Return Pearson's correlation over all pixels for pairs of rows; float64, 0 where a picture is flat."""
    parts = [np.zeros(0)]
    for start in range(0, len(pairs), BLOCK):
        left, right = (standardised(pixels[pairs[start : start + BLOCK, side]], "float64") for side in (0, 1))
        parts.append(np.einsum("ij,ij->i", left, right))
    return np.concatenate(parts)


def near_pairs(pixels: np.ndarray, exact: np.ndarray, threshold: float) -> np.ndarray:
    """Return all pairs of different pictures that correlate above ``threshold``; int64, shape (pairs, 2).

    Of exact copies (``exact`` as :func:`exact_sets` gives it) the first alone stands in a pair.
    """
    rows = np.unique(exact)
    different = pixels[rows]
    pairs = candidate_pairs(different, threshold)
    return rows[pairs[correlations(different, pairs) > threshold]]


def connected(exact: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Return the sets that exact copies and pairs connect, each by its smallest row; int64, shape (n,)."""
    n = len(exact)
    left, right = np.concatenate([pairs[:, 0], np.arange(n)]), np.concatenate([pairs[:, 1], exact])
    graph = coo_array((np.ones(len(left), bool), (left, right)), shape=(n, n))
    return smallest_row(connected_components(graph, directed=False)[1])


def near_sets(pixels: np.ndarray, threshold: float = 0.9) -> np.ndarray:
    """Return for each picture the smallest row of its duplicate set.

    Two pictures are linked when they are exact copies or when Pearson's correlation over all their pixels is above
    ``threshold``; a set is what links connect, so its ends may correlate less. A picture of one grey has no
    correlation and is linked to exact copies alone.

    No linked pair is missed: candidates come from an upper bound of the correlation (see :func:`signatures`) computed
    for all pairs in blocks, with a margin of 1e-4 for the rounding of float32, and each is decided in float64 at full
    resolution. The time grows with the square of the number of different pictures, memory with the number.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (n, height, width)
    threshold : float
        Above 0, at most 1.

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    exact = exact_sets(pixels)
    return connected(exact, near_pairs(pixels, exact, threshold))
