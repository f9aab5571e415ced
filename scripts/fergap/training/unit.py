"""One unit of work: a network trained on one fold, from its checkpoint if there is one, to its predictions."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn

from fergap.errors import UserError
from fergap.models.registry import build, flops, parameters
from fergap.seeds import derive
from fergap.training import (  # noqa: F401 - register options
    adversary,
    alignment,
    losses,
    penalties,
    robust_average,
    weighting,
)
from fergap.training.capture import captured
from fergap.training.checkpoint import load_checkpoint, save_checkpoint
from fergap.training.data import Store, faces_of
from fergap.training.device import Device
from fergap.training.groups import Groups
from fergap.training.loop import Training, evaluate, scores_of
from fergap.training.objective import Context, Objective, make_objective
from fergap.training.plan import Unit, unit_name
from fergap.training.recipe import Recipe, rate, reduced
from fergap.training.weights import save_weights


@dataclass(frozen=True)
class Task:
    """Everything that one unit needs, so that any process can do it.

    Attributes
    ----------
    arm, network : str
    unit : tuple
        (seed, repeat, fold).
    label : str
        What progress calls it, such as ``fold 3 of 10``.
    classes : tuple of str
        In the order of the scores.
    recipe : Recipe
    epochs : int
    seed : int
        The study's seed.
    streams : tuple
        Names under which the unit's random streams derive from ``seed``.
    published : bool
        Whether the accuracy on the test faces is recorded after each epoch; nothing is chosen by it.
    pixels : pathlib.Path
        ``pixels.npy``, uint8, read by memory map.
    rows : numpy.ndarray
        (n,) int64, each face's row in ``pixels``.
    labels : numpy.ndarray
        (n,) int64.
    roles : numpy.ndarray
        (n,) of ``train``, ``validation``, ``test``.
    training : numpy.ndarray
        (m,) int64 positions 0 … n - 1 to train on, after the interventions.
    targets : numpy.ndarray or None
        (n, classes) float32, the taggers' distributions, where the recipe has soft labels and the faces have votes.
    options : mapping
        The arm's entry in the config, for the objective (see :func:`fergap.training.objective.make_objective`).
    groups : mapping of str to Groups
        By attribute or combination that the options name.
    row_weights : numpy.ndarray or None
        (n,) float32, how much each face counts in training, with mean 1 over ``training``.
    device : Device
    owner : str
        Fingerprint of all of the above.
    checkpoint, weights : pathlib.Path
        Files to go on from, and to write.
    start : mapping
        ``weights`` and ``tuned`` of the arm, where it states them; see :func:`fergap.models.registry.build`.
    """

    arm: str
    network: str
    unit: Unit
    label: str
    classes: tuple[str, ...]
    recipe: Recipe
    epochs: int
    seed: int
    streams: tuple[str | int, ...]
    published: bool
    pixels: Path
    rows: np.ndarray
    labels: np.ndarray
    roles: np.ndarray
    training: np.ndarray
    device: Device
    owner: str
    checkpoint: Path
    weights: Path
    targets: np.ndarray | None = None
    options: Mapping = field(default_factory=dict)
    groups: Mapping[str, Groups] = field(default_factory=dict)
    row_weights: np.ndarray | None = None
    start: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What a unit gives back.

    Attributes
    ----------
    unit : tuple
    probabilities : numpy.ndarray
        (n, classes) float64, each row sums to 1.
    history : list of dict
        One per epoch.
    chosen : int
        The epoch whose weights made the predictions, counted from 1.
    parameters : int
        Trainable weights.
    flops : int
        Floating-point operations that one face takes on its way through the network.
    seconds : float
        Spent on this unit, also before an interruption; of networks trained together, each one's equal part.
    memory : int
        Bytes: the most that the process took so far, on the GPU where there is one.
    """

    unit: Unit
    probabilities: np.ndarray
    history: list[dict]
    chosen: int
    parameters: int
    flops: int
    seconds: float
    memory: int


