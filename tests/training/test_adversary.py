"""Adversaries: the reversal against a slope by hand, the layer that is watched, the heads' balance."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from fergap.errors import UserError
from fergap.models.registry import build
from fergap.training.adversary import Adversary, Reversal, adversary, pooled, rise, watch, width_of
from fergap.training.objective import Batch, Context
from fergap.training.recipe import Recipe

CODES = {"age": torch.tensor([0, 0, 0, 1, -1, 0]), "gender": torch.tensor([1, 0, -1, 1, 0, 1])}
SHARES = {"age": (0.8, 0.2), "gender": (0.5, 0.5)}
NAMES = {"age": ("adult", "child"), "gender": ("female", "male")}


def context(model, size=8):
    return Context(2, NAMES, SHARES, Recipe(), model, 1, size)


def batch(size=8):
    pictures = torch.randn(6, 1, size, size, generator=torch.Generator().manual_seed(1))
    return Batch(pictures, torch.zeros(6, dtype=torch.int64), torch.zeros(6, dtype=torch.int64), CODES)


def linear():
    torch.manual_seed(3)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 5), nn.ReLU(), nn.Linear(5, 2))


def made(model, **changes):
    settings = {"by": ["age"], "layer": None, "strength": 2.0, "hidden": 4, "ramp": False} | changes
    torch.manual_seed(4)
    return Adversary(context(model), **settings)


def test_the_reversal_is_the_identity_whose_slope_is_turned_and_scaled():
    values = torch.tensor([1.0, -2.0, 3.0], requires_grad=True)
    turned = Reversal.apply(values, torch.tensor(0.5))
    assert torch.equal(turned, values)
    (turned * torch.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert values.grad.tolist() == [-0.5, -5.0, -50.0]


def test_the_network_climbs_what_the_head_descends():
    """The network's slope is -λ times that of the head's loss, the head's its own, both as if nothing were turned."""
    model = linear()
    penalty, rows = made(model), batch()
    loss = penalty(model(rows.pictures), rows)
    loss.backward()
    head, network = penalty.heads[0][0].weight.grad.clone(), model[1].weight.grad.clone()
    for part in (penalty, model):
        part.zero_grad()
    # by hand: rows of the larger group weigh 1 / (2 · 0.8), of the smaller 1 / (2 · 0.2), five are known
    codes = CODES["age"]
    each = functional.cross_entropy(penalty.heads[0](model[:3](rows.pictures)), codes.clamp(min=0), reduction="none")
    weights = torch.tensor([0.625, 0.625, 0.625, 2.5, 0.0, 0.625])
    plain = (weights * each).sum() / 5
    plain.backward()
    assert loss.item() == pytest.approx(plain.item(), rel=1e-6)
    torch.testing.assert_close(head, penalty.heads[0][0].weight.grad)
    torch.testing.assert_close(network, -2 * model[1].weight.grad)
    assert network.abs().sum() > 0


def test_several_attributes_have_a_head_each_and_their_losses_add_up():
    model, rows = linear(), batch()
    both = made(model, by=["age", "gender"])
    scores = model(rows.pictures)
    values = both.seen
    expected = 0
    for name, head in zip(("age", "gender"), both.heads, strict=True):
        weights = torch.tensor([1 / (2 * share) for share in SHARES[name]])
        wrong = functional.cross_entropy(head(values), CODES[name], weights, ignore_index=-1, reduction="sum")
        expected += wrong / (CODES[name] >= 0).sum()
    assert both(scores, rows).item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("network", ["pyramid", "b4_n4_k3"])
def test_by_default_it_reads_what_the_last_layer_reads(network):
    model = build(network, 2, 1, 8).eval()
    seen = []
    watch(model, None, seen.append)
    pictures = batch().pictures
    scores = model(pictures)
    last = [m for m in model.modules() if isinstance(m, nn.Linear)][-1]
    torch.testing.assert_close(last(seen[0]), scores)


def test_a_layer_of_maps_is_read_as_their_means_before_later_layers_change_them_in_place():
    model = build("pyramid", 2, 1, 8).eval()
    seen = []
    watch(model, "1", seen.append)  # a norm; the ReLU behind it works in place
    pictures = batch().pictures
    model(pictures)
    torch.testing.assert_close(seen[0], model[1](model[0](pictures)).mean((2, 3)))
    assert (seen[0] < 0).any()
    assert width_of(context(model), "1") == 16
    assert not model.training
    assert pooled(torch.ones(2, 3, dtype=torch.bfloat16)).dtype == torch.float32


