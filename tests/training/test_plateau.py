"""The learning rate that follows the validation loss: as PyTorch's own, in packed folds, and after a kill."""

import math
import os

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fergap import tables
from fergap.training.recipe import Recipe, rate, reduced

from .examples import RECIPE, study
from .test_pack import digest, run

PLATEAU = RECIPE | {"learning_rate": 0.05, "schedule": "plateau", "factor": 0.5, "patience": 0}


def torchs(losses, start, factor, patience):
    """Return the learning rate after each loss, by torch.optim.lr_scheduler.ReduceLROnPlateau as it is by default."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=start)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=factor, patience=patience)
    found = []
    for loss in losses:
        scheduler.step(loss)
        found.append(optimizer.param_groups[0]["lr"])
    return found


def ours(losses, start, factor, patience):
    recipe = Recipe(learning_rate=start, schedule="plateau", factor=factor, patience=patience)
    return [start * reduced(recipe, losses[: i + 1]) for i in range(len(losses))]


@settings(max_examples=50, deadline=None)
@given(
    losses=st.lists(st.sampled_from([0.5, 0.7, 0.9, 1.0, 0.99995, 0.9998, 1e-9, 3.0]), max_size=30),
    start=st.sampled_from([1e-5, 1e-3, 0.1]),
    factor=st.sampled_from([0.1, 0.5, 0.9]),
    patience=st.integers(0, 4),
)
@example(losses=[1.0, 0.9, 0.95, 0.95, 0.95, 0.95, 0.95, 0.2, 0.3], start=1e-3, factor=0.1, patience=3)
@example(losses=[1.0] * 30, start=1e-5, factor=0.1, patience=0)
def test_rates_are_those_of_pytorch(losses, start, factor, patience):
    assert ours(losses, start, factor, patience) == pytest.approx(torchs(losses, start, factor, patience), rel=1e-12)


def test_a_given_sequence_by_hand():
    # lowest 0.9; four epochs without a lower loss are one more than a patience of 3, then the count begins anew
    losses = [1.0, 0.9, 0.95, 0.95, 0.95, 0.95, 0.95, 0.95, 0.95, 0.95]
    assert ours(losses, 1.0, 0.1, 3) == pytest.approx([1.0] * 5 + [0.1] * 4 + [0.01])


def test_before_any_reduction_it_is_constant_and_others_are_never_reduced():
    recipe = Recipe(schedule="plateau", warmup=0.5)
    assert [rate(recipe, i, 4) for i in range(4)] == [rate(Recipe(warmup=0.5), i, 4) for i in range(4)]
    assert reduced(Recipe(), [math.pi] * 100) == 1


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return study(tmp_path_factory.mktemp("plateau"), count=60)


def test_packed_folds_follow_each_its_own_loss_and_go_on_after_a_kill(inputs, tmp_path, monkeypatch):
    changes = {"recipe": PLATEAU, "epochs": 6}
    whole = run(inputs, tmp_path / "whole", **changes)
    history = tables.read(whole / "history.csv", "history")
    rates = []
    for _, own in history.groupby("fold"):
        expected = [0.05, *torchs(own["validation_loss"].tolist(), 0.05, 0.5, 0)[:-1]]
        assert own["learning_rate"].tolist() == pytest.approx(expected, rel=1e-9)
        rates.append(expected)
    assert len(rates) == 2
    assert any(len(set(found)) > 1 for found in rates)
    rename, left = os.replace, 4

    class Killed(BaseException):
        """Stands for a kill: nothing catches it."""

    def replace(source, target):
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("fergap.files.os.replace", replace)
        with pytest.raises(Killed):
            run(inputs, tmp_path / "killed", **changes)
    assert digest(run(inputs, tmp_path / "killed", **changes)) == digest(whole)
    constant = run(inputs, tmp_path / "constant", **(changes | {"recipe": PLATEAU | {"schedule": "constant"}}))
    assert digest(constant)["predictions.parquet"] != digest(whole)["predictions.parquet"]