@dataclass(frozen=True)
class Voice:
    """How a unit speaks to whoever waits for it.

    Attributes
    ----------
    report : callable
        Takes a number of finished epochs and a note.
    say : callable
        Takes a line for the log.
    tick : callable
        Called before each step; may raise or exit to stop.
    """

    report: Callable[[int, str], None]
    say: Callable[[str], None]
    tick: Callable[[], None]


def better(candidate: dict, best: dict | None) -> bool:
    """Tell whether an epoch's history row beats the best before it.

    Higher validation accuracy wins, the quantity that the published study chose by; among equals, which are common in
    a small validation part, the lower validation loss; then the earlier epoch.
    """
    if best is None:
        return True
    return (candidate["validation_accuracy"], -candidate["validation_loss"]) > (
        best["validation_accuracy"],
        -best["validation_loss"],
    )


class Run:
    """A unit under way.

    An epoch is :meth:`begin`, then :meth:`advance` for each of ``training.steps``, :meth:`measure` and :meth:`end`.
    The random streams derive from the study's seed and the task's own names and the epoch, not from what the arm does,
    so that arms differ by what they declare alone. After each epoch the state is saved; a later run of the same task
    goes on from there and ends in the same numbers.

    Parameters
    ----------
    task : Task
    store : Store
        The pictures of ``task.pixels``.
    voice : Voice
    together : int
        Runs that share the device with this one, itself included.
    """

    def __init__(self, task: Task, store: Store, voice: Voice, together: int = 1):
        self.task, self.voice, self.together = task, voice, together
        self.started = time.perf_counter()
        codes = {name: groups.codes for name, groups in task.groups.items()}
        present = np.flatnonzero(task.roles == "train")
        self.faces = faces_of(store, task.labels, present, task.targets, codes, task.row_weights)
        place, (channels, size) = task.device.place, store.shape[:2]
        with self._initial("initial"):
            model = build(task.network, len(task.classes), channels, size, **task.start)
        model = model.to(place, memory_format=torch.channels_last)
        with self._initial("objective"):
            objective = self._objective(model, channels, size).to(place)
        part = {name: np.flatnonzero(task.roles == name) for name in ("validation", "test")} | {"train": task.training}
        self.rows = {name: torch.from_numpy(rows).to(place) for name, rows in part.items()}
        self.training = Training(
            model, self.faces, self.rows["train"], task.recipe, task.device, task.epochs, objective
        )
        self.take_step: Callable[[], None] | None = None
        self.measured: dict[str, torch.Tensor] = {}
        self.history: list[dict] = []
        self.chosen, self.spent, self.best = 0, 0.0, {}
        if task.checkpoint.exists():
            self._go_on()

    @contextmanager
    def _initial(self, name: str) -> Iterator[None]:
        """Let what is made within take its initial weights from a stream of this task's own."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(derive(self.task.seed, *self.task.streams, name))
            yield

    def _objective(self, model: nn.Module, channels: int, size: int) -> Objective:
        task = self.task
        names = {name: groups.names for name, groups in task.groups.items()}
        shares = {name: groups.shares(task.training) for name, groups in task.groups.items()}
        counts = {name: groups.counts(task.training) for name, groups in task.groups.items()}
        context = Context(len(task.classes), names, shares, task.recipe, model, channels, size, counts)
        return make_objective(task.options, context)

    def _go_on(self) -> None:
        task = self.task
        try:
            tensors, self.best, progress = load_checkpoint(task.checkpoint, task.owner)
            self.training.load(tensors)
        except ValueError as error:
            self.best = {}
            self.voice.say(f"{task.arm}, {task.label}: starts over, because the checkpoint {error}")
        else:
            self.history, self.chosen, self.spent = (progress[key] for key in ("history", "chosen", "seconds"))
            self.voice.say(f"{task.arm}, {task.label}: goes on after epoch {len(self.history)} of {task.epochs}")
            self.voice.report(len(self.history), f"{task.label}, epoch {len(self.history)} of {task.epochs}")

    @property
    def finished(self) -> bool:
        return len(self.history) >= self.task.epochs

    def _stream(self, name: str) -> int:
        return derive(self.task.seed, *self.task.streams, name, len(self.history) + 1)

    @property
    def _losses(self) -> list[float]:
        return [row["validation_loss"] for row in self.history]

    def begin(self) -> None:
        """Prepare the next epoch."""
        others = self.training.begin(len(self.history) + 1, self._stream, self._losses)
        if self.take_step is None or others:
            self.take_step = self.training.step
            # all replays would share one random stream, so a network with dropout takes its steps one by one
            if self.task.device.kind == "cuda" and not self.training.random:
                self.take_step = captured(self.training)
                self.training.begin(len(self.history) + 1, self._stream, self._losses)

    def advance(self) -> None:
        """Take one step of the epoch."""
        self.voice.tick()
        self.faces.fetch()
        with self.training.randomness():
            self.take_step()

    def measure(self) -> None:
        """Evaluate the network after the epoch's last step; the numbers may still be on their way."""
        for part in ("validation", *["test"] * self.task.published):
            self.measured[part] = evaluate(
                self.training.evaluated, self.faces, self.rows[part], self.voice.tick, self.task.recipe.test_flip
            )

    def end(self) -> None:
        """Record the epoch, keep its weights if they are the best so far, and save the state.

        Raises
        ------
        UserError
            The loss is not finite any more.
        """
        task, epoch = self.task, len(self.history) + 1
        loss, accuracy = self.training.result()
        held_loss, held_accuracy = self.measured["validation"].tolist()
        if not np.isfinite([loss, held_loss]).all():
            raise UserError(
                f"the loss is not finite after epoch {epoch}",
                where=f"arm {task.arm}, {task.label}",
                fix="lower the recipe's learning_rate, or set training: precision to fp32",
            )
        seconds = (time.perf_counter() - self.started) / self.together
        self.started, self.spent = time.perf_counter(), self.spent + seconds
        first = rate(task.recipe, (epoch - 1) * self.training.steps, task.epochs * self.training.steps)
        row = {
            "epoch": epoch,
            "train_loss": loss,
            "train_accuracy": accuracy,
            "validation_loss": held_loss,
            "validation_accuracy": held_accuracy,
            "learning_rate": first * reduced(task.recipe, self._losses),
            "seconds": seconds,
        }
        if task.published:
            row["test_accuracy"] = self.measured["test"].tolist()[1]
        best = self.history[self.chosen - 1] if self.chosen else None
        if self.training.objective.predicts and better(row, best):
            kept = self.training.evaluated.state_dict()
            self.chosen, self.best = epoch, {name: t.detach().clone() for name, t in kept.items()}
        self.history.append(row)
        progress = {"history": self.history, "chosen": self.chosen, "seconds": self.spent}
        save_checkpoint(task.checkpoint, task.owner, self.training.tensors(), self.best, progress)
        speed = self.training.steps * self.training.batch / seconds
        self.voice.report(1, f"{task.label}, epoch {epoch} of {task.epochs}, {speed:.0f} faces/s")

    def outcome(self) -> Outcome:
        """Predict every face by the weights of the best epoch, save these, and return all."""
        task, model = self.task, self.training.evaluated
        model.load_state_dict(self.best)
        every = torch.arange(len(task.rows), device=task.device.place)
        scores = scores_of(model, self.faces, every, self.voice.tick, task.recipe.test_flip)
        channels, size = self.faces.store.shape[:2]
        about = {
            "arm": task.arm,
            "network": task.network,
            "classes": list(task.classes),
            "channels": channels,
            "size": size,
            "mean": self.faces.mean.tolist(),
            "std": self.faces.std.tolist(),
            "test_flip": task.recipe.test_flip,
            "epoch": self.chosen,
        } | dict(zip(("seed", "repeat", "fold"), task.unit, strict=True))
        about |= {"start": dict(task.start)} if task.start else {}
        save_weights(task.weights / f"{unit_name(task.unit)}.safetensors", self.best, about)
        return Outcome(
            task.unit,
            scores.double().softmax(1).cpu().numpy(),
            self.history,
            self.chosen,
            parameters(self.training.model),
            flops(model, channels, size),
            self.spent + (time.perf_counter() - self.started) / self.together,
            task.device.peak_memory(),
        )
