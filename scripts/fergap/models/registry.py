"""Networks by name."""

from collections.abc import Callable
from functools import partial

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from fergap.errors import UserError
from fergap.models.latent_alignment import LatentClassifier
from fergap.models.names import ALIGNED, PRETRAINED, shape_of, too_small, unknown
from fergap.models.plain import baseline_cnn, sequential
from fergap.models.pretrained import pretrained
from fergap.models.pyramid import pyramid, pyramid_wide
from fergap.models.resblock import resblock

NETWORKS: dict[str, Callable[[int, int, int], nn.Module]] = {
    "pyramid": pyramid,
    "pyramid_wide": pyramid_wide,
    "sequential": sequential,
    "baseline_cnn": baseline_cnn,
} | {name: partial(LatentClassifier, width=width, residual=residual) for name, (width, residual) in ALIGNED.items()}


def build(
    name: str, classes: int, channels: int = 1, size: int = 48, *, weights: str = "none", tuned: str = "all"
) -> nn.Module:
    """Return a freshly initialised network that maps pictures to one score (logit) per class.

    Parameters
    ----------
    name : str
        A key of ``NETWORKS``, one of ``PRETRAINED``, or a name of the published family such as
        ``b16_n8_k5`` (16 channels, 8 blocks, 5×5) or ``B16_N8_FC2_K5_AP20``; upper and lower case are the same.
    classes : int
        Number of scores.
    channels : int
        1 for grey, 3 for colour.
    size : int
        Pixels on a side.
    weights, tuned : str
        Of those in ``PRETRAINED`` alone: see :func:`fergap.models.pretrained.pretrained`.

    Returns
    -------
    torch.nn.Module
        (n, channels, size, size) float → (n, classes) float. The weights come from PyTorch's global generator.

    Raises
    ------
    UserError
        There is no such network, or not for such pictures, or not with such weights.
    """
    if name.lower() in PRETRAINED:
        return pretrained(name.lower(), classes, channels, weights, tuned)
    if (weights, tuned) != ("none", "all"):
        raise UserError(
            f"weights: {weights}, tuned: {tuned} have no meaning for {name}",
            where="arms: weights",
            expected=f"one of {', '.join(PRETRAINED)}",
        )
    if error := too_small(name, size, "faces: size"):
        raise error
    if builder := NETWORKS.get(name.lower()):
        return builder(classes, channels, size)
    if shape := shape_of(name):
        return resblock(shape, classes, channels, size)
    raise unknown(name, "arms: network")


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
    # of attention in one kernel the counter sees nothing
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            model(picture)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    model.train(training)
    return counter.get_total_flops()
