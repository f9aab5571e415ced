"""The networks as tables of layers, from their names alone: the paper needs no PyTorch."""

import re
from typing import NamedTuple

FAMILY = re.compile(r"b(\d+)_n(\d+)(?:_fc(\d+))?_k(\d+)(?:_ap(\d+))?")
HIDDEN = 64  # width of the fully connected layers before the last


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


def block(before: int, after: int, kernel: int, stride: int = 1) -> int:
    """Return the weights of a residual block: two convolutions, and one in the shortcut where the shape changes."""
    shortcut = 0 if before == after and stride == 1 else convolution(before, after, 1)
    return convolution(before, after, kernel) + convolution(after, after, kernel) + shortcut


def layers(network: str, classes: int, size: int) -> list[Layer] | None:
    """Return the layers of a network for grey pictures of ``size`` × ``size``; None for a name not known here."""
    if network.lower() == "pyramid":
        return pyramid(classes, size)
    if match := FAMILY.fullmatch(network.lower()):
        channels, blocks, connected, kernel, pooled = (int(n) if n else None for n in match.groups())
        return family(
            channels, blocks, connected or max(1, blocks // 4), kernel, min(pooled or 20, size), classes, size
        )
    return None


def pyramid(classes: int, size: int) -> list[Layer]:
    """Return the layers of the small network that halves the resolution."""
    sides = [-(-size // 2)]
    sides += [-(-sides[0] // 2), -(-sides[0] // 4)]
    return [
        Layer("convolution 3×3, stride 2, batch norm, ReLU", 1, 16, sides[0], convolution(1, 16, 3)),
        Layer("residual block 3×3", 1, 16, sides[0], block(16, 16, 3)),
        Layer("residual block 3×3, stride 2", 1, 32, sides[1], block(16, 32, 3, 2)),
        Layer("residual block 3×3, stride 2", 1, 64, sides[2], block(32, 64, 3, 2)),
        Layer("global average pooling", 1, 64, 1, 0),
        Layer("fully connected", 1, classes, 1, 64 * classes + classes),
    ]


def family(
    channels: int, blocks: int, connected: int, kernel: int, pooled: int, classes: int, size: int
) -> list[Layer]:
    """Return the layers of a network of the published study's family."""
    inside = (blocks - 1) * block(channels, channels, kernel)
    found = [Layer(f"residual block {kernel}×{kernel}", 1, channels, size, block(1, channels, kernel))]
    if blocks > 1:
        found.append(Layer(f"residual block {kernel}×{kernel}", blocks - 1, channels, size, inside))
    found.append(Layer("average pooling", 1, channels, pooled, 0))
    width = channels * pooled**2
    for _ in range(connected - 1):
        found.append(Layer("fully connected, ReLU", 1, HIDDEN, 1, width * HIDDEN + HIDDEN))
        width = HIDDEN
    return [*found, Layer("fully connected", 1, classes, 1, width * classes + classes)]
