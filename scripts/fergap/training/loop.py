"""One network in training: its steps, its epochs, its evaluation."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from fergap.training.augment import Augmentation, mix
from fergap.training.average import Average
from fergap.training.data import Faces
from fergap.training.device import Device
from fergap.training.objective import Batch, Objective, RowLoss
from fergap.training.recipe import Recipe, rate, reduced

CHUNK = 512


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Return the recipe's optimizer over a module's weights that learn, one fused step for all; its state is empty.

    Frozen weights are not decayed either. The learning rate is a tensor, which a captured step reads anew each time.
    """
    weights = learning = [weight for weight in model.parameters() if weight.requires_grad]
    if not recipe.decay_all:
        # norms and biases are what a layer has one of per channel
        weights = [
            {"params": [w for w in weights if w.ndim > 1]},
            {"params": [w for w in weights if w.ndim <= 1], "weight_decay": 0.0},
        ]
    place = learning[0].device
    # the CPU's fused step computes with a rate in double precision, the GPU's takes float32 alone
    lr = torch.zeros((), device=place, dtype=torch.float64 if place.type == "cpu" else torch.float32)
    settings = {"lr": lr, "weight_decay": recipe.weight_decay, "fused": True}
    if recipe.optimizer == "sgd":
        optimizer = torch.optim.SGD(weights, momentum=recipe.momentum, nesterov=recipe.momentum > 0, **settings)
    else:
        kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
        optimizer = kinds[recipe.optimizer](weights, **settings)
    # a step of length 0 makes the state, which a captured step must find in its place
    for weight in learning:
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    for state in optimizer.state.values():
        for value in state.values():
            if value is not None:
                value.zero_()
    return optimizer


def steps_of(rows: int, recipe: Recipe) -> tuple[int, int]:
    """Return the rows of each step and the number of steps of an epoch over ``rows`` training rows."""
    batch = min(recipe.batch_size, rows)
    return batch, rows // batch


def draw_shares(rows: int, recipe: Recipe, seed: int) -> torch.Tensor:
    """Return mixup's shares, (rows,) float32, at least a half, so that each row is mostly itself.

    The larger of a draw from Beta(α, α) and its rest, which pairs the same shares as the draw itself.
    """
    share = np.random.default_rng(seed).beta(recipe.mixup, recipe.mixup, rows)
    return torch.from_numpy(np.maximum(share, 1 - share).astype(np.float32))


def targets_of(faces: Faces, chosen: torch.Tensor, recipe: Recipe) -> torch.Tensor:
    """Return what the rows are to be taken for before mixup and smoothing.

    Returns
    -------
    torch.Tensor
        (m,) int64, the labels, or (m, classes) float32 where the recipe has soft labels or mixup.
    """
    labels = faces.labels[chosen]
    if not recipe.mixup and faces.targets is None:
        return labels
    hard = functional.one_hot(labels, faces.classes).float()
    return hard if faces.targets is None else torch.lerp(hard, faces.targets[chosen], recipe.soft_labels)


