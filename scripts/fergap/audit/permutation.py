"""Count tables as they would be if groups did not matter within a true class."""

from collections.abc import Iterator

import numpy as np

CELLS = 1_000_000  # cells drawn at a time, which bounds the memory


def without_gap(table: np.ndarray, draws: int, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield count tables after shuffling the predictions among the groups within each true class.

    Shuffling faces and counting them is a multivariate hypergeometric draw of the counts, exactly, so the work does
    not depend on the number of faces. Every group keeps its faces of each true class, and every true class its
    predictions. Correctness alone, shuffled within true class, has the law of the same tables' diagonals.

    Parameters
    ----------
    table : numpy.ndarray of int
        (groups, classes, classes), group × true × predicted.
    draws : int
        Number of tables.
    generator : numpy.random.Generator
        The stream of this table.

    Yields
    ------
    numpy.ndarray of int64
        (chunk, groups, classes, classes); the chunks add up to ``draws``.
    """
    chunk = max(1, CELLS // table.size)
    for done in range(0, draws, chunk):
        yield shuffled(table, min(chunk, draws - done), generator)


def shuffled(table: np.ndarray, draws: int, generator: np.random.Generator) -> np.ndarray:
    """Return ``draws`` tables at once: each group in turn draws its faces, predicted class by predicted class."""
    groups, classes, _ = table.shape
    out = np.zeros((draws, *table.shape), np.int64)
    pool = np.broadcast_to(table.sum(0), (draws, classes, classes)).copy()
    for g in range(groups - 1):
        left = np.broadcast_to(table[g].sum(-1), (draws, classes)).copy()
        others = pool.sum(-1)
        for p in range(classes - 1):
            others -= pool[..., p]
            out[:, g, :, p] = generator.hypergeometric(pool[..., p], others, left)
            left -= out[:, g, :, p]
        out[:, g, :, -1] = left
        pool -= out[:, g]
    out[:, -1] = pool
    return out
