"""A network that is the moving average of another in training."""

import copy

import torch
from torch import nn


class Average:
    """The exponential moving average of a model's weights and of its norms' statistics.

    After step t (counted from 0) it is d·before + (1 - d)·model with d = min(decay, (1 + t) / (10 + t)), so that the
    first weights, which know nothing, are soon forgotten; of whole numbers it has the model's own. (Polyak & Juditsky
    1992 average over all steps alike.)

    Parameters
    ----------
    model : torch.nn.Module
        On the device where it is trained.
    decay : float
        0 … 1.

    Attributes
    ----------
    model : torch.nn.Module
        The average, which takes no gradient.
    """

    def __init__(self, model: nn.Module, decay: float):
        self.model, self.decay = copy.deepcopy(model).requires_grad_(False), decay
        ours, theirs = (list(m.state_dict(keep_vars=True).values()) for m in (self.model, model))
        self.pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if a.is_floating_point()]
        self.whole = [(a, b) for a, b in zip(ours, theirs, strict=True) if not a.is_floating_point()]

    @torch.no_grad()
    def follow(self, step: torch.Tensor) -> None:
        """Take in the model as it is after step ``step``, () int64 on the device, counted over all epochs."""
        decay = ((1 + step) / (10 + step)).clamp(max=self.decay)
        for ours, theirs in self.pairs:
            ours.lerp_(theirs, 1 - decay)
        for ours, theirs in self.whole:
            ours.copy_(theirs)