def test_a_layer_that_is_not_there_is_told_with_those_that_are():
    model = build("pyramid", 2, 1, 8)
    with pytest.raises(UserError, match=r"layer: .* no layer '3\.frist'; did you mean '3\.first'\?\n.*of 0, 1, 2, "):
        watch(model, "3.frist", lambda values: None)
    with pytest.raises(UserError, match="no fully connected layer"):
        watch(nn.Sequential(nn.Conv2d(1, 2, 3)), None, lambda values: None)


def test_evaluations_and_averages_leave_no_trace():
    model = linear()
    penalty = made(model)
    twin = copy.deepcopy(model)
    rows = batch()
    model(rows.pictures)
    seen = penalty.seen
    with torch.no_grad():
        twin(rows.pictures * 2)
        model(rows.pictures * 3)
    assert penalty.seen is seen


def test_the_strength_rises_as_published():
    # 2 / (1 + exp(-10 p)) - 1 at p = 0, 0.05 and 0.75
    assert [rise(p) for p in (0, 0.05, 0.75)] == pytest.approx([0, 0.2449187, 0.9988944], abs=1e-6)
    penalty = made(linear(), ramp=True)
    place = penalty.scale.data_ptr()
    found = []
    for epoch in range(1, 11):
        penalty.begin(epoch, 10)
        found.append(penalty.scale.item())
    assert found == pytest.approx([2 * rise((e - 0.5) / 10) for e in range(1, 11)])
    assert penalty.scale.data_ptr() == place
    steady = made(linear())
    steady.begin(1, 10)
    assert steady.scale.item() == 2


def test_rows_of_unknown_groups_teach_nothing():
    model, rows = linear(), batch()
    penalty = made(model)
    unknown = Batch(rows.pictures, rows.targets, rows.labels, {"age": torch.full((6,), -1)})
    loss = penalty(model(rows.pictures), unknown)
    loss.backward()
    assert loss.item() == 0
    assert (model[1].weight.grad == 0).all()


def test_the_option_takes_a_name_or_a_list():
    settings = {"layer": None, "strength": 1, "hidden": 4, "ramp": True}
    assert adversary(settings | {"by": "age"}, context(linear())).by == ["age"]
    assert adversary(settings | {"by": ["age", "gender"]}, context(linear())).by == ["age", "gender"]


def test_a_linear_group_is_unlearned():
    """Pictures that show group and class: the layer keeps the class and loses the group."""
    draw = torch.Generator().manual_seed(2)
    labels, groups = (torch.randint(0, 2, (256,), generator=draw) for _ in range(2))
    pictures = torch.randn(256, 1, 8, 8, generator=draw)
    pictures[:, 0, 0, 0] += 4 * labels - 2
    pictures[:, 0, 1, 1] += 4 * groups - 2
    rows = Batch(pictures, labels, labels, {"gender": groups})

    def explained(strength):
        """Return R² of the group given the last layer's input after training."""
        model = linear()
        penalty = made(model, by=["gender"], strength=strength, hidden=16)
        optimizer = torch.optim.Adam([*model.parameters(), *penalty.parameters()], 0.01)
        for _ in range(150):
            optimizer.zero_grad()
            scores = model(pictures)
            (functional.cross_entropy(scores, labels) + penalty(scores, rows)).backward()
            optimizer.step()
        accuracy = (scores.argmax(1) == labels).float().mean().item()
        with torch.no_grad():
            values = model[:3](pictures)
        design = torch.cat([values, torch.ones(256, 1)], 1).double()
        aim = groups[:, None].double()
        rest = aim - design @ torch.linalg.lstsq(design, aim, driver="gelsd").solution
        return accuracy, 1 - (rest.square().mean() / aim.var(correction=0)).item()

    accuracy, left = explained(1.0)
    _, before = explained(-1.0)  # not turned: the layer learns the group
    assert accuracy > 0.9
    assert before > 0.5
    assert left < before / 10
