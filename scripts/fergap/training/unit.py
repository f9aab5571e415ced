"""One unit of work: a network trained on one fold, from its checkpoint if there is one, to its predictions."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from fergap.errors import UserError
from fergap.models.registry import build, parameters
from fergap.seeds import derive
from fergap.training.checkpoint import load_checkpoint, save_checkpoint
from fergap.training.data import on_device
from fergap.training.device import Device, repeatable
from fergap.training.loop import evaluate, make_optimizer, scores_of, train_epoch
from fergap.training.plan import Unit, unit_name
from fergap.training.recipe import Recipe
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
    device : Device
    owner : str
        Fingerprint of all of the above.
    checkpoint, weights : pathlib.Path
        Files to go on from, and to write.
    """

    arm: str
    network: str
    unit: Unit
    label: str
    classes: tuple[str, ...]
    recipe: Recipe
    epochs: int
    seed: int
    pixels: Path
    rows: np.ndarray
    labels: np.ndarray
    roles: np.ndarray
    training: np.ndarray
    device: Device
    owner: str
    checkpoint: Path
    weights: Path


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
    seconds : float
        Spent on this unit, also before an interruption.
    """

    unit: Unit
    probabilities: np.ndarray
    history: list[dict]
    chosen: int
    parameters: int
    seconds: float


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


def train_unit(
    task: Task, report: Callable[[int, str], None], say: Callable[[str], None], tick: Callable[[], None]
) -> Outcome:
    """Train one network and predict all faces with it.

    The random streams derive from the study's seed, the unit and the epoch, never from the arm, so that arms differ by
    what they declare alone. After each epoch the state is saved; a later call with the same task goes on from there and
    ends in the same numbers.

    Parameters
    ----------
    report : callable
        Takes a number of finished epochs and a note.
    say : callable
        Takes a line for the log.
    tick : callable
        Called often; may raise or exit to stop.

    Raises
    ------
    UserError
        The loss is not finite any more.
    """
    started = time.perf_counter()
    with repeatable():
        place = task.device.place
        pixels = np.load(task.pixels, mmap_mode="r")[task.rows]
        faces = on_device(pixels, task.labels, np.flatnonzero(task.roles == "train"), place)
        channels, size = faces.pixels.shape[1:3]
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(derive(task.seed, "training", *task.unit, "initial"))
            model = build(task.network, len(task.classes), channels, size)
        model = model.to(place, memory_format=torch.channels_last)
        optimizer = make_optimizer(model, task.recipe)
        history, chosen, spent, best = [], 0, 0.0, {}
        if task.checkpoint.exists():
            try:
                best, progress = load_checkpoint(task.checkpoint, task.owner, model, optimizer)
            except ValueError as error:
                say(f"{task.arm}, {task.label}: starts over, because the checkpoint {error}")
            else:
                history, chosen, spent = (progress[key] for key in ("history", "chosen", "seconds"))
                say(f"{task.arm}, {task.label}: goes on after epoch {len(history)} of {task.epochs}")
                report(len(history), f"{task.label}, epoch {len(history)} of {task.epochs}")
        training, validation = (
            torch.from_numpy(rows).to(place) for rows in (task.training, np.flatnonzero(task.roles == "validation"))
        )
        for epoch in range(len(history) + 1, task.epochs + 1):

            def streams(name: str, epoch: int = epoch) -> int:
                return derive(task.seed, "training", *task.unit, name, epoch)

            rate = optimizer.param_groups[0]["lr"]
            loss, accuracy = train_epoch(model, optimizer, faces, training, task.recipe, task.device, streams, tick)
            held_loss, held_accuracy = evaluate(model, faces, validation, tick)
            if not np.isfinite([loss, held_loss]).all():
                raise UserError(
                    f"the loss is not finite after epoch {epoch}",
                    where=f"arm {task.arm}, {task.label}",
                    fix="lower the recipe's learning_rate, or set training: precision to fp32",
                )
            row = {
                "epoch": epoch,
                "train_loss": loss,
                "train_accuracy": accuracy,
                "validation_loss": held_loss,
                "validation_accuracy": held_accuracy,
                "learning_rate": float(rate),
            }
            if better(row, history[chosen - 1] if chosen else None):
                chosen, best = epoch, {name: t.detach().clone() for name, t in model.state_dict().items()}
            history.append(row)
            seconds = spent + time.perf_counter() - started
            progress = {"history": history, "chosen": chosen, "seconds": seconds}
            save_checkpoint(task.checkpoint, task.owner, model, optimizer, best, progress)
            report(1, f"{task.label}, epoch {epoch} of {task.epochs}")
        model.load_state_dict(best)
        scores = scores_of(model, faces, torch.arange(len(task.rows), device=place), tick)
        probabilities = scores.double().softmax(1).cpu().numpy()
        seed, repeat, fold = task.unit
        about = {
            "arm": task.arm,
            "network": task.network,
            "classes": list(task.classes),
            "channels": channels,
            "size": size,
            "mean": faces.mean.tolist(),
            "std": faces.std.tolist(),
            "seed": seed,
            "repeat": repeat,
            "fold": fold,
            "epoch": chosen,
        }
        save_weights(task.weights / f"{unit_name(task.unit)}.safetensors", best, about)
    seconds = spent + time.perf_counter() - started
    return Outcome(task.unit, probabilities, history, chosen, parameters(model), seconds)
