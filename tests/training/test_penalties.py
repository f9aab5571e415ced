"""Penalties on dependence against their formulas, written out in numpy, and against every assignment of groups."""

from itertools import permutations

import numpy as np
import pytest
import torch

from fergap.errors import UserError
from fergap.training.objective import PENALTIES, Batch, Context
from fergap.training.penalties import DemographicParity, EqualizedOdds, demographic_parity, dependence, equalized_odds
from fergap.training.recipe import Recipe

draw = np.random.default_rng(5)
SCORES = torch.from_numpy(draw.normal(size=(12, 3)).astype(np.float32))
GROUPS = np.array([0, 0, 0, 1, 1, 2, -1, 0, 1, 1, 0, -1])
LABELS = np.array([0, 1, 2, 0, 1, 0, 1, 0, 0, 1, 1, 2])
SHARES = (0.5, 0.3, 0.2)


def batch(groups=GROUPS, labels=LABELS):
    targets = torch.from_numpy(labels)
    return Batch(torch.zeros(len(labels), 1, 1, 1), targets, targets, {"age": torch.from_numpy(groups)})


def probabilities():
    exponents = np.exp(SCORES.double().numpy())
    return exponents / exponents.sum(1, keepdims=True)


def apart(p, groups):
    """Return the sum of squares between groups less what chance would leave, and the rows that take part."""
    names = [g for g in sorted(set(groups)) if (groups == g).sum() > 1]
    taking = np.isin(groups, names)
    p, groups, total = p[taking], groups[taking], 0.0
    for g in names:
        own = p[groups == g]
        total += len(own) * ((own.mean(0) - p.mean(0)) ** 2).sum()
        total -= (1 - len(own) / len(p)) * own.var(0, ddof=1).sum()
    return total, len(p)


PAIRS = 0.5 * 0.3 + 0.5 * 0.2 + 0.3 * 0.2


def test_demographic_parity_is_its_formula():
    known = GROUPS >= 0
    total, rows = apart(probabilities()[known], GROUPS[known])
    assert rows == 9  # of ten known ones, one is alone in its group
    expected = 3 * total / rows / PAIRS
    assert DemographicParity("age", 3, SHARES)(SCORES, batch()).item() == pytest.approx(expected, rel=1e-4)


def test_equalized_odds_is_its_formula():
    known = GROUPS >= 0
    parts = [known & (k == LABELS) for k in range(3)]
    found = [apart(probabilities()[part], GROUPS[part]) for part in parts]
    expected = sum(total for total, _ in found) / sum(rows for _, rows in found) / PAIRS
    assert EqualizedOdds("age", 1, SHARES)(SCORES, batch()).item() == pytest.approx(expected, rel=1e-4)
    assert [rows for _, rows in found] == [4, 4, 0]


def test_between_two_groups_it_is_the_squared_difference_of_their_means():
    """Two groups as in the training rows and no spread within either: Bechavod & Ligett's squared difference."""
    one, other = torch.tensor([2.0, 0.0, -1.0]), torch.tensor([0.0, 1.0, 0.5])
    groups = np.array([0] * 6 + [1] * 2)
    scores = torch.stack([one] * 6 + [other] * 2)
    difference = one.softmax(0) - other.softmax(0)
    penalty = DemographicParity("age", 1, (0.75, 0.25))(scores, batch(groups, np.zeros(8, np.int64)))
    assert penalty.item() == pytest.approx(difference.square().sum().item(), rel=1e-5)


def test_independent_predictions_cost_nothing():
    """Over all assignments of the rows to the groups, which is what independence is, the mean is 0."""
    values = torch.from_numpy(draw.random((7, 2)).astype(np.float32))
    found = []
    for order in set(permutations([0, 0, 1, 1, 1, 2, 2])):
        members = torch.nn.functional.one_hot(torch.tensor(order), 3).float()[:, None]
        found.append(dependence(values, members).item())
    assert np.ptp(found) > 0.05
    assert np.mean(found) == pytest.approx(0, abs=1e-7)


def test_nothing_is_gained_by_predicting_one_group_more_surely_than_another():
    """Equal means and unequal spread: over many batches the mean is 0, so that no spread is rewarded."""
    found, spread = [], torch.tensor([0.4] * 6 + [0.0] * 2)
    members = torch.nn.functional.one_hot(torch.tensor([0] * 6 + [1] * 2), 2).float()[:, None]
    random = torch.Generator().manual_seed(1)
    for _ in range(2000):
        found.append(dependence((torch.randn(8, generator=random) * spread)[:, None], members).item())
    assert np.mean(found) == pytest.approx(0, abs=3 * np.std(found) / 2000**0.5)
    assert np.std(found) > 0.002


@pytest.mark.parametrize("penalty", [DemographicParity, EqualizedOdds])
def test_equal_predictions_cost_exactly_nothing(penalty):
    scores = torch.tensor([[0.5, -1.0, 2.0]]).repeat(12, 1)
    assert penalty("age", 7, SHARES)(scores, batch()).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("penalty", [DemographicParity, EqualizedOdds])
@pytest.mark.parametrize("groups", [np.full(12, -1), np.full(12, 1), np.arange(12) % 3 - 1])
def test_what_is_absent_takes_no_part(penalty, groups):
    scores = SCORES.clone().requires_grad_()
    value = penalty("age", 1, SHARES)(scores, batch(groups))
    value.backward()
    assert torch.isfinite(scores.grad).all()
    known = groups >= 0
    assert (scores.grad[~known] == 0).all()
    if len(set(groups[known])) < 2:
        assert value.item() == 0
        assert (scores.grad == 0).all()


def test_equalized_odds_allow_what_the_class_explains():
    """All of one class are predicted alike and the groups hold other classes: odds are equal, parity is not."""
    labels = np.array([0, 0, 0, 1, 1, 0, 1, 1])
    groups = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    scores = torch.from_numpy(np.eye(3, dtype=np.float32)[labels] * 5)
    shares = (0.5, 0.5)
    assert EqualizedOdds("age", 1, shares)(scores, batch(groups, labels)).item() == pytest.approx(0, abs=1e-12)
    assert DemographicParity("age", 1, shares)(scores, batch(groups, labels)).item() > 0.05


@pytest.mark.parametrize("make", [demographic_parity, equalized_odds])
def test_a_single_group_is_told(make):
    context = Context(3, {"age": ("adult", "child")}, {"age": (1.0, 0.0)}, Recipe(), torch.nn.Identity(), 1, 8)
    with pytest.raises(UserError, match=f"penalty: {make.__name__}: the .* fewer than two known groups of age"):
        make({"by": "age", "strength": 1}, context)
    assert PENALTIES[make.__name__] is make


def test_a_gap_closes_along_the_slope():
    """Steps down the penalty alone bring two groups' mean predictions together."""
    scores = SCORES.clone().requires_grad_()
    penalty = DemographicParity("age", 1, SHARES)
    known = GROUPS >= 0

    def gap():
        p = scores.detach().softmax(1).numpy()
        return np.abs(p[GROUPS == 0].mean(0) - p[GROUPS == 1].mean(0)).sum()

    before = gap()
    for _ in range(50):
        (slope,) = torch.autograd.grad(penalty(scores, batch()), scores)
        with torch.no_grad():
            scores -= slope
    assert known.sum() == 10
    assert gap() < before / 2
