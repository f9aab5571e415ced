"""Several networks in one process: packed as alone, from memory or from the file, with little memory, killed twice."""

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fergap import tables
from fergap.errors import UserError
from fergap.models.registry import NETWORKS
from fergap.training import together
from fergap.training.data import Store, faces_of, moments
from fergap.training.device import Device, choose_device
from fergap.training.loop import Training, train_epoch
from fergap.training.pack import make_tasks, train_pack
from fergap.training.recipe import Recipe
from fergap.training.together import train_together
from fergap.training.unit import Run, Voice

from .examples import job, outputs
from .test_pack import digest, run

UNITS = [(1, 0, 0), (1, 0, 1), (1, 0, 2)]


class Heard:
    def __init__(self):
        self.lines, self.epochs = [], 0
        self.voice = Voice(report=self.count, say=self.lines.append, tick=lambda: None)

    def count(self, epochs, note):
        self.epochs += epochs


def tasks_of(paths, folder, **changes):
    asked = job(**({"units": UNITS, "epochs": 2} | changes))
    read = [tables.read(paths[name], name) for name in ("faces", "people", "folds")]
    device = choose_device(asked["device"], asked["precision"])
    return make_tasks(asked, *read, paths["pixels"], device, folder / "checkpoints", folder / "weights")[0]


def without_seconds(outcome):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in outcome.history]


@pytest.fixture(scope="module")
def alone(inputs, tmp_path_factory):
    tasks = tasks_of(inputs[1], tmp_path_factory.mktemp("alone"))
    return [train_together([task], Heard().voice)[0] for task in tasks]


def test_packed_folds_equal_the_same_folds_trained_alone(inputs, alone, tmp_path):
    packs = [train_together(tasks_of(inputs[1], tmp_path / name), Heard().voice) for name in ("one", "two")]
    for single, packed, again in zip(alone, *packs, strict=True):
        for name in ("train_loss", "validation_loss"):
            np.testing.assert_allclose(
                [row[name] for row in packed.history], [row[name] for row in single.history], atol=1e-5, rtol=0
            )
        np.testing.assert_allclose(packed.probabilities, single.probabilities, atol=1e-5)
        assert without_seconds(packed) == without_seconds(again)
        assert packed.probabilities.tobytes() == again.probabilities.tobytes()
        assert packed.unit == single.unit


def test_arms_of_different_length_are_packed_together(inputs, alone, tmp_path):
    more = {"name": "more", "network": "pyramid", "oversample": {"age": "child", "to": "parity"}}
    longer = tasks_of(inputs[1], tmp_path / "more", arm=more, units=UNITS[:1], epochs=3)
    shorter = tasks_of(inputs[1], tmp_path / "base", units=UNITS[1:])
    outcomes = train_together([*longer, *shorter], Heard().voice)
    assert [len(o.history) for o in outcomes] == [3, 2, 2]
    assert [without_seconds(o) for o in outcomes[1:]] == [without_seconds(o) for o in alone[1:]]


def full():
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def full_while_capturing():
    try:
        full()
    finally:
        raise RuntimeError("operation failed due to a previous error during capture")


@pytest.mark.parametrize(("fits", "fail"), [(1, full), (2, full_while_capturing)])
def test_too_little_memory_halves_the_pack_and_says_so(fits, fail, inputs, alone, tmp_path, monkeypatch):
    under_way = []

    class Greedy(Run):
        def begin(self):
            # counts the runs of one attempt; a new attempt begins with its first run's first epoch
            under_way.append(self.task.unit)
            if len(set(under_way)) > fits:
                under_way.clear()
                fail()
            super().begin()

        def outcome(self):
            under_way.clear()
            return super().outcome()

    monkeypatch.setattr(together, "Run", Greedy)
    heard = Heard()
    outcomes = train_together(tasks_of(inputs[1], tmp_path), heard.voice)
    assert [o.unit for o in outcomes] == UNITS
    assert [without_seconds(o) for o in outcomes] == [without_seconds(o) for o in alone]
    said = [line for line in heard.lines if "memory does not suffice" in line]
    assert said[0] == "memory does not suffice for 3 networks together: half of them at a time"
    assert len(said) == {1: 2, 2: 1}[fits]
    assert heard.epochs == 6


def test_a_single_network_that_does_not_fit_is_told(inputs, tmp_path, monkeypatch):
    monkeypatch.setattr(Run, "begin", lambda self: full())
    with pytest.raises(UserError, match=r"network pyramid needs more memory .*\n.*batch_size"):
        train_together(tasks_of(inputs[1], tmp_path), Heard().voice)


