"""Training speed on one CPU core: this project's epoch against a plain PyTorch loop with the same network and batches.

The plain loop is what a first course teaches: a Dataset of PIL pictures with a random flip and rotation each, a
DataLoader, float32, Adam. Both run one after the other, three times over; the medians are compared.

    python benchmarks/training.py [--faces 1024] [--networks pyramid b16_n8_k5] [--out benchmarks/training.json]
"""

import argparse
import json
import platform
import random
import statistics
import sys
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
from fergap.training.data import on_device
from fergap.training.device import choose_device
from fergap.training.loop import make_optimizer, train_epoch
from fergap.training.recipe import Recipe

CLASSES = 4


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


def plain_epoch(network: str, pixels: np.ndarray, labels: np.ndarray) -> float:
    """Return the seconds of one epoch of the plain loop."""
    loader = DataLoader(Pictures(pixels, labels), batch_size=64, shuffle=True, drop_last=True)
    model = build(network, CLASSES)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-4)
    loss_function = nn.CrossEntropyLoss()
    started = time.perf_counter()
    model.train()
    for pictures, answers in loader:
        optimizer.zero_grad()
        loss = loss_function(model(pictures), answers)
        loss.backward()
        optimizer.step()
    return time.perf_counter() - started


def our_epoch(network: str, pixels: np.ndarray, labels: np.ndarray) -> float:
    """Return the seconds of one epoch of :mod:`fergap.training`."""
    device, recipe, rows = choose_device("cpu", "auto"), Recipe(), np.arange(len(labels))
    model = build(network, CLASSES).to(memory_format=torch.channels_last)
    faces = on_device(pixels, labels, rows, device.place)
    optimizer = make_optimizer(model, recipe)
    streams = partial(derive, 1)
    started = time.perf_counter()
    train_epoch(model, optimizer, faces, torch.from_numpy(rows), recipe, device, streams, lambda: None)
    return time.perf_counter() - started


def main() -> None:
    """Measure, print and write."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--faces", type=int, default=1024)
    options.add_argument("--networks", nargs="+", default=["pyramid", "b16_n8_k5"])
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    asked = options.parse_args()
    torch.set_num_threads(1)
    generator = np.random.default_rng(1)
    labels = generator.integers(CLASSES, size=asked.faces)
    pixels = generator.integers(0, 256, (asked.faces, 48, 48), dtype=np.uint8)
    device = choose_device("cpu", "auto")
    rows = []
    for network in asked.networks:
        plain, ours = [], []
        for _ in range(asked.repeats):
            plain.append(plain_epoch(network, pixels, labels))
            ours.append(our_epoch(network, pixels, labels))
        slow, fast = statistics.median(plain), statistics.median(ours)
        rows.append(
            {
                "network": network,
                "plain_faces_per_second": asked.faces / slow,
                "fergap_faces_per_second": asked.faces / fast,
                "ratio": slow / fast,
                "plain_seconds": plain,
                "fergap_seconds": ours,
            }
        )
        print(
            f"{network}: plain loop {asked.faces / slow:.0f} faces/s, "
            f"fergap {asked.faces / fast:.0f} faces/s ({device.precision}): {slow / fast:.1f} times as fast"
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
