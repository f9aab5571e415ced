"""Penalties on predictions that tell one group from another."""

from collections.abc import Mapping
from itertools import combinations

import torch

from fergap.errors import UserError
from fergap.training.objective import PENALTIES, Batch, Context, Penalty, memberships


def dependence(values: torch.Tensor, members: torch.Tensor) -> torch.Tensor:
    """Estimate how far the groups' means lie apart within strata: the variance of the means, free of chance.

    Within one stratum, with n_g of its n rows in group g, the estimate is
    Σ_g [n_g ‖m_g - m‖² - (1 - n_g / n) s_g²] / n, with the groups' means m_g, the mean m of all and the variances
    s_g² = Σ_i ‖v_i - m_g‖² / (n_g - 1) of the groups' rows. The subtrahend is what the means differ by if the rows of
    each group are drawn blindly; the expectation is 0 where groups have equal means, and so is the mean over all
    assignments of the rows to the groups. Between two groups it is n₁n₂ / n² times the unbiased squared maximum mean
    discrepancy with a linear kernel (Gretton et al. 2012, *A kernel two-sample test*, lemma 6). Without the subtrahend,
    in a batch with few rows of a group, chance outweighs any gap, and the cheapest way to a small penalty is to predict
    the same for everybody.

    Parameters
    ----------
    values : torch.Tensor
        (m, k) float32.
    members : torch.Tensor
        (m, strata, groups) float32, 1 where a row is in that group of that stratum, else 0; a row that is in none
        takes no part. Neither does a group with a single row in its stratum, whose variance nothing tells.

    Returns
    -------
    torch.Tensor
        () float32: the strata's estimates, averaged by their rows. In a single batch it may be negative.
    """
    members = members * (members.sum(0) > 1)
    counts = members.sum(0)
    rows = counts.sum(1, keepdim=True).clamp(min=1)
    means = torch.einsum("msg,mk->sgk", members, values) / counts.clamp(min=1)[..., None]
    whole = (counts[..., None] * means).sum(1, keepdim=True) / rows[..., None]
    between = counts * (means - whole).square().sum(2)
    within = (members[..., None] * (values[:, None, None] - means).square()).sum((0, 3))
    chance = (1 - counts / rows) * within / (counts - 1).clamp(min=1)
    return (between - chance).sum() / counts.sum().clamp(min=1)


class DemographicParity(Penalty):
    """Predicted probabilities that on average differ between groups.

    Demographic parity asks that the predictions do not depend on the group (Calders & Verwer 2010). The penalty is the
    mean, over pairs of rows of different groups, of the squared distance Σₖ (p̄_gk - p̄_hk)² of the two groups' mean
    predicted probabilities: between two groups, the squared difference that Bechavod & Ligett (2017, *Penalizing
    unfairness in binary classification*) add to the loss, here for many classes and groups and on probabilities, which
    have a slope. The mean is estimated by :func:`dependence`, with no contribution of chance.

    Rows count alike, whatever weights they have in the average; those of unknown group take no part.

    Parameters
    ----------
    by : str
        Key of the batch's groups.
    strength : float
        At least 0.
    shares : tuple of float
        Each group's share of the training rows, which sum to 1.
    """

    def __init__(self, by: str, strength: float, shares: tuple[float, ...]):
        super().__init__()
        self.by, self.groups = by, len(shares)
        # the variance of the means of groups is the sum of their squared distances by the pairs' shares
        self.factor = strength / sum(a * b for a, b in combinations(shares, 2))

    def members(self, batch: Batch, classes: int) -> torch.Tensor:
        """Return the group of each row, (m, 1, groups) float32."""
        return memberships(batch.groups[self.by], self.groups)[:, None]

    def forward(self, scores: torch.Tensor, batch: Batch) -> torch.Tensor:
        return self.factor * dependence(scores.softmax(1), self.members(batch, scores.shape[1]))


class EqualizedOdds(DemographicParity):
    """Predicted probabilities that on average differ between groups among faces of one class.

    Equalized odds ask that the predictions do not depend on the group beyond what the class explains (Hardt, Price &
    Srebro 2016). As :class:`DemographicParity` within each class, averaged over the classes by their rows.
    """

    def members(self, batch: Batch, classes: int) -> torch.Tensor:
        """Return the class and group of each row, (m, classes, groups) float32."""
        return memberships(batch.labels, classes)[:, :, None] * super().members(batch, classes)


def shares_of(by: str, context: Context, option: str) -> tuple[float, ...]:
    """Return the shares of the groups of ``by`` in the training rows.

    Raises
    ------
    UserError
        Fewer than two groups are there.
    """
    shares = context.shares[by]
    if sum(share > 0 for share in shares) < 2:
        raise UserError(
            f"the training faces of a fold have fewer than two known groups of {by}",
            where=f"arms: {option}",
            expected="an attribute with at least two groups",
        )
    return shares


def demographic_parity(settings: Mapping, context: Context) -> Penalty:
    """Return the penalty of ``strength`` on predictions that depend on the group ``by``."""
    shares = shares_of(settings["by"], context, "penalty: demographic_parity")
    return DemographicParity(settings["by"], settings["strength"], shares)


def equalized_odds(settings: Mapping, context: Context) -> Penalty:
    """Return the penalty of ``strength`` on predictions that depend, within a class, on the group ``by``."""
    shares = shares_of(settings["by"], context, "penalty: equalized_odds")
    return EqualizedOdds(settings["by"], settings["strength"], shares)


PENALTIES.update(demographic_parity=demographic_parity, equalized_odds=equalized_odds)
