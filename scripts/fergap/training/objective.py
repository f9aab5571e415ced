"""What a training step makes small: each row's loss, how the rows are averaged, and what is added to the average."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import nn
from torch.nn import functional

from fergap.training.device import Device
from fergap.training.recipe import Recipe


@dataclass(frozen=True)
class Batch:
    """The rows of one step.

    Attributes
    ----------
    pictures : torch.Tensor
        (m, channels, size, size) float32, normalised and augmented.
    targets : torch.Tensor
        (m,) int64 or (m, classes) float32: what the rows are to be taken for.
    labels : torch.Tensor
        (m,) int64, the faces' own classes.
    groups : dict of str to torch.Tensor
        By attribute or combination: (m,) int64 codes of the faces' groups, -1 where unknown.
    weights : torch.Tensor or None
        (m,) float32 with mean 1 over the training rows.
    scores : torch.Tensor or None
        (m, classes) float32, what the network says, without its gradient; None before it was asked.
    """

    pictures: torch.Tensor
    targets: torch.Tensor
    labels: torch.Tensor
    groups: Mapping[str, torch.Tensor] = field(default_factory=dict)
    weights: torch.Tensor | None = None
    scores: torch.Tensor | None = None


@dataclass(frozen=True)
class Context:
    """What an option of an arm may need to know when its part of the objective is made.

    Attributes
    ----------
    classes : int
    groups : mapping of str to tuple of str
        By attribute or combination, the names of the groups in the order of their codes.
    shares : mapping of str to tuple of float
        By attribute or combination, each group's share of the training rows whose group is known.
    recipe : Recipe
    model : torch.nn.Module
        The network in training, on its device.
    channels, size : int
        Of the pictures.
    counts : mapping of str to tuple of int
        By attribute or combination, each group's number of training rows.
    """

    classes: int
    groups: Mapping[str, tuple[str, ...]]
    shares: Mapping[str, tuple[float, ...]]
    recipe: Recipe
    model: nn.Module
    channels: int
    size: int
    counts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def memberships(codes: torch.Tensor, count: int) -> torch.Tensor:
    """Return (m, count) float32, 1 where a row's code is the column's, else 0; a code of -1 is none's."""
    return (codes[:, None] == torch.arange(count, device=codes.device)).float()


class RowLoss(nn.Module):
    """Each row's cross-entropy against its target; other losses are subclasses."""

    def __init__(self, label_smoothing: float = 0.0):
        super().__init__()
        self.label_smoothing = label_smoothing

    def forward(self, scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return (m,) float32 from (m, classes) float32 scores and the targets of a batch."""
        return functional.cross_entropy(scores, targets, label_smoothing=self.label_smoothing, reduction="none")


class Average(nn.Module):
    """The weighted mean of the rows' losses; other averages are subclasses."""

    def forward(self, losses: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Return () float32 from (m,) float32."""
        return (losses if batch.weights is None else losses * batch.weights).mean()


class Penalty(nn.Module):
    """Something that is added to the average; subclasses say what."""

    def begin(self, epoch: int, epochs: int) -> None:
        """Prepare an epoch, counted from 1, of ``epochs``: what changes from epoch to epoch is written in its place."""

    @abstractmethod
    def forward(self, scores: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Return () float32, its strength included."""


class Objective(nn.Module):
    """What a training step makes small.

    Its parameters are trained together with the network's, by the same optimizer, and are no part of the network: they
    are not averaged, not kept and do not predict. Parameters and buffers are part of every checkpoint. Like the step it
    reads nothing but memory of the device, always at the same addresses.

    Parameters
    ----------
    row_loss : RowLoss
    average : Average
    penalties : sequence of Penalty
    """

    def __init__(self, row_loss: RowLoss, average: Average | None = None, penalties: tuple[Penalty, ...] = ()):
        super().__init__()
        self.row_loss, self.average = row_loss, average or Average()
        self.penalties = nn.ModuleList(penalties)

    def begin(self, epoch: int, epochs: int) -> bool:
        """Prepare an epoch, counted from 1, of ``epochs``; tell whether its steps are others than the last one's."""
        for penalty in self.penalties:
            penalty.begin(epoch, epochs)
        return False

    @property
    def predicts(self) -> bool:
        """Whether the network is trained to predict in this epoch, so that it may be chosen."""
        return True

    def forward(self, model: nn.Module, batch: Batch, device: Device) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the network's scores, (m, classes) float32, and the loss, () float32."""
        with device.autocast():
            scores = model(batch.pictures)
        scores = scores.float()
        batch = replace(batch, scores=scores.detach())
        loss = self.average(self.row_loss(scores, batch.targets), batch)
        for penalty in self.penalties:
            loss = loss + penalty(scores, batch)
        return scores, loss


LOSSES: dict[str, Callable[[Mapping, Context], RowLoss]] = {}
"""By name under ``loss`` in an arm: what makes each row's loss."""
AVERAGES: dict[str, Callable[[Mapping, Context], Average]] = {}
"""By an arm's key: what averages the rows' losses."""
PENALTIES: dict[str, Callable[[Mapping, Context], Penalty]] = {}
"""By name under ``penalty`` in an arm, or by an arm's own key: what is added."""

OBJECTIVES: dict[str, Callable[[Mapping, Context, Objective], Objective]] = {}
"""By an arm's own key: what takes the place of the objective that its other options make."""


def make_objective(arm: Mapping, context: Context) -> Objective:
    """Return the objective of an arm; without an option of its own it is the mean cross-entropy.

    Random initial weights come from PyTorch's global generator.

    Raises
    ------
    UserError
        An option asks for what the data do not have.
    """
    row_loss, average, penalties = RowLoss(context.recipe.label_smoothing), None, []
    for name, settings in (arm.get("loss") or {}).items():
        row_loss = LOSSES[name](settings, context)
    for name, make in AVERAGES.items():
        if arm.get(name) is not None:
            average = make(arm[name], context)
    asked = (arm.get("penalty") or {}) | {name: arm[name] for name in PENALTIES if arm.get(name) is not None}
    for name, settings in asked.items():
        if settings["strength"]:
            penalties.append(PENALTIES[name](settings, context))
    objective = Objective(row_loss, average, tuple(penalties))
    for name, make in OBJECTIVES.items():
        if arm.get(name) is not None:
            objective = make(arm[name], context, objective)
    return objective
