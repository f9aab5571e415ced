"""Training speed on one GPU: one fold and ten packed, eager and captured, against a plain PyTorch loop.

The plain loop is that of training.py, on the GPU: a Dataset of PIL pictures, a DataLoader, float32, one fold after the
other. Then the time of ten folds × 100 epochs on 13,000 faces: run whole where three epochs of it show that it fits
into the time, with the evaluation and the checkpoint of every epoch, else extrapolated from those and labelled so.

    python benchmarks/gpu.py [--network b16_n8_k5] [--faces 13000] [--minutes 9] [--out benchmarks/gpu.json]
"""

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

from training import CLASSES, drawn, plain_epoch

from fergap.errors import UserError
from fergap.training import unit
from fergap.training.data import Store
from fergap.training.device import Device, choose_device, repeatable
from fergap.training.recipe import Recipe
from fergap.training.together import lanes, train_together
from fergap.training.unit import Run, Task, Voice

FOLDS, EPOCHS = 10, 100
PLAIN_FACES = 2048  # the plain loop's speed does not depend on their number
SILENT = Voice(report=lambda count, note: None, say=lambda line: None, tick=lambda: None)


def make_tasks(folder: Path, device: Device, network: str, faces: int, folds: int, epochs: int) -> list[Task]:
    """Return the tasks of ``folds`` folds: a tenth tests, a tenth of the rest is the validation part."""
    pixels, labels = drawn(faces)
    np.save(folder / "pixels.npy", pixels)
    tasks = []
    for fold in range(folds):
        place = np.random.default_rng(fold).permutation(faces)
        roles = np.full(faces, "train", object)
        roles[place[: faces // 10]] = "test"
        roles[place[faces // 10 : faces // 10 + (faces - faces // 10) // 10]] = "validation"
        tasks.append(
            Task(
                arm="benchmark",
                network=network,
                unit=(1, 0, fold),
                label=f"fold {fold + 1} of {folds}",
                classes=tuple("abcd"[:CLASSES]),
                recipe=Recipe(),
                epochs=epochs,
                seed=1,
                streams=("benchmark", fold),
                published=False,
                pixels=folder / "pixels.npy",
                rows=np.arange(faces),
                labels=labels,
                roles=roles,
                training=np.flatnonzero(roles == "train"),
                device=device,
                owner="benchmark",
                checkpoint=folder / f"{fold}.safetensors",
                weights=folder / "weights",
            )
        )
    return tasks


def speed(tasks: list[Task], capture: bool, repeats: int = 3) -> dict[str, float | list[float]]:
    """Return the faces per second of all tasks together, without evaluation: median of epochs after a first one."""
    device = tasks[0].device
    captured = unit.captured
    if not capture:
        unit.captured = lambda training: training.step
    try:
        with repeatable(device):
            store = Store(tasks[0].pixels, tasks[0].rows, device.place, device.room())
            pairs = []
            for task, lane in zip(tasks, lanes(tasks), strict=True):
                with lane:
                    pairs.append((Run(task, store, SILENT, len(tasks)), lane))
            seconds = []
            for _ in range(repeats + 1):
                started = time.perf_counter()
                for run, lane in pairs:
                    with lane:
                        run.begin()
                for _ in range(pairs[0][0].training.steps):
                    for run, lane in pairs:
                        with lane:
                            run.advance()
                if device.kind == "cuda":
                    torch.cuda.synchronize()
                seconds.append(time.perf_counter() - started)
            faces = sum(run.training.steps * run.training.batch for run, _ in pairs)
    finally:
        unit.captured = captured
    return {"faces_per_second": faces / statistics.median(seconds[1:]), "seconds_per_epoch": seconds[1:]}


def whole(folder: Path, device: Device, network: str, faces: int, seconds: float) -> dict:
    """Return the time of ten folds × 100 epochs, measured if it fits into ``seconds``, else extrapolated."""

    def take(epochs: int) -> float:
        tasks = make_tasks(folder, device, network, faces, FOLDS, epochs)
        for task in tasks:
            task.checkpoint.unlink(missing_ok=True)
        started = time.perf_counter()
        train_together(tasks, SILENT)
        return time.perf_counter() - started

    one, three = take(1), take(3)
    per_epoch = (three - one) / 2
    expected = one + (EPOCHS - 1) * per_epoch
    found = {"folds": FOLDS, "epochs": EPOCHS, "faces": faces, "seconds_per_epoch_of_all_folds": per_epoch}
    if expected < seconds:
        return found | {"seconds": take(EPOCHS), "how": "run whole"}
    return found | {"seconds": expected, "how": "extrapolated from 1 and 3 epochs of all folds"}


def main() -> None:
    """Measure, print and write."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--network", default="b16_n8_k5")
    options.add_argument("--faces", type=int, default=13_000)
    options.add_argument("--minutes", type=float, default=9.0)
    options.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    asked = options.parse_args()
    started = time.perf_counter()
    try:
        device = choose_device("cuda", "auto")
    except UserError as error:
        sys.exit(f"error: {error.problem}; nothing is measured, and nothing is written")
    plain = [PLAIN_FACES / plain_epoch(asked.network, *drawn(PLAIN_FACES), "cuda") for _ in range(3)]
    results = {"plain loop, one fold": {"faces_per_second": statistics.median(plain), "all": plain}}
    print(f"plain loop, one fold: {statistics.median(plain):.0f} faces/s", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for folds in (1, FOLDS):
            for capture in (False, True):
                tasks = make_tasks(folder, device, asked.network, asked.faces, folds, EPOCHS)
                what = f"{'captured' if capture else 'eager'}, {folds} fold{'s' * (folds > 1)}"
                results[what] = speed(tasks, capture)
                ratio = results[what]["faces_per_second"] / statistics.median(plain)
                print(f"{what}: {results[what]['faces_per_second']:.0f} faces/s, {ratio:.1f} times the plain loop")
        left = 60 * asked.minutes - (time.perf_counter() - started)
        study = whole(folder, device, asked.network, asked.faces, left - 30)
    print(f"{FOLDS} folds × {EPOCHS} epochs on {asked.faces} faces: {study['seconds']:.0f} s ({study['how']})")
    found = {
        "date": datetime.now(UTC).date().isoformat(),
        "command": "python benchmarks/gpu.py",
        "device": device.name,
        "precision": device.precision,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "python": platform.python_version(),
        "network": asked.network,
        "peak_memory_bytes": device.peak_memory(),
        "results": results,
        "ten_folds": study,
        "seconds_of_this_benchmark": time.perf_counter() - started,
    }
    asked.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
