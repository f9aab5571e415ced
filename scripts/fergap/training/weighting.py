"""How much each training face counts: weights that are fixed before training, and weights by what the network says."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import torch

from fergap.training.groups import CLASS, groups_of
from fergap.training.objective import AVERAGES, Average, Batch, Context, memberships
from fergap.training.options import as_list

Weighting = Callable[[np.ndarray, pd.DataFrame, str, str], np.ndarray]


def inverse_frequency(rows: np.ndarray, groups: pd.DataFrame, name: str, where: str) -> np.ndarray:
    """Return weights that let each group count alike: n / (k n_g).

    n is the number of rows whose group is known, k the number of groups that have rows, n_g the rows of the face's own
    group: what scikit-learn calls balanced class weights (after King & Zeng 2001, Logistic regression in rare events
    data, Political Analysis 9).

    Parameters
    ----------
    rows : numpy.ndarray
        (m,) positions of the training rows; a face may stand there several times.
    groups : pandas.DataFrame
        (n, attributes), as :func:`fergap.training.groups.groups_of` takes it.
    name, where : str
        The attribute or combination, and its place in the config.

    Returns
    -------
    numpy.ndarray
        (n,) float64; nan where the group is unknown or has no training row.
    """
    found = groups_of(groups, name, where)
    counts, own = np.array(found.counts(rows)), found.own_counts(rows)
    return np.divide(counts.sum(), (counts > 0).sum() * own, out=np.full(len(own), np.nan), where=own > 0)


def reweighing(rows: np.ndarray, groups: pd.DataFrame, name: str, where: str) -> np.ndarray:
    """Return weights under which group and class are independent: P(g) P(y) / P(g, y) = n_g n_y / (n n_gy).

    Kamiran & Calders 2012 (Data preprocessing techniques for classification without discrimination, Knowledge and
    Information Systems 33), with as many groups and classes as there are. Counts are over the rows whose group is
    known.

    Parameters and result are those of :func:`inverse_frequency`.
    """
    known = groups_of(groups, name, where).codes >= 0
    counted = rows[known[rows]]
    group, label, both = (
        np.where(known, groups_of(groups, part, where).own_counts(counted), 0)
        for part in (name, CLASS, f"{name}*{CLASS}")
    )
    return np.divide(group * label, len(counted) * both, out=np.full(len(both), np.nan), where=both > 0)


WEIGHTINGS: dict[str, Weighting] = {"inverse_frequency": inverse_frequency, "reweighing": reweighing}
"""By ``kind`` under ``reweight`` in an arm."""


def row_weights(rows: np.ndarray, groups: pd.DataFrame, settings: Mapping, where: str) -> np.ndarray | None:
    """Return how much each face counts in training.

    The weights of a ``kind``, to a power, are divided by their mean over the training rows whose group is known; a face
    of unknown group weighs 1, as much as the mean of the others. Of several attributes they are multiplied, and the
    product divided by its mean over all training rows.

    Parameters
    ----------
    rows : numpy.ndarray
        (m,) positions of the training rows, after the interventions; a face may stand there several times.
    groups : pandas.DataFrame
        (n, attributes), with the column ``class``.
    settings : mapping
        ``by``: an attribute, ``class``, a combination, or a list of these. ``kind``: a key of :data:`WEIGHTINGS`.
        ``power``, 0 … 1: 0 weighs all rows alike, 1 is the kind's own weight.

    Returns
    -------
    numpy.ndarray or None
        (n,) float32 with mean 1 over ``rows``; None where all rows count alike by the settings.

    Raises
    ------
    UserError
        There is no such attribute.
    """
    power, weights = settings.get("power", 1), np.ones(len(groups))
    if not power:
        return None
    for name in as_list(settings["by"]):
        part = WEIGHTINGS[settings.get("kind", "inverse_frequency")](rows, groups, name, where) ** power
        counted = part[rows][~np.isnan(part[rows])]
        weights *= np.where(np.isnan(part), 1.0, part / (counted.mean() if len(counted) else 1.0))
    return (weights / weights[rows].mean()).astype(np.float32)


class ConfidenceWeights(Average):
    """The mean of the rows' losses, weighted by how unsure the network is of the faces' own classes.

    A row weighs (1 - p)^power, p being the probability that the network gives the face's class in this step, through
    which no gradient flows; where groups are named, 1 - p is the mean over the rows of the face's group in the batch,
    and rows of unknown group weigh 1. The weights are divided by their mean over the rows that have one, so that a
    step is as long as without them; power 0 is the mean itself. This is the dynamic loss adjustment by confidence of
    Olate 2025 (Facial emotion recognition with bias mitigation, section 6.1), which gives no formula; the form is that
    of the focal loss's factor (Lin et al. 2017). Weights of rows that are fixed before training multiply them.

    Parameters
    ----------
    power : float
        At least 0.
    by : str, optional
        An attribute or combination among the batch's groups.
    groups : int
        How many groups it has.
    """

    def __init__(self, power: float, by: str | None = None, groups: int = 0):
        super().__init__()
        self.power, self.by, self.groups = power, by, groups

    @torch.no_grad()
    def weights(self, batch: Batch) -> torch.Tensor:
        """Return (m,) float32 with mean 1."""
        # expm1 keeps what 1 - p would lose where p is nearly 1
        unsure = -torch.expm1(batch.scores.log_softmax(1).gather(1, batch.labels[:, None]).squeeze(1))
        known = torch.ones_like(unsure)
        if self.by is not None:
            member = memberships(batch.groups[self.by], self.groups)
            known = member.sum(1)
            means = (member * unsure[:, None]).sum(0) / member.sum(0).clamp_min(1)
            unsure = (member * means).sum(1)
        weights = unsure**self.power * known
        mean = weights.sum() / known.sum().clamp_min(1)
        return torch.where(known > 0, weights / mean.clamp_min(torch.finfo(mean.dtype).tiny), 1.0)

    def forward(self, losses: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Return () float32 from (m,) float32."""
        return super().forward(losses * self.weights(batch), batch)


def confidence_weights(settings: Mapping, context: Context) -> Average:
    """Return the average that an arm's ``confidence_weights`` asks for: ``power``, and optionally ``by``."""
    by = settings.get("by")
    return ConfidenceWeights(settings["power"], by, len(context.groups[by]) if by else 0)


AVERAGES["confidence_weights"] = confidence_weights
