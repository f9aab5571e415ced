"""Networks by name."""

import difflib
from collections.abc import Callable

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from fergap.errors import UserError
from fergap.models.latent_alignment import (
    latent_alignment,
    latent_alignment_residual,
    latent_alignment_wide,
    latent_alignment_wide_residual,
)
from fergap.models.pyramid import pyramid, pyramid_wide
from fergap.models.resblock import resblock, shape_of

NETWORKS: dict[str, Callable[[int, int, int], nn.Module]] = {
    "latent_alignment": latent_alignment,
    "latent_alignment_residual": latent_alignment_residual,
    "latent_alignment_wide": latent_alignment_wide,
    "latent_alignment_wide_residual": latent_alignment_wide_residual,
    "pyramid": pyramid,
    "pyramid_wide": pyramid_wide,
}
STUDY = [f"b{b}_n{n}_k{k}" for b in (16, 32) for n in (4, 8) for k in (3, 5, 7)]


def build(name: str, classes: int, channels: int = 1, size: int = 48) -> nn.Module:
    """Return a freshly initialised network that maps pictures to one score (logit) per class.

    Parameters
    ----------
    name : str
        A key of ``NETWORKS``, or a name of the published family such as ``b16_n8_k5`` (16 channels, 8 blocks, 5×5) or
        ``B16_N8_FC2_K5_AP20``; upper and lower case are the same.
    classes : int
        Number of scores.
    channels : int
        1 for grey, 3 for colour.
    size : int
        Pixels on a side.

    Returns
    -------
    torch.nn.Module
        (n, channels, size, size) float → (n, classes) float. The weights come from PyTorch's global generator.

    Raises
    ------
    UserError
        There is no such network.
    """
    if builder := NETWORKS.get(name.lower()):
        return builder(classes, channels, size)
    if shape := shape_of(name):
        return resblock(shape, classes, channels, size)
    near = difflib.get_close_matches(name.lower(), [*NETWORKS, *STUDY], n=1)
    raise UserError(
        f"there is no network {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""),
        where="arms: network",
        expected=f"{', '.join(NETWORKS)}, or channels, blocks and odd kernel as in b16_n8_k5",
    )


def parameters(model: nn.Module) -> int:
    """Return the number of trainable weights."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def flops(model: nn.Module, channels: int, size: int) -> int:
    """Return the floating-point operations that one picture takes on its way through a network.

    Counted by PyTorch's FlopCounterMode: convolutions and matrix products, a multiplication and an addition each 1.
    """
    picture = torch.zeros(1, channels, size, size, device=next(model.parameters()).device)
    training = model.training
    model.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(picture)
    model.train(training)
    return counter.get_total_flops()
