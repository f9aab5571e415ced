"""Adversaries that read people's groups off a layer, and the reversal by which the network unlearns what they read."""

import difflib
import math
from collections.abc import Callable, Mapping

import torch
from torch import nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

from fergap.errors import UserError
from fergap.training.objective import PENALTIES, Batch, Context, Penalty
from fergap.training.penalties import shares_of

STEEPNESS = 10.0  # of the reversal's rise, as published


class Reversal(torch.autograd.Function):
    """The identity, whose gradient comes back times -scale (Ganin & Lempitsky 2015)."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, values: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        ctx.scale = scale
        return values.view_as(values)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, slope: torch.Tensor) -> tuple[torch.Tensor, None]:
        return -ctx.scale * slope, None


def known_cross_entropy(
    scores: torch.Tensor, groups: torch.Tensor, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the cross-entropy over the rows of known group divided by their number, 0 where there is none.

    (m, groups) float32 scores, (m,) int64 codes, -1 where unknown, and what each group's rows weigh → () float32.
    """
    wrong = functional.cross_entropy(scores, groups, weight=weights, ignore_index=-1, reduction="sum")
    return wrong / (groups >= 0).sum().clamp(min=1)


def rise(progress: float) -> float:
    """Return the share of the reversal's strength after ``progress``, 0 … 1, of the training: 2 / (1 + e^-10p) - 1."""
    return 2 / (1 + math.exp(-STEEPNESS * progress)) - 1


def pooled(values: torch.Tensor) -> torch.Tensor:
    """Return a layer's values, (m, channels) or (m, channels, …), as float32 vectors: maps by their mean."""
    # a copy, because the network may go on to change the values in their place
    return values.float().clone() if values.ndim == 2 else values.float().flatten(2).mean(2)


def watch(model: nn.Module, layer: str | None, show: Callable[[torch.Tensor], None]) -> RemovableHandle:
    """Let ``show`` see what a layer puts out at each pass, pooled to vectors.

    Parameters
    ----------
    layer : str or None
        A module's path within the model, as ``named_modules`` gives it; None for the input of the last fully connected
        layer.

    Raises
    ------
    UserError
        There is no such layer.
    """
    named = dict(model.named_modules())
    del named[""]
    if layer is None:
        connected = [module for module in named.values() if isinstance(module, nn.Linear)]
        if connected:
            return connected[-1].register_forward_pre_hook(lambda module, given: show(pooled(given[0])))
    elif layer in named:
        return named[layer].register_forward_hook(lambda module, given, made: show(pooled(made)))
    near = difflib.get_close_matches(layer or "", named, n=1)
    raise UserError(
        "the network has no fully connected layer"
        if layer is None
        else f"the network has no layer {layer!r}" + (f"; did you mean {near[0]!r}?" if near else ""),
        where="arms: adversary: layer",
        expected="one of " + ", ".join(named),
    )


def width_of(context: Context, layer: str | None) -> int:
    """Return the length of the vectors that :func:`watch` shows of a layer."""
    model, seen = context.model, []
    handle = watch(model, layer, seen.append)
    shape, training = (1, context.channels, context.size, context.size), model.training
    model.eval()
    with torch.no_grad():
        model(torch.zeros(shape, device=next(model.parameters()).device))
    model.train(training)
    handle.remove()
    return seen[-1].shape[1]


class Adversary(Penalty):
    """Networks that learn to tell the groups from what a layer puts out, while the layer learns to tell them nothing.

    Each attribute has a head, a fully connected layer with ReLU and another, whose cross-entropy over the rows of known
    group is added to the loss; the gradient that it sends back into the network is reversed (Ganin & Lempitsky 2015,
    *Unsupervised domain adaptation by backpropagation*; against people's groups first Beutel et al. 2017 and Alvi,
    Zisserman & Nellåker 2018). Rows weigh 1 / (G · share) with their group's share of the training rows, so that it
    does not pay to guess the largest group. The heads learn at full rate whatever the strength.

    Parameters
    ----------
    context : Context
        Its model is watched from now on.
    by : list of str
        Keys of the batch's groups, a head for each.
    layer : str or None
        See :func:`watch`.
    strength : float
        λ > 0, by which the reversed gradient is multiplied.
    hidden : int
        Width of a head.
    ramp : bool
        Whether λ rises from 0 as published (see :func:`rise`), epoch by epoch, else it is the same in all.

    Attributes
    ----------
    scale : torch.Tensor
        () float32, λ in this epoch.
    """

    def __init__(self, context: Context, by: list[str], layer: str | None, strength: float, hidden: int, ramp: bool):
        super().__init__()
        self.by, self.strength, self.ramp = by, strength, ramp
        width = width_of(context, layer)
        shares = [shares_of(name, context, "adversary") for name in by]
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, len(part))) for part in shares
        )
        for i, part in enumerate(shares):
            there = sum(share > 0 for share in part)
            weights = [1 / (there * share) if share else 0.0 for share in part]
            self.register_buffer(f"weights_{i}", torch.tensor(weights), persistent=False)
        self.register_buffer("scale", torch.tensor(float(strength)), persistent=False)
        self.seen: torch.Tensor | None = None

        def keep(values: torch.Tensor) -> None:
            # an evaluation, by this network or by its average, is none of the adversary's business
            if torch.is_grad_enabled():
                self.seen = values

        watch(context.model, layer, keep)

    def begin(self, epoch: int, epochs: int) -> None:
        self.scale.fill_(self.strength * (rise((epoch - 0.5) / epochs) if self.ramp else 1))

    def forward(self, scores: torch.Tensor, batch: Batch) -> torch.Tensor:
        values, self.seen = Reversal.apply(self.seen, self.scale), None
        loss = scores.new_zeros(())
        for i, (name, head) in enumerate(zip(self.by, self.heads, strict=True)):
            codes, weights = batch.groups[name], getattr(self, f"weights_{i}")
            loss = loss + known_cross_entropy(head(values), codes, weights)
        return loss


def adversary(settings: Mapping, context: Context) -> Penalty:
    """Return an adversary per attribute or combination of ``by``, a name or a list of them."""
    by = settings["by"]
    return Adversary(context, **(dict(settings) | {"by": [by] if isinstance(by, str) else list(by)}))


PENALTIES.update(adversary=adversary)
