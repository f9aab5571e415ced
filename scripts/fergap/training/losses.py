"""Losses of single rows in place of cross-entropy."""

from collections.abc import Mapping

import torch

from fergap.training.objective import LOSSES, Context, RowLoss, memberships

TINY = 1e-6  # keeps powers below 1 of 1 - p, and their slopes, finite


def distributions(targets: torch.Tensor, classes: int, smoothing: float) -> torch.Tensor:
    """Return the targets of a batch as (m, classes) float32, of which ``smoothing``, 0 … 1, is uniform."""
    if not targets.is_floating_point():
        targets = memberships(targets, classes)
    return targets * (1 - smoothing) + smoothing / classes


class Focal(RowLoss):
    """Cross-entropy in which a row counts the less the surer the network is of its class.

    -Σₖ qₖ (1 - pₖ)^γ log pₖ for predicted probabilities p and the target q, which for a label k is
    -(1 - pₖ)^γ log pₖ (Lin et al. 2017, *Focal loss for dense object detection*, equation 4).

    Parameters
    ----------
    gamma : float
        γ > 0; towards 0 it becomes cross-entropy.
    label_smoothing : float
        Share of the uniform distribution in q, 0 … 1.
    """

    def __init__(self, gamma: float, label_smoothing: float = 0.0):
        super().__init__(label_smoothing)
        self.gamma = gamma

    def forward(self, scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        logs = scores.log_softmax(1)
        doubt = (-logs.expm1()).clamp(min=TINY) ** self.gamma
        return -(distributions(targets, scores.shape[1], self.label_smoothing) * doubt * logs).sum(1)


class SymmetricCrossEntropy(RowLoss):
    """Cross-entropy and its reverse, which a wrong label moves less.

    α · (-Σₖ qₖ log pₖ) + β · (-Σₖ pₖ log qₖ) for predicted probabilities p and the target q, with log qₖ no lower than
    A; for a label k the second sum is -A (1 - pₖ) (Wang et al. 2019, *Symmetric cross entropy for robust learning with
    noisy labels*, equation 7).

    Parameters
    ----------
    alpha, beta : float
        At least 0; α = 1 and β = 0 is cross-entropy.
    clip : float
        A < 0.
    label_smoothing : float
        Share of the uniform distribution in q, 0 … 1.
    """

    def __init__(self, alpha: float, beta: float, clip: float, label_smoothing: float = 0.0):
        super().__init__(label_smoothing)
        self.alpha, self.beta, self.clip = alpha, beta, clip

    def forward(self, scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        loss = self.alpha * super().forward(scores, targets)
        if not self.beta:
            return loss
        aim = distributions(targets, scores.shape[1], self.label_smoothing).log().clamp(min=self.clip)
        return loss - self.beta * (scores.softmax(1) * aim).sum(1)


def focal(settings: Mapping, context: Context) -> RowLoss:
    """Return the focal loss, and for ``gamma`` 0 cross-entropy itself."""
    smoothing = context.recipe.label_smoothing
    return Focal(settings["gamma"], smoothing) if settings["gamma"] else RowLoss(smoothing)


def symmetric_cross_entropy(settings: Mapping, context: Context) -> RowLoss:
    """Return symmetric cross-entropy with ``alpha``, ``beta`` and ``clip``."""
    return SymmetricCrossEntropy(**settings, label_smoothing=context.recipe.label_smoothing)


LOSSES.update(focal=focal, symmetric_cross_entropy=symmetric_cross_entropy)
