"""Every ingredient of a recipe does what it says, and the published recipe has none of them."""

import dataclasses
import math
import os
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional

from fergap import tables
from fergap.seeds import derive
from fergap.training.augment import Augmentation, draw_boxes, erase, mix, warp
from fergap.training.average import Average
from fergap.training.loop import draw_shares, flipped_scores, make_optimizer
from fergap.training.recipe import Recipe, rate, recipe_of
from fergap.training.targets import soft_targets
from fergap.training.weights import load_weights

from .examples import job, outputs, study
from .test_pack import digest, run

STRONG = {
    "optimizer": "adamw",
    "learning_rate": 0.004,
    "weight_decay": 0.05,
    "decay_all": False,
    "schedule": "one_cycle",
    "clip": 1.0,
    "batch_size": 16,
    "shift": 0.05,
    "zoom": 0.1,
    "brightness": 0.2,
    "contrast": 0.2,
    "erase": 0.3,
    "mixup": 0.2,
    "soft_labels": 0.8,
    "label_smoothing": 0.05,
    "average": 0.9,
    "test_flip": True,
}
SCHEME = {
    "emotions": ["anger", "sadness"],
    "classes": [{"label": "across", "when": "anger > sadness"}, {"label": "down", "when": "anger < sadness"}],
}


@pytest.fixture
def batch():
    return torch.rand(6, 2, 10, 10, generator=torch.Generator().manual_seed(0))


def test_a_key_left_out_is_off():
    assert dataclasses.asdict(Recipe()) == {
        "optimizer": "adam",
        "learning_rate": 0.001,
        "weight_decay": 0.0001,
        "momentum": 0.9,
        "decay_all": True,
        "schedule": "constant",
        "factor": 0.1,
        "patience": 3,
        "warmup": 0.0,
        "clip": 0.0,
        "batch_size": 64,
        "flip": 0.5,
        "rotation": 10.0,
        "shift": 0.0,
        "zoom": 0.0,
        "brightness": 0.0,
        "contrast": 0.0,
        "erase": 0.0,
        "mixup": 0.0,
        "soft_labels": 0.0,
        "label_smoothing": 0.0,
        "average": 0.0,
        "test_flip": False,
    }


def test_a_mistyped_choice_is_told():
    with pytest.raises(Exception, match="did you mean 'one_cycle'"):
        recipe_of({"name": "a"}, {"recipe": "r", "recipes": {"r": {"schedule": "onecycle"}}, "epochs": 1})


