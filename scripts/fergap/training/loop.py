"""One network, trained epoch by epoch."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from fergap.training.augment import Augmentation
from fergap.training.data import Faces
from fergap.training.device import Device
from fergap.training.recipe import Recipe

CHUNK = 512


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Return the recipe's optimizer over all weights, one fused step for all."""
    settings = {"lr": recipe.learning_rate, "weight_decay": recipe.weight_decay, "fused": True}
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(model.parameters(), momentum=0.9, nesterov=True, **settings)
    kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    return kinds[recipe.optimizer](model.parameters(), **settings)


def train_epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    faces: Faces,
    rows: torch.Tensor,
    recipe: Recipe,
    device: Device,
    streams: Callable[[str], int],
    tick: Callable[[], None],
) -> tuple[float, float]:
    """Take one pass over the training rows in random order.

    Every step has the same number of rows; what is left over at the end of the order waits for the next epoch.

    Parameters
    ----------
    rows : torch.Tensor
        (m,) int64 positions in ``faces``, on the device; an oversampled face stands there several times.
    streams : callable
        Gives the seed of a random stream by name.
    tick : callable
        Called before each step.

    Returns
    -------
    loss, accuracy : float
        Means over the augmented rows as they were trained on, so over a changing network.
    """
    model.train()
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(streams("order"))).to(rows.device)
    draw = torch.Generator().manual_seed(streams("augmentation"))
    augmentation = Augmentation(len(rows), recipe.flip, recipe.rotation, draw, rows.device)
    batch = min(recipe.batch_size, len(rows))
    steps = len(rows) // batch
    loss_sum = torch.zeros((), device=rows.device)
    correct = torch.zeros((), dtype=torch.int64, device=rows.device)
    with torch.random.fork_rng(devices=[rows.device] if device.kind == "cuda" else [], device_type="cuda"):
        torch.manual_seed(streams("network"))
        for start in range(0, steps * batch, batch):
            tick()
            chosen = rows[order[start : start + batch]]
            pictures = augmentation(faces.pictures(chosen), start).contiguous(memory_format=torch.channels_last)
            labels = faces.labels[chosen]
            with device.autocast():
                scores = model(pictures)
            loss = functional.cross_entropy(scores.float(), labels)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            loss_sum += loss.detach()
            correct += (scores.detach().argmax(1) == labels).sum()
    return float(loss_sum) / steps, int(correct) / (steps * batch)


@torch.no_grad()
def scores_of(model: nn.Module, faces: Faces, rows: torch.Tensor, tick: Callable[[], None]) -> torch.Tensor:
    """Return the scores (logits) of the faces at ``rows``, without augmentation and in float32: (m, classes)."""
    model.eval()
    parts = []
    for chosen in rows.split(CHUNK):
        tick()
        parts.append(model(faces.pictures(chosen).contiguous(memory_format=torch.channels_last)).float())
    return torch.cat(parts)


def evaluate(model: nn.Module, faces: Faces, rows: torch.Tensor, tick: Callable[[], None]) -> tuple[float, float]:
    """Return mean cross-entropy and accuracy on the faces at ``rows``."""
    scores, labels = scores_of(model, faces, rows, tick), faces.labels[rows]
    loss = functional.cross_entropy(scores, labels)
    return float(loss), int((scores.argmax(1) == labels).sum()) / len(rows)
