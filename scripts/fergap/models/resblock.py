"""The published study's family of residual networks, and the block that every network here is made of."""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from fergap.models.names import ResBlockShape


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


def resblock(shape: ResBlockShape, classes: int, channels: int, size: int) -> nn.Module:
    """Return a network of the published family: blocks at full size, average pooling, fully connected layers.

    The report does not print the width of the fully connected layers before the last one (``shape.hidden``, with ReLU
    after each). Pictures smaller than the pooled maps are not pooled.
    """
    pooled = min(shape.pooled, size)
    blocks = [
        ResBlock(channels if i == 0 else shape.channels, shape.channels, shape.kernel) for i in range(shape.blocks)
    ]
    widths = [shape.channels * pooled**2] + [shape.hidden] * (shape.connected - 1)
    hidden = [layer for a, b in pairwise(widths) for layer in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*blocks, AveragePool(size, pooled), nn.Flatten(), *hidden, nn.Linear(widths[-1], classes))