def test_cosine_is_pytorchs():
    weight = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=0.3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20)
    recipe = Recipe(learning_rate=0.3, schedule="cosine")
    for step in range(20):
        assert rate(recipe, step, 20) == pytest.approx(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()


def test_warmup_rises_linearly_then_the_schedule_takes_over():
    rates = [rate(Recipe(learning_rate=1.0, warmup=0.25), i, 16) for i in range(16)]
    assert rates == [0.25, 0.5, 0.75, 1.0, *[1.0] * 12]
    cosine = [rate(Recipe(learning_rate=1.0, warmup=0.25, schedule="cosine"), i, 16) for i in range(16)]
    assert cosine[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert cosine[10] == pytest.approx(0.5)
    assert 0 < cosine[15] < 0.02


def test_one_cycle_rises_from_a_25th_and_falls_to_nothing():
    rates = [rate(Recipe(learning_rate=0.5, schedule="one_cycle"), i, 1000) for i in range(1000)]
    assert rates[0] == pytest.approx(0.02)
    assert rates[150] == pytest.approx((0.02 + 0.5) / 2)
    assert max(rates) == rates[300] == 0.5
    assert rates[650] == pytest.approx(0.25)
    assert rates[999] < 1e-5


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle"])
@pytest.mark.parametrize("warmup", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_every_rate_is_in_bounds(schedule, warmup, steps):
    recipe = Recipe(learning_rate=0.5, schedule=schedule, warmup=warmup)
    assert all(0 <= rate(recipe, i, steps) <= 0.5 for i in range(steps))


def test_norms_and_biases_do_not_decay_unless_all_do():
    model = nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 2))
    groups = make_optimizer(model, Recipe(optimizer="adamw", weight_decay=0.1, decay_all=False)).param_groups
    decay = {id(w): group["weight_decay"] for group in groups for w in group["params"]}
    assert [decay[id(w)] for w in model.parameters()] == [0.1, 0, 0, 0.1, 0]
    (group,) = make_optimizer(model, Recipe(weight_decay=0.1)).param_groups
    assert group["weight_decay"] == 0.1
    assert len(group["params"]) == 5


def test_sgd_takes_the_recipes_momentum():
    (group,) = make_optimizer(nn.Linear(2, 2), Recipe(optimizer="sgd", momentum=0.8)).param_groups
    assert (group["momentum"], group["nesterov"]) == (0.8, True)


def test_a_shift_by_whole_pixels_moves_them(batch):
    shift = torch.tensor([[0.2, -0.1]]).expand(6, 2)  # of ten pixels: two to the right, one up
    out = warp(batch, torch.zeros(6), shift=shift)
    torch.testing.assert_close(out[:, :, :-1, 2:], batch[:, :, 1:, :-2], atol=1e-5, rtol=0)
    assert out[:, :, -1].abs().max() < 1e-5
    assert out[:, :, :, :2].abs().max() < 1e-5


def test_a_drawn_shift_moves_by_whole_pixels_alone(batch):
    drawn = Augmentation(6, Recipe(flip=0, rotation=0, shift=0.3), partial(derive, 1), torch.device("cpu"))
    out = drawn(batch, torch.arange(6))
    for before, after in zip(batch, out, strict=True):
        # nothing in between: every value is one of the picture's own, or 0
        own = torch.cat([before.flatten(), torch.zeros(1)])
        assert (after.reshape(-1, 1) - own).abs().min(1).values.max() < 1e-5
    assert drawn.shifts.abs().max() <= 0.3
    assert not torch.allclose(out, batch)


def test_twice_the_size_shows_each_pixel_twice():
    picture = torch.zeros(1, 1, 8, 8)
    picture[..., 4, 4] = 1
    out = warp(picture, torch.zeros(1), scale=torch.tensor([2.0]))
    # bilinear: a pixel's centre, 0.5 from the middle, comes to lie 1 from it, between two pixels
    expected = torch.zeros(8, 8)
    expected[3:7, 3:7] = torch.outer(*[torch.tensor([0.25, 0.75, 0.75, 0.25])] * 2)
    torch.testing.assert_close(out[0, 0], expected)


def test_turned_and_enlarged_then_shifted(batch):
    once = warp(batch, torch.full((6,), 90.0), scale=torch.full((6,), 1.5), shift=torch.tensor([[0.1, 0.0]] * 6))
    turned = warp(torch.rot90(batch, 1, (2, 3)), torch.zeros(6), scale=torch.full((6,), 1.5))
    torch.testing.assert_close(once[:, :, :, 1:], turned[:, :, :, :-1], atol=1e-5, rtol=0)


def test_erased_pixels_are_those_whose_centre_lies_in_the_box(batch):
    boxes = torch.zeros(6, 4)
    boxes[0] = torch.tensor([0.2, 0.4, 0.5, 0.96])
    out = erase(batch, boxes)
    expected = batch.clone()
    expected[0, :, 4:10, 2:5] = 0
    assert torch.equal(out, expected)


def test_boxes_have_the_asked_frequency_and_size():
    boxes = draw_boxes(20_000, 0.3, torch.Generator().manual_seed(1))
    drawn = boxes[boxes.any(1)]
    width, height = (drawn[:, 2:] - drawn[:, :2]).T
    assert len(drawn) / 20_000 == pytest.approx(0.3, abs=0.01)
    area = width * height
    assert 0.0199 < area.min() < 0.021
    assert 0.19 < area.max() < 0.2001
    assert float((width / height).log().mean()) == pytest.approx(0, abs=0.05)
    assert float((width / height).log().abs().max()) <= math.log(3) + 1e-4
    assert (drawn >= 0).all()
    assert (drawn <= 1.0001).all()


def test_mixup_by_hand():
    rows = torch.tensor([[1.0, 0.0], [0.0, 1.0], [4.0, 2.0]])
    out = mix(rows, torch.tensor([0.75, 0.6, 1.0]))
    torch.testing.assert_close(out, torch.tensor([[1.75, 0.5], [0.0, 1.0], [4.0, 2.0]]))
    pictures = torch.arange(8.0).reshape(2, 1, 2, 2)
    expected = torch.stack([0.75 * pictures[0] + 0.25 * pictures[1], 0.5 * (pictures[0] + pictures[1])])
    torch.testing.assert_close(mix(pictures, torch.tensor([0.75, 0.5])), expected)


def test_mixups_shares_come_from_the_upper_half_of_the_beta_distribution():
    # mean of max(x, 1 - x) for Beta(0.4, 0.4): scipy.integrate.quad of 2x·beta(0.4, 0.4).pdf(x) over 0.5 … 1
    shares = draw_shares(50_000, Recipe(mixup=0.4), 3)
    assert shares.min() >= 0.5
    from scipy import integrate, stats

    expected = 2 * integrate.quad(lambda x: x * stats.beta(0.4, 0.4).pdf(x), 0.5, 1)[0]
    assert float(shares.mean()) == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize(
    ("name", "changed"), [("zoom", 0.1), ("shift", 0.1), ("contrast", 0.2), ("brightness", 0.2), ("erase", 0.5)]
)
def test_one_change_more_leaves_the_other_draws(name, changed):
    streams = partial(derive, 1)
    recipe = Recipe(**{n: STRONG[n] for n in ("shift", "zoom", "brightness", "contrast", "erase")} | {name: 0})
    without, with_it = (
        vars(Augmentation(50, r, streams, torch.device("cpu")))
        for r in (recipe, dataclasses.replace(recipe, **{name: changed}))
    )
    new = {n for n in with_it if without[n] is None and with_it[n] is not None}
    assert len(new) == 1
    assert all(torch.equal(without[n], with_it[n]) for n in with_it if n not in new)


def test_brightness_and_contrast(batch):
    streams = partial(derive, 1)
    plain = {"flip": 0, "rotation": 0}
    rows = torch.arange(6)
    brighter = Augmentation(6, Recipe(**plain, brightness=0.5), streams, torch.device("cpu"))
    offsets = (brighter(batch, rows) - batch).flatten(1)
    assert (offsets.max(1).values - offsets.min(1).values).max() < 1e-6
    assert 0.05 < offsets.abs().max() <= 0.5
    stronger = Augmentation(6, Recipe(**plain, contrast=0.5), streams, torch.device("cpu"))
    factors = (stronger(batch, rows) / batch).flatten(1)
    assert (factors.max(1).values - factors.min(1).values).max() < 1e-5
    assert 0.5 <= factors.min() < factors.max() <= 1.5


def test_the_average_by_hand():
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    average = Average(model, 0.5)
    value, mean = model[0].weight.item(), 0.0
    for step, (weight, running) in enumerate([(1.0, 2.0), (2.0, -1.0), (5.0, 4.0), (7.0, 1.0), (0.5, 0.0)] * 3):
        with torch.no_grad():
            model[0].weight.fill_(weight)
            model[1].running_mean.fill_(running)
            model[1].num_batches_tracked.fill_(step)
        average.follow(torch.tensor(step))
        kept = min(0.5, (1 + step) / (10 + step))
        value, mean = kept * value + (1 - kept) * weight, kept * mean + (1 - kept) * running
    assert average.model[0].weight.item() == pytest.approx(value, rel=1e-6)
    assert average.model[1].running_mean.item() == pytest.approx(mean, rel=1e-6)
    assert average.model[1].num_batches_tracked.item() == 14
    assert not any(w.requires_grad for w in average.model.parameters())


def test_flip_at_test_averages_probabilities(batch):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(200, 3))
    expected = (model(batch).softmax(1) + model(batch.flip(-1)).softmax(1)) / 2
    torch.testing.assert_close(flipped_scores(model, batch).softmax(1), expected)
    torch.testing.assert_close(flipped_scores(model, batch).exp().sum(1), torch.ones(6))


