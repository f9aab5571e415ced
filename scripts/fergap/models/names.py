"""The names of networks; standard library alone, because the workflow itself and the paper read them too."""

import re
from dataclasses import dataclass

from fergap.errors import UserError, near, shown

TORCHVISION = {"resnet50": 32, "densenet121": 32, "mobilenet_v2": 32, "inception_v3": 75, "vit_b_16": 224}
"""torchvision's networks, which may start from ImageNet's weights; the side to which smaller pictures are enlarged."""
CLIP = {"clip_vit_b_32": (32, False), "clip_vit_b_32_quickgelu": (32, True)}
"""CLIP's image encoders: pixels on a patch's side; whether they have OpenAI's GELU."""
PRETRAINED = TORCHVISION | {"mobilenet_v1": 32, "xception": 32} | dict.fromkeys(CLIP, 224)
"""All that may start from a file of weights, those and networks of our own; the side as above."""
OF_ONE_SIZE = ("vit_b_16", *CLIP)
"""Those whose positions are counted out for that side alone: larger pictures are made smaller."""
ALIGNED = {
    "latent_alignment": (16, False),
    "latent_alignment_residual": (16, True),
    "latent_alignment_wide": (32, False),
    "latent_alignment_wide_residual": (32, True),
}
"""Those that the arms' option ``alignment`` trains: channels of the latent; residual blocks in place of MBConv."""
LATENT_SIDE = 16
"""Their latents' largest side: pictures of 48 pixels have 12 × 12, of 128 pixels 16 × 16."""
NAMED = ("pyramid", "pyramid_wide", "sequential", "baseline_cnn", *ALIGNED, *PRETRAINED)
"""The keys of :data:`fergap.models.registry.NETWORKS`, and those."""
SMALLEST = {"sequential": 8, "baseline_cnn": 22}
"""Pixels on a side that a picture must have, where a network does not take every size."""
TUNED = ("all", "last_block", "head")
"""What may learn of a pretrained network."""
FAIRFACE = {
    "race": ("White", "Black", "Latino_Hispanic", "East Asian", "Southeast Asian", "Indian", "Middle Eastern"),
    "gender": ("Male", "Female"),
    "age": ("0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70+"),
}
"""What the scores of FairFace's model are of, head by head, in the order and the words of its authors."""
FAMILY = re.compile(r"b([1-9]\d*)_n([1-9]\d*)_(?:fc([1-9]\d*)_)?k(\d*[13579])(?:_ap([1-9]\d*))?")


@dataclass(frozen=True)
class ResBlockShape:
    """What a name of the published study's family says.

    Attributes
    ----------
    channels, blocks, kernel : int
        B, N and K of the name.
    connected : int
        Fully connected layers, FC; N / 4 where the name leaves it out.
    pooled : int
        Side of the average-pooled maps, AP; 20 where the name leaves it out.
    hidden : int
        Width of the fully connected layers before the last, which no name tells.
    """

    channels: int
    blocks: int
    kernel: int
    connected: int
    pooled: int
    hidden: int = 64


def family_name(channels: int, blocks: int, kernel: int) -> str:
    """Return the short name of a network of the published study's family, such as ``b16_n8_k5``."""
    return f"b{channels}_n{blocks}_k{kernel}"


PUBLISHED = tuple(family_name(b, n, k) for b in (16, 32) for n in (4, 8) for k in (3, 5, 7))
"""The twelve networks of the published study."""


def shape_of(name: str) -> ResBlockShape | None:
    """Return what ``name`` (``b16_n8_k5``, ``B16_N8_FC2_K5_AP20``) describes, or None if it is no name of the family.

    An even kernel, or a zero anywhere, describes nothing.
    """
    if not (match := FAMILY.fullmatch(name.lower())) or (match[3] is None) != (match[5] is None):
        return None
    channels, blocks, connected, kernel, pooled = (int(n) if n else None for n in match.groups())
    return ResBlockShape(channels, blocks, kernel, connected or max(1, blocks // 4), pooled or 20)


def is_known(name: str) -> bool:
    """Return whether a network has this name; upper and lower case are the same."""
    return name.lower() in NAMED or shape_of(name) is not None


def too_small(name: str, size: int, where: str) -> UserError | None:
    """Return the error for pictures on which a network cannot look, None where it can."""
    least = SMALLEST.get(name.lower(), 1)
    if size >= least:
        return None
    return UserError(
        f"pictures of {size}×{size} are too small for {name}", where=where, expected=f"at least {least}×{least}"
    )


def unknown(name: str, where: str) -> UserError:
    """Return the error for a name that no network has."""
    return UserError(
        f"there is no network {shown(name)}{near(name.lower(), [*NAMED, *PUBLISHED])}",
        where=where,
        expected=f"{', '.join(NAMED)}, or channels, blocks and odd kernel as in b16_n8_k5",
    )
