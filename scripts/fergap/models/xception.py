"""Xception (Chollet 2017)."""

import itertools

import torch
from torch import nn

MIDDLE = 8


class Separable(nn.Sequential):
    """A 3×3 filter of its own for each channel, then a 1×1 convolution."""

    def __init__(self, before: int, after: int):
        super().__init__()
        self.add_module("conv1", nn.Conv2d(before, before, 3, padding=1, groups=before, bias=False))
        self.add_module("pointwise", nn.Conv2d(before, after, 1, bias=False))


class Block(nn.Module):
    """Separable convolutions with batch norm, each after a ReLU, around which a shortcut leads.

    Parameters
    ----------
    channels : sequence of int
        Before the first convolution and after each.
    shrinks : bool
        Whether the maps' sides are halved, by 3×3 max pooling with stride 2, and by a 1×1 convolution in the shortcut.
    first : bool
        Whether the block stands at the network's beginning, where maps have passed their ReLU already.
    """

    def __init__(self, *channels: int, shrinks: bool = True, first: bool = False):
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(channels):
            # the shortcut needs what comes in unchanged
            layers += [nn.ReLU(inplace=bool(layers)), Separable(before, after), nn.BatchNorm2d(after)]
        layers = layers[1 if first else 0 :] + ([nn.MaxPool2d(3, 2, padding=1)] if shrinks else [])
        self.rep = nn.Sequential(*layers)
        self.shrinks = shrinks
        if shrinks:
            self.skip = nn.Conv2d(channels[0], channels[-1], 1, stride=2, bias=False)
            self.skipbn = nn.BatchNorm2d(channels[-1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the maps of (n, channels, side, side) maps."""
        return self.rep(x) + (self.skipbn(self.skip(x)) if self.shrinks else x)


def xception(classes: int = 1000) -> nn.Module:
    """Return Xception as figure 5 of Chollet 2017, "Xception: Deep Learning with Depthwise Separable Convolutions".

    An entry flow of two convolutions and three blocks of 128, 256 and 728 channels that halve the maps, a middle flow
    of eight blocks of three separable convolutions with 728 channels, an exit flow of a block that halves the maps and
    two separable convolutions of 1536 and 2048 channels; global average pooling; the scores. Its modules have the names
    of timm's ``legacy_xception``, so that weights for that network can be loaded.

    Returns
    -------
    torch.nn.Module
        (n, 3, side, side) → (n, classes); with a last layer ``fc``; ``side`` at least 6.
    """
    parts: dict[str, nn.Module] = {
        "conv1": nn.Conv2d(3, 32, 3, stride=2, bias=False),
        "bn1": nn.BatchNorm2d(32),
        "act1": nn.ReLU(inplace=True),
        "conv2": nn.Conv2d(32, 64, 3, bias=False),
        "bn2": nn.BatchNorm2d(64),
        "act2": nn.ReLU(inplace=True),
        "block1": Block(64, 128, 128, first=True),
        "block2": Block(128, 256, 256),
        "block3": Block(256, 728, 728),
    }
    parts |= {f"block{i}": Block(728, 728, 728, 728, shrinks=False) for i in range(4, 4 + MIDDLE)}
    parts |= {
        "block12": Block(728, 728, 1024),
        "conv3": Separable(1024, 1536),
        "bn3": nn.BatchNorm2d(1536),
        "act3": nn.ReLU(inplace=True),
        "conv4": Separable(1536, 2048),
        "bn4": nn.BatchNorm2d(2048),
        "act4": nn.ReLU(inplace=True),
        "pool": nn.AdaptiveAvgPool2d(1),
        "flat": nn.Flatten(),
        "fc": nn.Linear(2048, classes),
    }
    network = nn.Sequential()
    for name, part in parts.items():
        network.add_module(name, part)
    return network
