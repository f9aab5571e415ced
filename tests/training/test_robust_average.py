"""Group DRO against the published algorithm, written out in numpy."""

import numpy as np
import pytest
import torch

from fergap.errors import UserError
from fergap.training.objective import Average, Batch, Context
from fergap.training.recipe import Recipe
from fergap.training.robust_average import GroupDRO, group_dro

COUNTS = (100, 25, 4)
CODES = torch.tensor([0, 1, 0, 2, -1, 1])
LOSSES = torch.tensor([0.5, 2.0, 1.5, 3.0, 9.0, 1.0])


def batch(codes=CODES):
    labels = torch.zeros(len(codes), dtype=torch.int64)
    return Batch(torch.zeros(len(codes), 1, 1, 1), labels, labels, {"age": codes})


def context(shares=(0.775, 0.194, 0.031)):
    return Context(2, {"age": ("a", "b", "c")}, {"age": shares}, Recipe(), torch.nn.Identity(), 1, 8, {"age": COUNTS})


def settings(**changes):
    return {"by": "age", "strength": 1, "step": 0.1, "adjustment": 0} | changes


@pytest.mark.parametrize("adjustment", [0, 2.0])
def test_it_is_the_published_algorithm(adjustment):
    average = GroupDRO("age", COUNTS, 1, 0.1, adjustment)
    weights = np.full(3, 1 / 3)
    means = np.array([1.0, 1.5, 3.0])
    for _ in range(4):
        weights = weights * np.exp(0.1 * (means + adjustment / np.sqrt(COUNTS)))
        weights /= weights.sum()
        assert average(LOSSES, batch()).item() == pytest.approx(weights @ means, rel=1e-5)
    np.testing.assert_allclose(average.logs.exp(), weights, rtol=1e-5)


def test_an_absent_group_keeps_its_weight():
    average = GroupDRO("age", COUNTS, 1, 0.5, 0)
    value = average(LOSSES[:3], batch(CODES[:3]))
    moved = np.exp(0.5 * np.array([1.0, 2.0]))
    weights = np.append(moved / moved.sum() * 2 / 3, 1 / 3)
    np.testing.assert_allclose(average.logs.exp(), weights, rtol=1e-5)
    assert value.item() == pytest.approx(weights[:2] @ [1.0, 2.0], rel=1e-5)


def test_a_batch_of_unknown_groups_changes_nothing():
    average = GroupDRO("age", COUNTS, 1, 0.5, 0)
    before = average.logs.clone()
    losses = LOSSES.clone().requires_grad_()
    value = average(losses, batch(torch.full((6,), -1)))
    value.backward()
    assert value.item() == 0
    assert torch.equal(average.logs, before)
    assert (losses.grad == 0).all()


def test_a_step_of_zero_balances_the_groups():
    average = GroupDRO("age", COUNTS, 1, 0, 0)
    assert average(LOSSES, batch()).item() == pytest.approx((1.0 + 1.5 + 3.0) / 3)
    assert average(LOSSES, batch()).item() == pytest.approx((1.0 + 1.5 + 3.0) / 3)


def test_the_strength_mixes_it_with_the_mean_and_zero_is_the_mean_itself():
    half = GroupDRO("age", COUNTS, 0.25, 0, 0)
    assert half(LOSSES, batch()).item() == pytest.approx(0.75 * LOSSES.mean().item() + 0.25 * 5.5 / 3)
    assert type(group_dro(settings(strength=0), context())) is Average


def test_a_group_without_training_rows_has_no_weight():
    average = GroupDRO("age", (10, 0, 30), 1, 0.1, 1)
    codes = torch.tensor([0, 2, 2])
    average(LOSSES[:3], batch(codes))
    weights = average.logs.exp()
    assert weights[1] == 0
    assert weights.sum().item() == pytest.approx(1)


def test_the_weights_survive_thousands_of_steps_of_a_lasting_gap():
    average = GroupDRO("age", COUNTS, 1, 1.0, 0)
    for _ in range(2000):
        average(LOSSES, batch())
    assert torch.isfinite(average.logs).all()
    assert average.logs.exp()[2].item() == pytest.approx(1)
    for _ in range(5000):  # and return once the gap has turned
        average(LOSSES * torch.tensor([4.0, 1, 4, 0.1, 1, 1]), batch())
    assert average.logs.exp()[0] > 0.99


def test_a_single_group_is_told():
    with pytest.raises(UserError, match="fewer than two known groups of age"):
        group_dro(settings(), context((1.0, 0.0, 0.0)))
