"""Independent random streams from one seed, by name."""

import hashlib

import numpy as np


def derive(seed: int, *names: str | int) -> int:
    """Return the child seed of ``seed`` that belongs to ``names``.

    The child is the first 63 bits of SHA-256 over the seed and the names, so that adding a stream never shifts another.

    Returns
    -------
    int
        In 0 … 2**63 - 1, accepted by NumPy and PyTorch generators alike.
    """
    text = "/".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """Return a NumPy generator seeded by :func:`derive`."""
    return np.random.default_rng(derive(seed, *names))
