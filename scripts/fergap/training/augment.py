"""Random changes of whole batches of pictures."""

from collections.abc import Callable

import torch
from torch.nn import functional

from fergap.training.recipe import Recipe

AREA = (0.02, 0.2)  # of the picture, erased
RATIO = 3.0  # largest of an erased rectangle's sides


def flip(pictures: torch.Tensor, mirrored: torch.Tensor) -> torch.Tensor:
    """Mirror, left to right, the pictures (n, channels, h, w) where ``mirrored``, (n,) bool, says so."""
    return torch.where(mirrored[:, None, None, None], pictures.flip(-1), pictures)


def _centres(size: int, device: torch.device) -> torch.Tensor:
    """Return where pixel centres lie between the edges -1 and 1, (size,)."""
    return (torch.arange(size, device=device) * 2 + 1) / size - 1


def warp(
    pictures: torch.Tensor,
    degrees: torch.Tensor,
    scale: torch.Tensor | None = None,
    shift: torch.Tensor | None = None,
) -> torch.Tensor:
    """Rotate and scale pictures about their centre, then shift them, bilinearly; what comes in from outside is 0.

    Parameters
    ----------
    pictures : torch.Tensor
        (n, channels, s, s) float.
    degrees : torch.Tensor
        (n,) float, counter-clockwise as seen.
    scale : torch.Tensor, optional
        (n,) float > 0; 2 shows everything at twice its size.
    shift : torch.Tensor, optional
        (n, 2) float, to the right and down, in shares of the side.
    """
    angle = torch.deg2rad(degrees)[:, None, None]
    across = _centres(pictures.shape[-1], pictures.device)
    down = across[:, None]
    if shift is not None:
        # each picture has its own coordinates, (n, 1, s) and (n, s, 1)
        across, down = across - 2 * shift[:, :1, None], down - 2 * shift[:, 1:, None]
    # by broadcasting: functional.affine_grid multiplies tiny matrices, which takes three times as long as the sampling
    grid = torch.stack([angle.cos() * across - angle.sin() * down, angle.sin() * across + angle.cos() * down], -1)
    if scale is not None:
        grid = grid / scale[:, None, None, None]
    return functional.grid_sample(pictures, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def erase(pictures: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """Set a rectangle of each picture to 0, the mean of the training part.

    Parameters
    ----------
    boxes : torch.Tensor
        (n, 4) float: left, top, right, bottom in shares of the sides; a pixel belongs to the rectangle if its centre
        does.
    """
    across, down = ((_centres(size, pictures.device) + 1) / 2 for size in pictures.shape[:1:-1])
    wide = (across >= boxes[:, :1]) & (across < boxes[:, 2:3])
    high = (down >= boxes[:, 1:2]) & (down < boxes[:, 3:])
    return pictures.masked_fill((high[:, :, None] & wide[:, None, :])[:, None], 0)


def mix(values: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Return ``share`` (n,) of each row and the rest of the row as far from the end as this one is from the start."""
    share = share.view(-1, *[1] * (values.ndim - 1))
    return share * values + (1 - share) * values.flip(0)


def draw_boxes(rows: int, probability: float, generator: torch.Generator) -> torch.Tensor:
    """Return rectangles for :func:`erase`, (rows, 4): empty ones except with ``probability``.

    The area is uniform in 2 … 20 % of the picture and the logarithm of width : height uniform in ± log 3, and the
    rectangle lies anywhere within the picture (Zhong et al. 2020).
    """
    chance, area, ratio, x, y = torch.rand(5, rows, generator=generator)
    area = AREA[0] + (AREA[1] - AREA[0]) * area
    ratio = RATIO ** (2 * ratio - 1)
    width, height = (area * ratio).sqrt(), (area / ratio).sqrt()
    left, top = x * (1 - width), y * (1 - height)
    boxes = torch.stack([left, top, left + width, top + height], 1)
    return boxes * (chance < probability)[:, None]


class Augmentation:
    """The random changes of one epoch's pictures, drawn before it.

    Every kind of change has a stream of its own, so that one more or less leaves the others as they are.

    Parameters
    ----------
    rows : int
        Training rows of the epoch.
    recipe : Recipe
        What it leaves out, 0, changes nothing.
    streams : callable
        Gives the seed of a random stream by name. The draws are made on the CPU, so that every device draws the same.
    device : torch.device
        Where the pictures are.
    """

    def __init__(self, rows: int, recipe: Recipe, streams: Callable[[str], int], device: torch.device):
        def uniform(name: str, *shape: int) -> torch.Tensor:
            generator = torch.Generator().manual_seed(streams(name))
            return (torch.rand(rows, *shape, generator=generator) * 2 - 1).to(device)

        draw = torch.Generator().manual_seed(streams("augmentation"))
        self.flips = (torch.rand(rows, generator=draw) < recipe.flip).to(device) if recipe.flip else None
        angles = (torch.rand(rows, generator=draw) * 2 - 1) * recipe.rotation
        self.angles = angles.to(device) if recipe.rotation or recipe.zoom or recipe.shift else None
        self.scales = 1 + uniform("zoom") * recipe.zoom if recipe.zoom else None
        self.shifts = uniform("shift", 2) * recipe.shift if recipe.shift else None
        self.factors = 1 + uniform("contrast") * recipe.contrast if recipe.contrast else None
        self.offsets = uniform("brightness") * recipe.brightness if recipe.brightness else None
        self.boxes = None
        if recipe.erase:
            boxes = draw_boxes(rows, recipe.erase, torch.Generator().manual_seed(streams("erase")))
            self.boxes = boxes.to(device)

    def __call__(self, pictures: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Return ``pictures``, which are the epoch's ``rows``, (n,) int64, as this epoch shows them."""
        if self.flips is not None:
            pictures = flip(pictures, self.flips[rows])
        if self.angles is not None:
            scales = None if self.scales is None else self.scales[rows]
            # a shift by whole pixels alone blurs nothing
            size = pictures.shape[-1]
            shifts = None if self.shifts is None else (self.shifts[rows] * size).round() / size
            pictures = warp(pictures, self.angles[rows], scales, shifts)
        if self.factors is not None:
            pictures = pictures * self.factors[rows, None, None, None]
        if self.offsets is not None:
            pictures = pictures + self.offsets[rows, None, None, None]
        if self.boxes is not None:
            pictures = erase(pictures, self.boxes[rows])
        return pictures
