"""Training speed on one CPU core: this project's epoch against a plain PyTorch loop with the same network and batches.

The plain loop is what a first course teaches: a Dataset of PIL pictures with a random flip and rotation each, a
DataLoader, float32, Adam. Both run one after the other, three times over; the medians are compared. The memory is the
most that a process took that has all 35,887 faces of FER2013's size, trains on them and evaluates.

    python benchmarks/training.py [--faces 1024] [--networks pyramid b16_n8_k5] [--out benchmarks/training.json]
"""

import argparse
import json
import multiprocessing
import platform
import random
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

from fergap.models.registry import build
from fergap.seeds import derive
from fergap.training.data import Store, faces_of
from fergap.training.device import choose_device
from fergap.training.loop import Training, evaluate, train_epoch
from fergap.training.recipe import Recipe

CLASSES = 4
FER2013 = 35_887  # faces


class Pictures(Dataset):
    """Grey pictures, each flipped and turned by PIL when it is asked for."""

    def __init__(self, pixels: np.ndarray, labels: np.ndarray):
        self.pictures, self.labels = [Image.fromarray(p) for p in pixels], labels

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        picture = self.pictures[i]
        if random.random() < 0.5:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        picture = picture.rotate(random.uniform(-10, 10))
        return torch.from_numpy(np.array(picture, np.float32)[None] / 255), int(self.labels[i])


def drawn(faces: int) -> tuple[np.ndarray, np.ndarray]:
    """Return random pixels (faces, 48, 48) uint8 and labels (faces,) int64."""
    generator = np.random.default_rng(1)
    labels = generator.integers(CLASSES, size=faces)
    return generator.integers(0, 256, (faces, 48, 48), dtype=np.uint8), labels


def plain_epoch(network: str, pixels: np.ndarray, labels: np.ndarray, place: str = "cpu") -> float:
    """Return the seconds of one epoch of the plain loop on the device ``place``."""
    loader = DataLoader(Pictures(pixels, labels), batch_size=64, shuffle=True, drop_last=True)
    model = build(network, CLASSES).to(place)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-4)
    loss_function = nn.CrossEntropyLoss()
    started = time.perf_counter()
    model.train()
    for pictures, answers in loader:
        optimizer.zero_grad()
        loss = loss_function(model(pictures.to(place)), answers.to(place))
        loss.backward()
        optimizer.step()
    if place == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def our_training(network: str, pixels: np.ndarray, labels: np.ndarray, folder: Path) -> Training:
    """Return a network of :mod:`fergap.training` with its faces, ready to train."""
    device, rows = choose_device("cpu", "auto"), np.arange(len(labels))
    np.save(folder / "pixels.npy", pixels)
    faces = faces_of(Store(folder / "pixels.npy", rows, device.place, device.room()), labels, rows)
    model = build(network, CLASSES).to(memory_format=torch.channels_last)
    return Training(model, faces, torch.from_numpy(rows), Recipe(), device, 1)


def our_epoch(network: str, pixels: np.ndarray, labels: np.ndarray) -> float:
    """Return the seconds of one epoch of :mod:`fergap.training`."""
    with tempfile.TemporaryDirectory() as folder:
        training = our_training(network, pixels, labels, Path(folder))
        started = time.perf_counter()
        train_epoch(training, 1, partial(derive, 1), lambda: None)
        return time.perf_counter() - started


def peak_memory(network: str) -> int:
    """Return the bytes that a process takes at most that holds FER2013's 35,887 faces, takes 20 steps and evaluates."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        training = our_training(network, *drawn(FER2013), Path(folder))
        training.begin(1, partial(derive, 1))
        for _ in range(20):
            training.step()
        evaluate(training.evaluated, training.faces, torch.arange(2048), lambda: None)
    return training.device.peak_memory()


def main() -> None:
    """Measure, print and write."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--faces", type=int, default=1024)
    options.add_argument("--networks", nargs="+", default=["pyramid", "b16_n8_k5"])
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    asked = options.parse_args()
    torch.set_num_threads(1)
    pixels, labels = drawn(asked.faces)
    device = choose_device("cpu", "auto")
    rows = []
    for network in asked.networks:
        plain, ours = [], []
        for _ in range(asked.repeats):
            plain.append(plain_epoch(network, pixels, labels))
            ours.append(our_epoch(network, pixels, labels))
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            memory = pool.apply(peak_memory, (network,))
        slow, fast = statistics.median(plain), statistics.median(ours)
        rows.append(
            {
                "network": network,
                "plain_faces_per_second": asked.faces / slow,
                "fergap_faces_per_second": asked.faces / fast,
                "ratio": slow / fast,
                "peak_memory_bytes": memory,
                "plain_seconds": plain,
                "fergap_seconds": ours,
            }
        )
        print(
            f"{network}: plain loop {asked.faces / slow:.0f} faces/s, "
            f"fergap {asked.faces / fast:.0f} faces/s ({device.precision}): {slow / fast:.1f} times as fast; "
            f"{memory / 2**20:.0f} MiB with FER2013"
        )
    found = {
        "date": datetime.now(UTC).date().isoformat(),
        "command": "make bench",
        "processor": device.name,
        "threads": 1,
        "precision": device.precision,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "faces": asked.faces,
        "repeats": asked.repeats,
        "results": rows,
    }
    asked.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
