"""The faces on the device, as the network sees them."""

from dataclasses import dataclass

import numpy as np
import torch


def normalise(pictures: torch.Tensor, mean: torch.Tensor, std: torch.Tensor) -> torch.Tensor:
    """Return (n, c, h, w) uint8 pictures as float32 with the given mean and spread, (c,), taken out."""
    return (pictures.float() - mean[:, None, None]) / std[:, None, None]


def moments(pixels: np.ndarray) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation per channel of (n, c, h, w) uint8 pictures, exactly, by counting levels.

    A channel without any spread counts as spread 1.
    """
    levels = np.arange(256)
    mean, std = [], []
    for c in range(pixels.shape[1]):
        share = np.bincount(pixels[:, c].reshape(-1), minlength=256) / pixels[:, c].size
        centre = float(share @ levels)
        mean.append(centre)
        std.append(float(np.sqrt(share @ (levels - centre) ** 2)) or 1.0)
    return mean, std


@dataclass(frozen=True)
class Faces:
    """A data set that lies on the device.

    Attributes
    ----------
    pixels : torch.Tensor
        (n, channels, size, size) uint8.
    labels : torch.Tensor
        (n,) int64, index of the class.
    mean, std : torch.Tensor
        (channels,) float32, of the training part.
    """

    pixels: torch.Tensor
    labels: torch.Tensor
    mean: torch.Tensor
    std: torch.Tensor

    def pictures(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the faces at ``rows``, (m,) int64 on the device, normalised: (m, channels, size, size) float32."""
        return normalise(self.pixels[rows], self.mean, self.std)


def on_device(pixels: np.ndarray, labels: np.ndarray, training: np.ndarray, device: torch.device) -> Faces:
    """Return a data set on ``device``, normalised by its ``training`` faces (positions, each once)."""
    pixels = pixels if pixels.ndim == 4 else pixels[:, None]
    mean, std = moments(pixels[training])
    return Faces(
        torch.from_numpy(np.array(pixels)).to(device),
        torch.from_numpy(np.array(labels, np.int64)).to(device),
        torch.tensor(mean, device=device),
        torch.tensor(std, device=device),
    )