class Training:
    """One network in training.

    A step reads nothing but memory of the device, always at the same addresses: what changes from epoch to epoch is
    drawn on the CPU before it and copied there. So a CUDA graph can repeat the step, and every device draws the same.

    Parameters
    ----------
    model : torch.nn.Module
        On the device.
    faces : Faces
    rows : torch.Tensor
        (m,) int64 positions in ``faces``, on the device; an oversampled face stands there several times.
    recipe : Recipe
    device : Device
    epochs : int
        Passes over ``rows`` that there will be; the schedule runs over all.
    objective : Objective, optional
        On the device; without one, the mean cross-entropy.

    Attributes
    ----------
    batch, steps : int
        Rows per step, and steps per epoch. What is left over at the end of an epoch's order waits for the next.
    random : bool
        Whether the network itself draws random numbers (dropout).
    """

    def __init__(
        self,
        model: nn.Module,
        faces: Faces,
        rows: torch.Tensor,
        recipe: Recipe,
        device: Device,
        epochs: int,
        objective: Objective | None = None,
    ):
        self.model, self.faces, self.rows, self.recipe = model, faces, rows, recipe
        self.device, self.epochs = device, epochs
        self.objective = objective or Objective(RowLoss(recipe.label_smoothing))
        self.batch, self.steps = steps_of(len(rows), recipe)
        self.optimizer = make_optimizer(nn.ModuleList([model, self.objective]), recipe)
        self.average = Average(model, recipe.average) if recipe.average else None
        place = rows.device
        self.drawn: dict[str, torch.Tensor] = {}
        self.augmentation: Augmentation | None = None
        self.position, self.done = (torch.zeros((), dtype=torch.int64, device=place) for _ in range(2))
        self.places = torch.arange(self.batch, device=place)
        self.loss_sum = torch.zeros((), device=place)
        self.correct = torch.zeros((), dtype=torch.int64, device=place)
        self.generator_state = torch.empty(0)
        parts = [*model.modules(), *self.objective.modules()]
        self.random = any(isinstance(part, nn.modules.dropout._DropoutNd) for part in parts)

    @property
    def evaluated(self) -> nn.Module:
        """The network that is evaluated, kept and used for predictions."""
        return self.model if self.average is None else self.average.model

    def begin(self, epoch: int, streams: Callable[[str], int], losses: Sequence[float] = ()) -> bool:
        """Prepare an epoch, counted from 1; ``streams`` gives the seed of a random stream by name.

        ``losses`` are the validation losses after the epochs before it, which the schedule ``plateau`` follows.

        Returns
        -------
        bool
            Whether the epoch's steps are others than those before it, so that a captured step does not stand for them.
        """
        self.model.train()
        self.objective.train()
        rows = len(self.rows)
        order = torch.randperm(rows, generator=torch.Generator().manual_seed(streams("order")))
        first = (epoch - 1) * self.steps
        left = reduced(self.recipe, losses)
        rates = [left * rate(self.recipe, first + i, self.epochs * self.steps) for i in range(self.steps)]
        drawn = {"order": self.rows[order.to(self.rows.device)], "rates": torch.tensor(rates, dtype=torch.float64)}
        if self.recipe.mixup:
            drawn["shares"] = draw_shares(rows, self.recipe, streams("mixup"))
        fresh = Augmentation(rows, self.recipe, streams, self.rows.device)
        self.augmentation = self.augmentation or fresh
        for name, values in vars(fresh).items():
            if values is not None:
                getattr(self.augmentation, name).copy_(values)
        for name, values in drawn.items():
            self.drawn.setdefault(name, values.to(self.rows.device)).copy_(values)
        for counter in (self.position, self.loss_sum, self.correct):
            counter.zero_()
        self.done.fill_(first)
        self.generator_state = torch.Generator(self.device.place).manual_seed(streams("network")).get_state()
        self.faces.follow(self.drawn["order"], self.batch)
        return self.objective.begin(epoch, self.epochs)

    @contextmanager
    def randomness(self) -> Iterator[None]:
        """Let layers that draw random numbers (dropout) go on with this network's own stream."""
        if not self.random:
            yield
            return
        of = torch.cuda if self.device.kind == "cuda" else torch
        before = of.get_rng_state()
        of.set_rng_state(self.generator_state)
        yield
        self.generator_state = of.get_rng_state()
        of.set_rng_state(before)

    def step(self) -> None:
        """Take one step; nothing here waits for the device or depends on values that it holds."""
        at = self.position * self.batch + self.places
        chosen = self.drawn["order"][at]
        pictures = self.augmentation(self.faces.batch(chosen), at)
        shares = self.drawn["shares"][at] if self.recipe.mixup else None
        if shares is not None:
            pictures = mix(pictures, shares)
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        for group in self.optimizer.param_groups:
            group["lr"].copy_(self.drawn["rates"][self.position])
        targets = targets_of(self.faces, chosen, self.recipe)
        if shares is not None:
            targets = mix(targets, shares)
        labels, weights = self.faces.labels[chosen], self.faces.weights
        groups = {name: codes[chosen] for name, codes in self.faces.groups.items()}
        batch = Batch(pictures, targets, labels, groups, None if weights is None else weights[chosen])
        scores, loss = self.objective(self.model, batch, self.device)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.recipe.clip:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip, foreach=True)
        self.optimizer.step()
        if self.average is not None:
            self.average.follow(self.done)
        self.loss_sum += loss.detach()
        self.correct += (scores.detach().argmax(1) == labels).sum()
        self.position += 1
        self.done += 1

    def result(self) -> tuple[float, float]:
        """Return the epoch's mean loss and accuracy over the augmented rows as they were trained on.

        A mixed row counts as right if it is taken for the class of its larger part.
        """
        return float(self.loss_sum) / self.steps, int(self.correct) / (self.steps * self.batch)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return every tensor that training changes, by name; restoring them restores the training."""
        found = {f"model/{name}": value for name, value in self.model.state_dict().items()}
        found |= {f"objective/{name}": value for name, value in self.objective.state_dict().items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            found |= {f"optimizer/{index}/{key}": value for key, value in state.items() if value is not None}
        if self.average is not None:
            found |= {f"average/{name}": value for name, value in self.average.model.state_dict().items()}
        return found

    @torch.no_grad()
    def load(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Restore what :meth:`tensors` returned, into the same memory.

        Raises
        ------
        ValueError
            A tensor is missing or has another shape; nothing is changed then.
        """
        own = self.tensors()
        if {n: t.shape for n, t in own.items()} != {n: tensors[n].shape for n in own if n in tensors}:
            raise ValueError("holds the state of another network or optimizer")
        for name, value in own.items():
            value.copy_(tensors[name])


