"""What an arm's options do to a training job: nothing at strength 0, and the same bytes however it is interrupted."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from fergap.training.data import Store
from fergap.training.objective import Batch
from fergap.training.together import train_together
from fergap.training.unit import Run

from .examples import job
from .test_pack import digest, run
from .test_together import Heard, tasks_of, without_seconds

DRO = {"by": "age*class", "strength": 1, "step": 0.1, "adjustment": 1}
ADVERSARY = {"by": ["age", "class"], "layer": None, "strength": 1, "hidden": 8, "ramp": True}
PENALTY = {"demographic_parity": {"by": "age", "strength": 5}, "equalized_odds": {"by": "age", "strength": 5}}
REVERSED = {"symmetric_cross_entropy": {"alpha": 1, "beta": 1, "clip": -4}}
EVERYTHING = {"loss": REVERSED, "penalty": PENALTY, "group_dro": DRO, "adversary": ADVERSARY}
OPTIONS = {
    "focal": {"loss": {"focal": {"gamma": 2}}},
    "symmetric": {"loss": REVERSED},
    "parity": {"penalty": {"demographic_parity": PENALTY["demographic_parity"]}},
    "odds": {"penalty": {"equalized_odds": PENALTY["equalized_odds"]}},
    "dro": {"group_dro": DRO},
    "adversary": {"adversary": ADVERSARY},
}
NEUTRAL = {
    "focal": {"loss": {"focal": {"gamma": 0}}},
    "symmetric": {"loss": {"symmetric_cross_entropy": {"alpha": 1, "beta": 0, "clip": -4}}},
    "penalty": {"penalty": {name: settings | {"strength": 0} for name, settings in PENALTY.items()}},
    "dro": {"group_dro": DRO | {"strength": 0}},
    "adversary": {"adversary": ADVERSARY | {"strength": 0}},
}
SHORT = {"units": [(1, 0, 0)], "epochs": 2}
# trains in a process that ends itself at the kill-th rename, which is in the middle of an epoch's checkpoint
KILLED = """
import os, signal, sys
sys.path[:0] = [{scripts!r}, {root!r}]
from pathlib import Path
import fergap.files
from fergap.training.pack import train_pack
from tests.training.examples import job, outputs
from tests.training.test_objective import EVERYTHING, arm
left, rename = 2, os.replace
def replace(source, target):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    rename(source, target)
fergap.files.os.replace = replace
folder, inputs = Path({folder!r}), Path({inputs!r})
paths = {{n: inputs / f"{{n}}.parquet" for n in ("faces", "people", "folds")}} | {{"pixels": inputs / "pixels.npy"}}
train_pack(job(arm=arm(EVERYTHING)), **paths, workers=1, **outputs(folder))
"""


def arm(options):
    return {"name": "baseline", "network": "pyramid"} | options


@pytest.fixture(scope="module")
def baseline(inputs):
    return digest(run(inputs[1], inputs[0] / "baseline", **SHORT))


@pytest.fixture(scope="module")
def whole(inputs):
    return digest(run(inputs[1], inputs[0] / "whole", arm=arm(EVERYTHING)))


@pytest.mark.parametrize("options", NEUTRAL.values(), ids=NEUTRAL)
def test_the_neutral_setting_is_the_baseline_to_the_last_byte(options, inputs, baseline, tmp_path):
    assert digest(run(inputs[1], tmp_path, arm=arm(options), **SHORT)) == baseline


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_every_option_changes_the_training_from_the_same_start(options, inputs, baseline, tmp_path):
    assert digest(run(inputs[1], tmp_path / "arm", arm=arm(options), **SHORT)) != baseline
    tasks = [tasks_of(inputs[1], tmp_path / n, arm=arm(o))[0] for n, o in (("a", {}), ("b", options))]
    store = Store(tasks[0].pixels, tasks[0].rows, tasks[0].device.place, 10**9)
    plain, changed = (Run(task, store, Heard().voice).training for task in tasks)
    for name, tensor in plain.model.state_dict().items():
        assert (tensor == changed.model.state_dict()[name]).all(), name


def test_a_killed_run_goes_on_with_its_groups_weights_and_its_adversary(inputs, whole, tmp_path, capsys):
    root = Path(__file__).parents[2]
    code = KILLED.format(
        scripts=str(root / "scripts"), root=str(root), folder=str(tmp_path / "killed"), inputs=str(inputs[0])
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert digest(run(inputs[1], tmp_path / "killed", arm=arm(EVERYTHING))) == whole
    assert "goes on after epoch 1 of 3" in capsys.readouterr().err


def test_packed_folds_equal_the_same_folds_alone(inputs, tmp_path):
    packed = train_together(tasks_of(inputs[1], tmp_path / "packed", arm=arm(EVERYTHING)), Heard().voice)
    for task, ours in zip(tasks_of(inputs[1], tmp_path / "alone", arm=arm(EVERYTHING)), packed, strict=True):
        theirs = train_together([task], Heard().voice)[0]
        assert without_seconds(ours) == without_seconds(theirs)
        assert ours.probabilities.tobytes() == theirs.probabilities.tobytes()


class NoWaiting(TorchDispatchMode):
    """Refuses what would make the CPU wait for the device, which a CUDA graph cannot hold."""

    REFUSED = ("_local_scalar_dense", "nonzero", "masked_select", "equal", "_unique2", "unique_dim")

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert func.overloadpacket.__name__ not in self.REFUSED, func
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("soft", [False, True], ids=["labels", "soft labels"])
def test_a_step_never_asks_what_the_device_holds(options, soft, inputs, tmp_path):
    task = tasks_of(inputs[1], tmp_path, arm=arm(options))[0]
    run_ = Run(task, Store(task.pixels, task.rows, task.device.place, 10**9), Heard().voice)
    training, faces = run_.training, run_.faces
    training.begin(1, lambda name: 3)
    chosen = run_.rows["train"][:16]
    groups = {name: codes[chosen] for name, codes in faces.groups.items()}
    labels = faces.labels[chosen]
    targets = torch.rand(16, 2, generator=torch.Generator().manual_seed(1)).softmax(1) if soft else labels
    batch = Batch(faces.batch(chosen), targets, labels, groups)
    with NoWaiting():
        scores, loss = training.objective(training.model, batch, task.device)
        loss.backward()
    assert scores.shape == (16, 2)
    assert torch.isfinite(loss)
    with pytest.raises(AssertionError, match="_local_scalar_dense"), NoWaiting():
        loss.item()


def test_restoring_the_tensors_restores_the_objective(inputs, tmp_path):
    """What the capture of a CUDA graph relies on: the steps that warm it up leave no trace."""
    task = tasks_of(inputs[1], tmp_path, arm=arm(EVERYTHING))[0]
    training = Run(task, Store(task.pixels, task.rows, task.device.place, 10**9), Heard().voice).training
    training.begin(1, lambda name: 3)
    before = {name: tensor.clone() for name, tensor in training.tensors().items()}
    places = {name: tensor.data_ptr() for name, tensor in training.objective.state_dict().items()}
    for _ in range(2):
        training.step()
    changed = {name for name, tensor in training.tensors().items() if not (tensor == before[name]).all()}
    assert {"objective/average.logs", "objective/penalties.2.heads.0.0.weight"} <= changed
    training.load(before)
    assert all((tensor == before[name]).all() for name, tensor in training.tensors().items())
    assert places == {name: tensor.data_ptr() for name, tensor in training.objective.state_dict().items()}


@pytest.mark.parametrize(
    "recipe",
    [{"mixup": 0.4, "average": 0.9}, {"label_smoothing": 0.1, "clip": 1.0, "decay_all": False, "optimizer": "sgd"}],
    ids=["mixup and average", "smoothing and clip"],
)
def test_every_option_works_with_every_ingredient(recipe, inputs, tmp_path):
    changes = SHORT | {"arm": arm(EVERYTHING), "recipe": job()["recipe"] | recipe, "precision": "bf16"}
    done = [run(inputs[1], tmp_path / name, **changes) for name in "ab"]
    assert digest(done[0]) == digest(done[1])
    assert np.isfinite(pd.read_csv(done[0] / "history.csv")["train_loss"]).all()