def voted(count, **votes):
    """Return ``count`` equal faces with ten votes."""
    names = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
    return pd.DataFrame({f"votes_{n}": [votes.get(n, 0)] * count for n in names})


def test_soft_labels_of_a_majority_are_shares_of_the_votes():
    faces = pd.concat([voted(1, anger=6, sadness=2, unknown=2), voted(1, fear=10), voted(1, sadness=4, anger=1)])
    faces = faces.reset_index(drop=True).assign(label=["anger", "sadness", "sadness"])
    targets = soft_targets(faces, ("anger", "sadness"), np.array([0, 1]), "m", {"majority": ["anger", "sadness"]}, 1)
    # no vote for a class: the label; no training face: the label
    np.testing.assert_allclose(targets, [[0.75, 0.25], [0, 1], [0, 1]])


def test_soft_labels_of_rules_are_probabilities_of_another_vote():
    faces = pd.concat([voted(300, anger=6, sadness=4), voted(300, anger=4, sadness=6)], ignore_index=True)
    faces["label"] = ["across"] * 300 + ["down"] * 300
    targets = soft_targets(faces, ("across", "down"), np.arange(600), "rules", SCHEME, 1)
    # P(X > 5) / P(X ≠ 5) for X ~ Binomial(10, 6.5 / 11), scipy.stats.binom
    from scipy import stats

    votes = stats.binom(10, 6.5 / 11)
    expected = votes.sf(5) / (1 - votes.pmf(5))
    assert targets[0, 0] == pytest.approx(expected, abs=0.06)
    assert targets[-1, 1] == pytest.approx(expected, abs=0.06)
    assert (targets[:300] == targets[0]).all()
    np.testing.assert_allclose(targets.sum(1), 1, rtol=1e-6)


