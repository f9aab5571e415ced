"""The published study's family of residual networks, and the block that every network here is made of."""

import re
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

PATTERN = re.compile(r"b(\d+)_n(\d+)_k(\d+)|b(\d+)_n(\d+)_fc(\d+)_k(\d+)_ap(\d+)")
HIDDEN = 64


class ResBlock(nn.Module):
    """Two convolutions with batch norm and ReLU around a shortcut.

    Parameters
    ----------
    before, after : int
        Channels of the input and of the output.
    kernel : int
        Odd width of both convolutions; padding keeps the size.
    stride : int
        Of the first convolution and of the shortcut. The shortcut is the identity, or a 1×1 convolution with batch
        norm where channels or size change.
    """

    def __init__(self, before: int, after: int, kernel: int, stride: int = 1):
        super().__init__()
        self.first = nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False)
        self.first_norm = nn.BatchNorm2d(after)
        self.second = nn.Conv2d(after, after, kernel, 1, kernel // 2, bias=False)
        self.second_norm = nn.BatchNorm2d(after)
        self.shortcut = (
            nn.Identity()
            if before == after and stride == 1
            else nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.relu(self.first_norm(self.first(x)), inplace=True)
        return functional.relu(self.second_norm(self.second(y)) + self.shortcut(x), inplace=True)


class AveragePool(nn.Module):
    """Average pooling of square maps, as ``torch.nn.AdaptiveAvgPool2d`` does it.

    Two products with a fixed matrix, because PyTorch's own backward pass on CUDA adds up overlapping windows in no
    fixed order, so that two runs would differ.

    Parameters
    ----------
    size, pooled : int
        Window i covers pixels ⌊i · size / pooled⌋ … ⌈(i + 1) · size / pooled⌉ - 1.
    """

    def __init__(self, size: int, pooled: int):
        super().__init__()
        share = torch.zeros(pooled, size)
        for i in range(pooled):
            first, end = i * size // pooled, -(-(i + 1) * size // pooled)
            share[i, first:end] = 1 / (end - first)
        self.register_buffer("share", share, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, channels, height, width = x.shape
        # in float32, because 1/3 is none in bfloat16; channels last, which is how the maps lie in memory
        with torch.autocast(x.device.type, enabled=False):
            rows = x.float().permute(0, 2, 3, 1).reshape(n, height, width * channels)
            rows = (self.share @ rows).reshape(n * len(self.share), width, channels)
            pooled = (self.share @ rows).reshape(n, len(self.share), len(self.share), channels)
        return pooled.permute(0, 3, 1, 2).to(x.dtype)


@dataclass(frozen=True)
class ResBlockShape:
    """What a name of the family says.

    Attributes
    ----------
    channels, blocks, kernel : int
        B, N and K of the name.
    connected : int
        Fully connected layers, FC; N / 4 where the name leaves it out.
    pooled : int
        Side of the average-pooled maps, AP; 20 where the name leaves it out.
    """

    channels: int
    blocks: int
    kernel: int
    connected: int
    pooled: int


def shape_of(name: str) -> ResBlockShape | None:
    """Return what ``name`` (``b16_n8_k5``, ``B16_N8_FC2_K5_AP20``) describes, or None if it is no name of the family.

    An even kernel, or a zero anywhere, describes nothing.
    """
    if not (match := PATTERN.fullmatch(name.lower())):
        return None
    numbers = [int(n) for n in match.groups() if n is not None]
    if len(numbers) == 3:
        channels, blocks, kernel = numbers
        connected, pooled = max(1, blocks // 4), 20
    else:
        channels, blocks, connected, kernel, pooled = numbers
    if kernel % 2 == 0 or 0 in numbers:
        return None
    return ResBlockShape(channels, blocks, kernel, connected, pooled)


def resblock(shape: ResBlockShape, classes: int, channels: int, size: int) -> nn.Module:
    """Return a network of the published family: blocks at full size, average pooling, fully connected layers.

    The report does not print the width of the fully connected layers before the last one; here it is 64, with ReLU
    after each. Pictures smaller than the pooled maps are not pooled.
    """
    pooled = min(shape.pooled, size)
    blocks = [
        ResBlock(channels if i == 0 else shape.channels, shape.channels, shape.kernel) for i in range(shape.blocks)
    ]
    widths = [shape.channels * pooled**2] + [HIDDEN] * (shape.connected - 1)
    hidden = [layer for a, b in pairwise(widths) for layer in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*blocks, AveragePool(size, pooled), nn.Flatten(), *hidden, nn.Linear(widths[-1], classes))