def test_another_error_is_no_lack_of_memory(inputs, tmp_path, monkeypatch):
    def broken(self):
        raise RuntimeError("a bug")

    monkeypatch.setattr(Run, "begin", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        train_together(tasks_of(inputs[1], tmp_path), Heard().voice)


def test_networks_with_dropout_keep_their_own_random_stream_in_a_pack(inputs, tmp_path, monkeypatch):
    def dropping(classes, channels, size):
        return torch.nn.Sequential(
            torch.nn.AdaptiveAvgPool2d(4),
            torch.nn.Flatten(),
            torch.nn.Dropout(0.5),
            torch.nn.Linear(16 * channels, classes),
        )

    monkeypatch.setitem(NETWORKS, "dropping", dropping)
    arm = {"name": "baseline", "network": "dropping"}
    packed = train_together(tasks_of(inputs[1], tmp_path / "packed", arm=arm), Heard().voice)
    for task, ours in zip(tasks_of(inputs[1], tmp_path / "alone", arm=arm), packed, strict=True):
        torch.rand(7)
        assert without_seconds(train_together([task], Heard().voice)[0]) == without_seconds(ours)


def test_pictures_that_do_not_fit_are_read_from_the_file_with_the_same_numbers(inputs, alone, tmp_path, monkeypatch):
    monkeypatch.setattr(Device, "room", lambda self: 1000)
    heard = Heard()
    outcomes = train_together(tasks_of(inputs[1], tmp_path), heard.voice)
    assert heard.lines == ["120 pictures of (1, 16, 16) stay in their file and are read batch by batch"]
    for ours, theirs in zip(outcomes, alone, strict=True):
        assert without_seconds(ours) == without_seconds(theirs)
        assert ours.probabilities.tobytes() == theirs.probabilities.tobytes()


@pytest.mark.parametrize("room", [0, 10**9])
def test_large_colour_pictures_take_the_same_path(room, tmp_path):
    draw = np.random.default_rng(0)
    np.save(tmp_path / "pixels.npy", draw.integers(0, 256, (40, 3, 224, 224), dtype=np.uint8))
    rows = draw.permutation(40)[:24]
    store = Store(tmp_path / "pixels.npy", rows, torch.device("cpu"), room)
    assert (store.resident is None) == (room == 0)
    faces = faces_of(store, draw.integers(0, 2, 24), np.arange(20))
    everything = np.load(tmp_path / "pixels.npy")[rows[:20]].astype(float)
    np.testing.assert_allclose(faces.mean, everything.mean((0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(faces.std, everything.std((0, 2, 3)), rtol=1e-5)
    # a channel mean per class is all that this network sees, and all that it needs
    model = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, 2))
    torch.nn.init.zeros_(model[2].weight)
    torch.nn.init.zeros_(model[2].bias)
    device = Device("cpu", "fp32", "made up")
    recipe = Recipe(batch_size=8, flip=0.5, rotation=0)
    training = Training(model, faces, torch.arange(20), recipe, device, 1)
    train_epoch(training, 1, lambda name: 5, lambda: None)
    loss, _ = training.result()
    assert loss == pytest.approx(np.log(2), abs=0.05)
    assert model[2].weight.abs().sum() > 0
    expected = torch.from_numpy(np.load(tmp_path / "pixels.npy")[rows[[3, 1]]]).float()
    shown = faces.pictures(torch.tensor([3, 1])) * faces.std[:, None, None] + faces.mean[:, None, None]
    torch.testing.assert_close(shown, expected, atol=1e-3, rtol=0)


def test_moments_in_pieces_are_the_moments_of_all():
    pixels = np.random.default_rng(1).integers(0, 256, (50, 3, 8, 8), dtype=np.uint8)
    whole, pieces = moments([pixels]), moments([pixels[:7], pixels[7:]])
    assert whole == pieces
    np.testing.assert_allclose(whole[0], pixels.mean((0, 2, 3)))
    assert moments([np.full((2, 1, 4, 4), 9, np.uint8)]) == ([9.0], [1.0])


def test_restoring_the_tensors_restores_the_training(inputs, tmp_path):
    """What the capture of a CUDA graph relies on: the steps that warm it up leave no trace."""
    recipe = job()["recipe"] | {"optimizer": "sgd", "average": 0.9, "mixup": 0.2, "erase": 0.5}
    task = tasks_of(inputs[1], tmp_path, recipe=recipe)[0]
    store = Store(task.pixels, task.rows, task.device.place, 10**9)
    first, second = (Run(replace(task, checkpoint=tmp_path / name), store, Heard().voice) for name in "ab")
    second.begin()
    before = {name: tensor.clone() for name, tensor in second.training.tensors().items()}
    for _ in range(3):
        second.training.position.zero_()
        second.training.step()
    assert any(not torch.equal(before[name], tensor) for name, tensor in second.training.tensors().items())
    second.training.load(before)
    for run_ in (first, second):
        run_.begin()
        for _ in range(run_.training.steps):
            run_.advance()
    for name, tensor in first.training.tensors().items():
        assert torch.equal(tensor, second.training.tensors()[name]), name


def test_the_published_protocol_is_recorded_only_when_asked_and_chooses_nothing(inputs, tmp_path):
    asked, plain = (run(inputs[1], tmp_path / name, published=p) for name, p in (("asked", True), ("plain", False)))
    history, runs = (tables.read(asked / f"{n}.csv", n) for n in ("history", "runs"))
    best = history.groupby("fold")["test_accuracy"].max()
    assert runs.set_index("fold")["published_protocol_accuracy"].to_dict() == best.to_dict()
    without = tables.read(plain / "history.csv", "history")
    assert "test_accuracy" not in without
    assert "published_protocol_accuracy" not in tables.read(plain / "runs.csv", "runs")
    assert (plain / "predictions.parquet").read_bytes() == (asked / "predictions.parquet").read_bytes()
    predictions = tables.read(asked / "predictions.parquet", "predictions").query("role == 'test' and fold == 0")
    chosen = history.query("fold == 0 and chosen == 1")["test_accuracy"].item()
    assert chosen == pytest.approx((predictions["true"] == predictions["predicted"]).mean())


def test_a_placebo_has_other_random_numbers_and_the_same_parts(inputs, tmp_path):
    one = tasks_of(inputs[1], tmp_path / "one")[0]
    placebo = tasks_of(inputs[1], tmp_path / "two", stream="placebo p", arm={"name": "p", "network": "pyramid"})[0]
    assert (one.roles == placebo.roles).all()
    assert (one.training == placebo.training).all()
    store = Store(one.pixels, one.rows, one.device.place, 10**9)
    ours, theirs = (Run(task, store, Heard().voice).training for task in (one, placebo))
    assert not torch.equal(ours.tensors()["model/0.weight"], theirs.tensors()["model/0.weight"])


def test_a_placebo_of_a_composition_learns_from_the_same_faces(inputs, tmp_path):
    shares = {"shares": {"age": {"adult": 0.75, "child": 0.25}}, "study": [], "size": 20}
    arm = {"name": "p", "network": "pyramid", "composition": shares}
    one = tasks_of(inputs[1], tmp_path / "one", arm=arm | {"loss": {"focal": {"gamma": 2}}})
    placebo = tasks_of(inputs[1], tmp_path / "two", stream="placebo p", arm=arm)
    assert [len(task.training) for task in one] == [20] * 3
    for task, other in zip(one, placebo, strict=True):
        assert (task.training == other.training).all()
        assert task.streams != other.streams


def test_one_split_tests_its_test_part_alone(inputs, tmp_path):
    folds = job()["folds"] | {"split": [0.6, 0.2, 0.2]}
    done = run(inputs[1], tmp_path, folds=folds, units=[(1, 0, 0), (2, 0, 0)], epochs=1)
    predictions = tables.read(done / "predictions.parquet", "predictions")
    sizes = predictions.groupby(["seed", "role"]).size().unstack()
    assert (sizes.loc[1] == sizes.loc[2]).all()
    assert sizes.loc[1, "test"] == pytest.approx(24, abs=6)
    sets = tables.read(inputs[1]["faces"], "faces").set_index("image_id")["duplicate_set"]
    one = predictions.query("seed == 1")
    assert (one.groupby(one["image_id"].map(sets))["role"].nunique() == 1).all()


# the kill-th save ends the process: in the middle of the file's bytes, or in the middle of the epoch after it
KILLED = """
import os, signal, sys
sys.path[:0] = [{scripts!r}, {root!r}]
from pathlib import Path
from fergap.training.loop import Training
from fergap.training.pack import train_pack
from tests.training.examples import job, outputs
left, write, step = {kill}, Path.write_bytes, Training.step
def write_bytes(path, data):
    global left
    left -= 1
    if left == 0 and {during!r} == "writing":
        write(path, data[:len(data) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    return write(path, data)
def one(self):
    step(self)
    if left == 0 and {during!r} == "stepping" and int(self.position) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
Path.write_bytes, Training.step = write_bytes, one
folder, inputs = Path({folder!r}), Path({inputs!r})
paths = {{n: inputs / f"{{n}}.parquet" for n in ("faces", "people", "folds")}} | {{"pixels": inputs / "pixels.npy"}}
train_pack(job(), **paths, workers=1, **outputs(folder))
"""


def test_two_kills_at_any_point_change_nothing(inputs, tmp_path, capsys):
    expected = digest(run(inputs[1], tmp_path / "whole"))
    root = Path(__file__).parents[2]
    folder = tmp_path / "killed"
    # first in the middle of writing epoch 2 of the first network, then two steps into its epoch 3
    for kill, during in ((2, "writing"), (1, "stepping")):
        code = KILLED.format(
            scripts=str(root / "scripts"),
            root=str(root),
            kill=kill,
            during=during,
            folder=str(folder),
            inputs=str(inputs[0]),
        )
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        if during == "writing":
            assert [p.name for p in folder.glob("checkpoints/.seed_1*")] != []
    capsys.readouterr()
    assert digest(run(inputs[1], folder)) == expected
    assert "fold 1 of 3: goes on after epoch 2 of 3" in capsys.readouterr().err


def test_the_runs_say_device_memory_and_what_a_face_costs(inputs, tmp_path):
    train_pack(job(epochs=1), **inputs[1], workers=1, **outputs(tmp_path))
    runs = tables.read(tmp_path / "runs.csv", "runs")
    assert (runs["memory"] > 50e6).all()
    assert runs["flops"].nunique() == 1
    assert (tables.read(tmp_path / "history.csv", "history")["seconds"] > 0).all()