def test_the_votes_of_other_faces_than_the_training_ones_have_no_say():
    faces = pd.concat([voted(5, anger=6, sadness=4), voted(5, anger=4, sadness=6)], ignore_index=True)
    faces["label"] = ["across"] * 5 + ["down"] * 5
    other = faces.assign(votes_sadness=faces["votes_sadness"].where(faces.index < 8, 10))
    ours, theirs = (soft_targets(f, ("across", "down"), np.arange(8), "r", SCHEME, 1) for f in (faces, other))
    assert (ours == theirs).all()
    assert ours[8:].tolist() == [[0, 1]] * 2


def test_faces_without_votes_have_no_soft_labels():
    assert soft_targets(pd.DataFrame({"label": ["a"]}), ("a",), np.array([0]), "m", {"majority": ["a"]}, 1) is None


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("voted")
    paths = study(folder)
    faces = pd.read_parquet(paths["faces"])
    angry = faces["label"] == "across"
    votes = voted(len(faces)).assign(votes_anger=3 + 5 * angry, votes_sadness=8 - 5 * angry)
    tables.write(pd.concat([faces, votes], axis=1), paths["faces"], "faces")
    return folder, paths


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_strong_recipe_goes_on_after_kills_and_ends_in_the_same_bytes(precision, inputs, tmp_path, monkeypatch):
    _, paths = inputs
    changes = {
        "recipe": STRONG,
        "scheme": {"name": "rules", "scheme": SCHEME},
        "precision": precision,
        "units": [(1, 0, 0)],
    }
    whole = run(paths, tmp_path / "whole", **changes)
    rename = os.replace
    for _ in range(2):
        left = 2

        def replace(source, target):
            nonlocal left
            left -= 1
            if left == 0:
                raise Killed
            rename(source, target)

        with monkeypatch.context() as patch:
            patch.setattr("fergap.files.os.replace", replace)
            with pytest.raises(Killed):
                run(paths, tmp_path / "killed", **changes)
    assert digest(run(paths, tmp_path / "killed", **changes)) == digest(whole)