def train_epoch(training: Training, epoch: int, streams: Callable[[str], int], tick: Callable[[], None]) -> None:
    """Take one pass over the training rows in random order; ``tick`` is called before each step."""
    training.begin(epoch, streams)
    for _ in range(training.steps):
        tick()
        training.faces.fetch()
        with training.randomness():
            training.step()


@torch.no_grad()
def scores_of(
    model: nn.Module, faces: Faces, rows: torch.Tensor, tick: Callable[[], None], test_flip: bool = False
) -> torch.Tensor:
    """Return the scores (logits) of the faces at ``rows``, without augmentation and in float32: (m, classes).

    With ``test_flip`` they are the logarithms of the mean probabilities of each picture and its mirror image.
    """
    model.eval()
    parts = []
    for chosen in rows.split(CHUNK):
        tick()
        pictures = faces.pictures(chosen).contiguous(memory_format=torch.channels_last)
        parts.append(flipped_scores(model, pictures) if test_flip else model(pictures).float())
    return torch.cat(parts)


def flipped_scores(model: nn.Module, pictures: torch.Tensor) -> torch.Tensor:
    """Return the logarithm of the mean of the probabilities of each picture and its mirror image, (n, classes)."""
    both = torch.stack([model(p).float().log_softmax(1) for p in (pictures, pictures.flip(-1))])
    return both.logsumexp(0) - math.log(2)


@torch.no_grad()
def evaluate(
    model: nn.Module, faces: Faces, rows: torch.Tensor, tick: Callable[[], None], test_flip: bool = False
) -> torch.Tensor:
    """Return mean cross-entropy and accuracy on the faces at ``rows``, by their labels: (2,) float64 on the device."""
    scores, labels = scores_of(model, faces, rows, tick, test_flip), faces.labels[rows]
    right = (scores.argmax(1) == labels).double().mean()
    return torch.stack([functional.cross_entropy(scores, labels).double(), right])
