"""A variational encoder, a generator, a discriminator of latents and a classifier of latents."""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from fergap.models.mbconv import MBConv
from fergap.models.names import LATENT_SIDE
from fergap.models.resblock import ResBlock

SPREAD = 10.0
"""The logarithm of a latent's variance stays within ± this, so that its exponential is finite."""


def sides(size: int) -> list[int]:
    """Return the sides of the encoder's maps, from the picture's to the latent's; each is half the one before it."""
    found = [size, -(-size // 2)]
    while found[-1] > LATENT_SIDE:
        found.append(-(-found[-1] // 2))
    return found


class Encoder(nn.Module):
    """Pictures to the mean and the logarithm of the variance of a normal distribution of latent maps.

    A convolution and residual blocks, each of which halves the side and doubles the channels, then one 1×1 convolution.

    Parameters
    ----------
    channels, size : int
        Of the pictures.
    width : int
        Channels after the first convolution, and of the latent.
    """

    def __init__(self, channels: int, size: int, width: int):
        super().__init__()
        widths = [width << i for i in range(len(sides(size)) - 1)]
        stem = [nn.Conv2d(channels, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        blocks = [ResBlock(a, b, 3, 2) for a, b in pairwise(widths)]
        self.layers = nn.Sequential(*stem, *blocks, nn.Conv2d(widths[-1], 2 * width, 1))

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and log variance, (n, width, side, side) each, of (n, channels, size, size)."""
        mean, spread = self.layers(pictures).chunk(2, 1)
        return mean, spread.clamp(-SPREAD, SPREAD)


class Generator(nn.Module):
    """Latent maps to pictures: the encoder's sides backwards, by nearest neighbours and a convolution each.

    That order leaves no chequered pattern, as transposed convolutions do (Odena et al. 2016).

    Parameters
    ----------
    channels, size, width : int
        As the encoder's.
    """

    def __init__(self, channels: int, size: int, width: int):
        super().__init__()
        self.sides = sides(size)[-2::-1]
        widths = [width, *(width << i for i in reversed(range(len(self.sides))))]
        self.first = _block(widths[0], widths[1])
        self.steps = nn.ModuleList(_block(a, b) for a, b in pairwise(widths[1:]))
        self.last = nn.Conv2d(width, channels, 3, 1, 1)

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        """Return (n, channels, size, size) of (n, width, side, side)."""
        x = self.first(latent)
        for side, layer in zip(self.sides, [*self.steps, self.last], strict=True):
            x = layer(functional.interpolate(x, size=(side, side), mode="nearest"))
        return x


def _block(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True))


class Discriminator(nn.Module):
    """Latent maps to one score per group: two convolutions of stride 2, the mean over the map, one linear layer."""

    def __init__(self, width: int, groups: int):
        super().__init__()
        self.convolutions = nn.ModuleList([nn.Conv2d(width, 32, 3, 2, 1), nn.Conv2d(32, 64, 3, 2, 1)])
        self.scores = nn.Linear(64, groups)

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        """Return (n, groups) of (n, width, side, side)."""
        for convolution in self.convolutions:
            latent = functional.leaky_relu(convolution(latent), 0.2)
        return self.scores(latent.mean((2, 3)))


class LatentClassifier(nn.Module):
    """An encoder and a classifier of what it makes; the generator and the discriminator are part of the objective.

    Rizvi et al. 2024 (Balancing the Scales: Enhancing Fairness in Facial Expression Recognition with Latent Alignment)
    print neither widths nor depths but three blocks; these are ours.

    Parameters
    ----------
    classes, channels, size : int
    width : int
        Of the encoder; the classifier's blocks have 2, 4 and 8 times as many channels.
    residual : bool
        Residual blocks in place of MBConv, which is the publication's ablation.

    Attributes
    ----------
    latent : tuple of int
        (width, side, side), the shape of a picture's latent.
    """

    def __init__(self, classes: int, channels: int, size: int, width: int, residual: bool):
        super().__init__()
        self.latent = (width, *sides(size)[-1:] * 2)
        self.encoder = Encoder(channels, size, width)
        shapes = [(width, 2 * width, 1), (2 * width, 4 * width, 2), (4 * width, 8 * width, 2)]
        blocks = [ResBlock(a, b, 3, s) if residual else MBConv(a, b, stride=s) for a, b, s in shapes]
        head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8 * width, classes)]
        self.classifier = nn.Sequential(*blocks, *head)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return the scores of the latents' means, (n, classes)."""
        return self.classifier(self.encoder(pictures)[0])