def test_the_weights_predict_what_the_table_says(inputs, tmp_path):
    folder, paths = inputs
    changes = {"recipe": STRONG, "scheme": {"name": "rules", "scheme": SCHEME}, "units": [(1, 0, 0)]}
    run(paths, tmp_path, **changes)
    trained = load_weights(tmp_path / "weights" / "seed_1_repeat_0_fold_0.safetensors")
    table = tables.read(tmp_path / "predictions.parquet", "predictions")
    shares = trained.probabilities(np.load(folder / "pixels.npy"))
    np.testing.assert_allclose(shares, table[["p_across", "p_down"]], atol=1e-5)


def test_every_ingredient_changes_the_result(inputs, tmp_path):
    _, paths = inputs

    def trained(recipe, name):
        settings = job(recipe=recipe, scheme={"name": "rules", "scheme": SCHEME}, epochs=1, units=[(1, 0, 0)])
        from fergap.training.pack import train_pack

        train_pack(settings, **paths, workers=1, **outputs(tmp_path / name))
        return digest(tmp_path / name)["predictions.parquet"]

    off = dataclasses.asdict(Recipe())
    full = trained(STRONG, "full")
    kept = [key for key in STRONG if key not in ("batch_size", "learning_rate", "weight_decay")]
    assert len({full, *(trained(STRONG | {key: off[key]}, key) for key in kept)}) == len(kept) + 1


def test_the_published_recipe_is_a_plain_loop(inputs, tmp_path):
    """Bit for bit: Adam, cross-entropy, flips and rotations, and nothing else."""
    from fergap.models.registry import build
    from fergap.training.checkpoint import load_tensors
    from fergap.training.device import choose_device, repeatable

    folder, paths = inputs
    run(paths, tmp_path, units=[(1, 0, 0)], epochs=1)
    ours, about = load_tensors(tmp_path / "weights/seed_1_repeat_0_fold_0.safetensors")
    predictions = tables.read(tmp_path / "predictions.parquet", "predictions")
    rows = torch.from_numpy(np.flatnonzero(predictions["role"] == "train"))
    pixels = torch.from_numpy(np.load(folder / "pixels.npy"))[:, None]
    labels = torch.from_numpy((predictions["true"] == "down").to_numpy(np.int64))
    mean, std = torch.tensor(about["mean"])[:, None, None], torch.tensor(about["std"])[:, None, None]
    with repeatable(choose_device("cpu", "fp32")):
        torch.manual_seed(derive(7, "training", 1, 0, 0, "initial"))
        model = build("pyramid", 2, 1, 16).to(memory_format=torch.channels_last).train()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.001, weight_decay=0.0001, fused=True)
        drawn = [torch.Generator().manual_seed(derive(7, "training", 1, 0, 0, n, 1)) for n in ("order", "augmentation")]
        order = rows[torch.randperm(len(rows), generator=drawn[0])]
        flips = torch.rand(len(rows), generator=drawn[1]) < 0.5
        degrees = (torch.rand(len(rows), generator=drawn[1]) * 2 - 1) * 10
        for at in torch.arange(len(rows) // 16 * 16).split(16):
            x = (pixels[order[at]].float() - mean) / std
            x = torch.where(flips[at][:, None, None, None], x.flip(-1), x)
            x = warp(x, degrees[at]).contiguous(memory_format=torch.channels_last)
            optimizer.zero_grad()
            functional.cross_entropy(model(x), labels[order[at]]).backward()
            optimizer.step()
    assert all(torch.equal(ours[name], value) for name, value in model.state_dict().items())


def test_soft_labels_without_votes_are_told_in_one_message(tmp_path, capsys):
    settings = {"scheme": {"name": "rules", "scheme": SCHEME}, "epochs": 1, "units": [(1, 0, 0), (1, 0, 2)]}
    paths = study(tmp_path)
    soft = run(paths, tmp_path / "soft", recipe=job()["recipe"] | {"soft_labels": 1.0}, **settings)
    said = capsys.readouterr().err
    assert said.count("soft_labels have no effect, because these faces have no votes") == 1
    hard = run(paths, tmp_path / "hard", **(settings | {"scheme": None}))
    assert digest(soft) == digest(hard)
