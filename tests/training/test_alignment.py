"""Latent alignment: its terms by hand, its two stages, its places in a pack and in a checkpoint."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fergap.errors import UserError
from fergap.models.registry import build
from fergap.training.alignment import (
    Alignment,
    first_epochs,
    gram,
    kl_divergence,
    known_cross_entropy,
    random_features,
    style_distance,
    vgg16_features,
)
from fergap.training.data import Store
from fergap.training.device import Device, repeatable
from fergap.training.objective import Batch, Context, Objective, RowLoss, make_objective
from fergap.training.recipe import Recipe
from fergap.training.together import train_together
from fergap.training.unit import Run

from .test_objective import NoWaiting
from .test_together import UNITS, Heard, tasks_of, without_seconds

SETTINGS = {"by": "age", "first": 0.5, "kl": 1, "discriminator": 1, "style": 10, "features": "random"}
CPU = Device("cpu", "fp32", "made up")
DRAW = np.random.default_rng(5)


@pytest.fixture(autouse=True)
def one_thread():
    with repeatable(CPU):
        yield


def made(classes=3, size=16, groups=("adult", "child"), seed=0, **changes):
    """Return a network and its objective, for ``size`` pixels of grey."""
    torch.manual_seed(seed)
    model = build("latent_alignment", classes, 1, size)
    shares = (1 / len(groups),) * len(groups)
    context = Context(classes, {"age": groups}, {"age": shares}, Recipe(batch_size=8), model, 1, size)
    objective = make_objective({"alignment": SETTINGS | changes}, context)
    objective.begin(1, 4)
    return model, objective


def batch_of(count=8, size=16, groups=None):
    draw = torch.Generator().manual_seed(1)
    codes = torch.arange(count) % 2 if groups is None else torch.tensor(groups)
    labels = torch.arange(count) % 3
    return Batch(torch.randn(count, 1, size, size, generator=draw), labels, labels, {"age": codes})


def test_the_divergence_by_torch_and_by_numpy():
    mean, spread = (DRAW.normal(size=(4, 2, 3, 3)).astype(np.float32) for _ in range(2))
    ours = kl_divergence(torch.from_numpy(mean), torch.from_numpy(spread))
    assert ours == pytest.approx(0.5 * np.mean(mean**2 + np.exp(spread) - 1 - spread), rel=1e-5)
    normal = torch.distributions.Normal
    theirs = torch.distributions.kl_divergence(
        normal(torch.from_numpy(mean), torch.from_numpy(spread / 2).exp()), normal(0.0, 1.0)
    )
    torch.testing.assert_close(ours, theirs.mean())
    assert kl_divergence(torch.zeros(2, 3), torch.zeros(2, 3)) == 0


def test_gram_matrices_and_their_distance_by_numpy():
    a, b = ([DRAW.normal(size=(3, c, s, s)).astype(np.float32) for c, s in ((2, 5), (4, 2))] for _ in range(2))

    def by_hand(maps):
        n, c, h, w = maps.shape
        out = np.zeros((n, c, c))
        for i in range(n):
            for one in range(c):
                for other in range(c):
                    out[i, one, other] = (maps[i, one] * maps[i, other]).sum() / (c * h * w)
        return out

    np.testing.assert_allclose(gram(torch.from_numpy(a[0])), by_hand(a[0]), rtol=1e-5, atol=1e-6)
    expected = sum(
        np.mean([np.linalg.norm(x - y, "fro") ** 2 for x, y in zip(by_hand(p), by_hand(q), strict=True)])
        for p, q in zip(a, b, strict=True)
    )
    ours = style_distance([torch.from_numpy(x) for x in a], [torch.from_numpy(x) for x in b])
    assert ours == pytest.approx(expected, rel=1e-5)


def test_unknown_groups_are_not_guessed():
    scores = torch.tensor([[2.0, 0.0], [0.0, 1.0], [5.0, -5.0]], requires_grad=True)
    loss = known_cross_entropy(scores, torch.tensor([0, 1, -1]))
    assert loss.item() == pytest.approx((np.log1p(np.exp(-2)) + np.log1p(np.exp(-1))) / 2, rel=1e-6)
    assert (torch.autograd.grad(loss, scores)[0][2] == 0).all()
    assert known_cross_entropy(scores, torch.tensor([-1, -1, -1])) == 0


def gradients(strength, monkeypatch, forward=False):
    model, objective = made(kl=0, style=0, discriminator=strength)
    if forward:
        monkeypatch.setattr("fergap.training.alignment.Reversal.apply", lambda x, strength: x)
    objective(model, batch_of(), CPU)[1].backward()
    monkeypatch.undo()
    return (
        torch.cat([p.grad.flatten() for p in model.encoder.parameters()]),
        torch.cat([p.grad.flatten() for p in objective.discriminator.parameters()]),
    )


def test_the_encoder_climbs_what_the_discriminator_descends(monkeypatch):
    encoder, discriminator = gradients(2.0, monkeypatch)
    plain_encoder, plain_discriminator = gradients(2.0, monkeypatch, forward=True)
    assert plain_encoder.abs().max() > 0
    torch.testing.assert_close(encoder, -2 * plain_encoder)
    assert torch.equal(discriminator, plain_discriminator)


def test_the_discriminator_learns_and_the_encoder_makes_it_harder():
    model, objective = made(kl=0, style=0)
    batch = replace(batch_of(), pictures=torch.linspace(-1, 1, 8)[:, None, None, None] * torch.ones(8, 1, 16, 16))
    batch.groups["age"].copy_(torch.tensor([0, 0, 0, 0, 1, 1, 1, 1]))

    def loss():
        with torch.no_grad():
            return objective(model, batch, CPU)[1].item()

    before = loss()
    learner = torch.optim.SGD(objective.discriminator.parameters(), 0.5)
    for _ in range(30):
        learner.zero_grad()
        objective(model, batch, CPU)[1].backward()
        learner.step()
    told = loss()
    assert told < before - 0.05
    deceiver = torch.optim.SGD(model.encoder.parameters(), 0.05)
    deceiver.zero_grad()
    objective(model, batch, CPU)[1].backward()
    deceiver.step()
    assert loss() > told


@pytest.mark.parametrize(
    ("changes", "gone"),
    [
        ({"kl": 0}, ["noise"]),
        ({"style": 0}, ["generator", "features"]),
        ({"discriminator": 0}, ["discriminator"]),
    ],
)
def test_a_term_of_weight_0_is_absent_and_leaves_the_others_as_they_are(changes, gone):
    (model, full), (same, part) = made(), made(**changes)
    whole, left = full.state_dict(), part.state_dict()
    assert left.keys() == {name for name in whole if name.split(".")[0] not in gone}
    for name, value in left.items():
        assert torch.equal(value, whole[name]), name
    assert all(getattr(part, name, None) is None for name in gone)
    for ours, theirs in zip(model.parameters(), same.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_the_loss_of_the_first_stage_is_the_sum_of_its_terms():
    model, objective = made(kl=0.3, discriminator=0.7, style=10)
    batch = batch_of(groups=[0, 1, -1, 0, 1, -1, 0, 1])
    _, loss = objective(model, batch, CPU)
    mean, spread = model.encoder(batch.pictures)
    latent = mean + (spread / 2).exp() * objective.noise[:8]
    terms = (
        0.3 * kl_divergence(mean, spread)
        + 10 * style_distance(objective.features(objective.generator(latent)), objective.features(batch.pictures))
        + known_cross_entropy(objective.discriminator(latent), batch.groups["age"])
    )
    torch.testing.assert_close(loss, terms)


def test_noise_is_normal_and_new_in_each_step_and_epoch():
    model, objective = made()
    assert objective.noise.mean().abs() < 0.01
    assert objective.noise.std() == pytest.approx(1, abs=0.01)
    first, kept = objective.noise.clone(), batch_of()
    losses = [objective(model.eval(), kept, CPU)[1].item() for _ in range(2)]
    assert losses[0] != losses[1]
    objective.begin(2, 4)
    assert not torch.equal(first, objective.noise)
    objective.begin(1, 4)
    assert torch.equal(first, objective.noise)
    assert objective.used == 0
    objective.used.fill_(len(objective.noise) - 3)
    objective(model, kept, CPU)
    assert objective.used == len(objective.noise) + 5


@pytest.mark.parametrize("epoch", [1, 4])
def test_a_step_never_asks_what_the_device_holds(epoch):
    model, objective = made()
    objective.begin(epoch, 4)
    batch = batch_of(groups=[0, 1, -1, 0, 1, -1, 0, 1])
    with NoWaiting():
        objective(model, batch, CPU)[1].backward()


@pytest.mark.parametrize(("share", "epochs", "first"), [(0.5, 12, 6), (0.01, 5, 1), (0.99, 5, 4), (0.5, 2, 1)])
def test_each_stage_has_an_epoch(share, epochs, first):
    assert first_epochs(share, epochs) == first
    _, objective = made(first=share)
    stages = []
    for epoch in range(1, epochs + 1):
        others = objective.begin(epoch, epochs)
        assert others == (epoch == first + 1)
        stages.append(objective.predicts)
    assert stages == [False] * first + [True] * (epochs - first)


def alignment_tasks(paths, folder, units=UNITS[:1], settings=SETTINGS, **changes):
    arm = {"name": "aligned", "network": "latent_alignment", "alignment": settings}
    return tasks_of(paths, folder, arm=arm, units=units, **({"epochs": 4} | changes))


def epoch_of(run):
    run.begin()
    for _ in range(run.training.steps):
        run.advance()
    run.measure()
    run.end()


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_each_stage_leaves_what_the_other_trains_bit_for_bit(inputs, tmp_path, optimizer):
    recipe = {"optimizer": optimizer, "learning_rate": 0.0005, "weight_decay": 0.1, "batch_size": 16}
    task = alignment_tasks(inputs[1], tmp_path, recipe=recipe)[0]
    run = Run(task, Store(task.pixels, task.rows, CPU.place, 10**9), Heard().voice)

    def kept():
        return {name: value.clone() for name, value in run.training.tensors().items() if "optimizer" not in name}

    start = kept()
    epoch_of(run)
    epoch_of(run)
    middle = kept()
    epoch_of(run)
    end = kept()
    for name in start:
        first = not name.startswith("model/classifier")
        assert torch.equal(start[name], middle[name]) == (not first), name
        assert torch.equal(middle[name], end[name]) == first, name


def test_a_resumed_run_ends_in_the_same_numbers_wherever_it_stopped(inputs, tmp_path):
    task = alignment_tasks(inputs[1], tmp_path)[0]
    store = Store(task.pixels, task.rows, CPU.place, 10**9)
    whole = Run(replace(task, checkpoint=tmp_path / "whole"), store, Heard().voice)
    while not whole.finished:
        epoch_of(whole)
    # a new run after every epoch, two of them within a stage and one between the stages
    for _ in range(4):
        heard = Heard()
        run = Run(task, store, heard.voice)
        epoch_of(run)
    assert heard.lines == ["aligned, fold 1 of 3: goes on after epoch 3 of 4"]
    ours, theirs = run.training.tensors(), whole.training.tensors()
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert torch.equal(value, theirs[name]), name
    assert run.outcome().probabilities.tobytes() == whole.outcome().probabilities.tobytes()


def test_packed_folds_equal_the_same_folds_alone_and_choose_an_epoch_of_the_second_stage(inputs, tmp_path):
    settings = SETTINGS | {"first": 0.6}
    packed = train_together(alignment_tasks(inputs[1], tmp_path / "pack", UNITS[:2], settings, epochs=3), Heard().voice)
    for task, ours in zip(
        alignment_tasks(inputs[1], tmp_path / "alone", UNITS[:2], settings, epochs=3), packed, strict=True
    ):
        torch.rand(7)
        alone = train_together([task], Heard().voice)[0]
        assert without_seconds(alone) == without_seconds(ours)
        assert alone.probabilities.tobytes() == ours.probabilities.tobytes()
        assert ours.chosen == 3


def test_an_early_epoch_of_high_accuracy_is_not_chosen(inputs, tmp_path):
    task = alignment_tasks(inputs[1], tmp_path)[0]
    run = Run(task, Store(task.pixels, task.rows, CPU.place, 10**9), Heard().voice)
    for accuracy in (1.0, 0.9, 0.2, 0.1):
        run.begin()
        run.training.step()
        run.measured["validation"] = torch.tensor([0.5, accuracy], dtype=torch.float64)
        run.end()
    assert run.chosen == 3


def test_the_arms_loss_is_that_of_the_second_stage():
    class Twice(RowLoss):
        def forward(self, scores, targets):
            return 2 * super().forward(scores, targets)

    model, plain = made()
    torch.manual_seed(0)
    build("latent_alignment", 3, 1, 16)
    context = Context(3, {"age": ("adult", "child")}, {"age": (0.5, 0.5)}, Recipe(batch_size=8), model, 1, 16)
    doubled = Alignment(SETTINGS, context, Objective(Twice()))
    batch = batch_of()
    for objective in (plain, doubled):
        objective.begin(4, 4)
    scores, loss = plain(model, batch, CPU)
    torch.testing.assert_close(loss, torch.nn.functional.cross_entropy(scores, batch.targets))
    torch.testing.assert_close(doubled(model, batch, CPU)[1], 2 * loss)


def test_combinations_have_a_score_for_each_group():
    _, objective = made(groups=("a × x", "a × y", "b × x", "b × y"))
    assert objective.discriminator.scores.out_features == 4


def test_a_single_group_cannot_be_told_from_others():
    with pytest.raises(UserError, match=r"fewer than two known groups of age"):
        made(groups=("adult",))
    made(groups=("adult",), discriminator=0)


def test_features_of_a_file_are_those_of_vgg16(tmp_path):
    shapes, before = {}, 3
    for place, width in zip(
        (0, 2, 5, 7, 10, 12, 14, 17, 19, 21), (64, 64, 128, 128, 256, 256, 256, 512, 512, 512), strict=True
    ):
        shapes[f"features.{place}"] = (width, before)
        before = width
    state = {f"{name}.weight": torch.zeros(*shape, 3, 3) for name, shape in shapes.items()}
    state |= {f"{name}.bias": torch.full((shape[0],), float(i)) for i, (name, shape) in enumerate(shapes.items())}
    torch.save(state | {"classifier.0.weight": torch.zeros(1)}, tmp_path / "vgg16.pth")
    maps = vgg16_features(tmp_path / "vgg16.pth")(torch.zeros(2, 1, 48, 48))
    assert [m.shape[1:] for m in maps] == [(64, 48, 48), (128, 24, 24), (256, 12, 12), (512, 6, 6)]
    assert [m.unique().tolist() for m in maps] == [[1], [3], [6], [9]]  # the bias of each stage's last convolution
    assert list(vgg16_features(tmp_path / "vgg16.pth").state_dict()) == []
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "other.pth")
    (tmp_path / "text.safetensors").write_text("no weights")
    for name in ("other.pth", "text.safetensors", "absent.pth"):
        with pytest.raises(UserError, match=r"(?s)holds no weights of VGG-16 .*features: random"):
            vgg16_features(tmp_path / name)


def test_small_pictures_have_fewer_maps():
    assert [m.shape[-1] for m in random_features(1)(torch.zeros(1, 1, 3, 3))] == [3, 1]
    assert [m.shape[-1] for m in random_features(3)(torch.zeros(1, 3, 48, 48))] == [48, 24, 12]
