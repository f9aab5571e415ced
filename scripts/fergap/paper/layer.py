"""A line of a table of layers, and the weights of what most lines hold."""

from typing import NamedTuple


class Layer(NamedTuple):
    """One line of the table: what it is, how often in a row, its output (channels, side), its weights together."""

    what: str
    times: int
    channels: int
    side: int
    weights: int


def convolution(before: int, after: int, kernel: int) -> int:
    """Return the weights of a convolution without bias and of the batch norm after it."""
    return kernel * kernel * before * after + 2 * after
