"""The worst group's loss in place of the mean."""

import math
from collections.abc import Mapping

import torch
from torch.nn import functional

from fergap.training.objective import AVERAGES, Average, Batch, Context, memberships
from fergap.training.penalties import shares_of


class GroupDRO(Average):
    """The groups' mean losses, weighted towards the group that fares worst.

    At each step the groups' weights become q_g ∝ q_g exp(η (L_g + C / √n_g)), with L_g the mean loss of the group's
    rows in the batch, and Σ_g q_g L_g stands in place of the mean of all rows (Sagawa et al. 2020, *Distributionally
    robust neural networks for group shifts*, algorithm 1 and section 3.3). The weights begin equal. A group that is
    not in the batch keeps its weight; rows of unknown group take no part.

    Parameters
    ----------
    by : str
        Key of the batch's groups.
    counts : tuple of int
        n_g, each group's number of training rows; a group without any has no weight.
    strength : float
        Share s of this in the loss, 0 … 1; the rest is the mean of all rows. With s = 1, as published.
    step : float
        η ≥ 0. With η = 0 the groups' weights stay equal, which is the risk of balanced groups.
    adjustment : float
        C ≥ 0, which gives weight to small groups, whose training loss tells least about new faces.

    Attributes
    ----------
    logs : torch.Tensor
        (groups,) float32, the logarithms of the weights q.
    """

    def __init__(self, by: str, counts: tuple[int, ...], strength: float, step: float, adjustment: float):
        super().__init__()
        self.by, self.strength, self.step = by, strength, step
        sizes = torch.tensor(counts, dtype=torch.float32)
        self.register_buffer("margin", adjustment / sizes.clamp(min=1).sqrt(), persistent=False)
        there = sum(n > 0 for n in counts)
        self.register_buffer("logs", torch.where(sizes > 0, -math.log(there), -math.inf))

    def forward(self, losses: torch.Tensor, batch: Batch) -> torch.Tensor:
        members = memberships(batch.groups[self.by], len(self.logs))
        counts = members.sum(0)
        means = (members * losses[:, None]).sum(0) / counts.clamp(min=1)
        with torch.no_grad():
            self.logs.copy_(self.moved(means, counts > 0))
        worst = (self.logs.exp() * means).sum()
        if self.strength == 1:
            return worst
        return (1 - self.strength) * super().forward(losses, batch) + self.strength * worst

    def moved(self, means: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """Return the logarithms of the weights after a batch with these mean losses of the groups ``present``."""
        steps = torch.where(present, self.logs + self.step * (means + self.margin), -math.inf)
        before = torch.where(present, self.logs, -math.inf)
        # those present share among them the weight that they had before
        return torch.where(present, functional.log_softmax(steps, 0) + before.logsumexp(0), self.logs)


def group_dro(settings: Mapping, context: Context) -> Average:
    """Return group DRO over the groups ``by``, and for ``strength`` 0 the plain mean."""
    if not settings["strength"]:
        return Average()
    shares_of(settings["by"], context, "group_dro")
    return GroupDRO(counts=context.counts[settings["by"]], **settings)


AVERAGES.update(group_dro=group_dro)
