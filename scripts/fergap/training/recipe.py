"""How a network is trained, as the config tells it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from fergap.errors import UserError, near, shown

CHOICES = {
    "optimizer": ["adam", "adamw", "sgd"],
    "schedule": ["constant", "cosine", "one_cycle", "plateau"],
}
RISE = 0.3  # share of the steps in which one_cycle climbs, where the recipe names no warmup
START = 1 / 25  # of the learning rate, where a rise begins
BETTER = 1e-4  # share by which a validation loss must undercut the lowest before it, to count as lower
LEAST = 1e-8  # a smaller step down is not taken


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. The defaults are the published study's recipe; 0 or false leaves an ingredient out.

    Attributes
    ----------
    optimizer : {"adam", "adamw", "sgd"}
        ``sgd`` has Nesterov's momentum.
    learning_rate, weight_decay : float
        The rate is the highest that the schedule reaches. At least 0; the decay is Adam's own L2 penalty except in
        ``adamw``, where it is decoupled (Loshchilov & Hutter 2019).
    momentum : float
        Of ``sgd``, 0 … 1; the others do not read it.
    decay_all : bool
        Decay every weight, or only those of convolutions and fully connected layers, without norms and biases.
    schedule : {"constant", "cosine", "one_cycle", "plateau"}
        See :func:`rate`, and for ``plateau`` :func:`reduced`.
    factor : float
        What ``plateau`` multiplies the rate by, 0 … 1; the others do not read it.
    patience : int
        Epochs without a lower validation loss that ``plateau`` lets pass, at least 0; the others do not read it.
    warmup : float
        Share of the steps in which the rate rises, 0 … 1.
    clip : float
        Largest Euclidean norm of a step's gradient; longer ones are shortened to it.
    batch_size : int
        Rows per step.
    flip : float
        Probability of a horizontal flip, 0 … 1.
    rotation : float
        Degrees; the angle is uniform in ± rotation.
    shift : float
        Share of the picture's side, 0 … 1; the shift, in each direction, is uniform in ± shift and rounded to whole
        pixels.
    zoom : float
        0 … 1; the scale is uniform in 1 ± zoom.
    brightness, contrast : float
        In standard deviations of the training part; the offset is uniform in ± brightness, the factor in 1 ± contrast.
    erase : float
        Probability that a rectangle of 2 … 20 % of the picture is blotted out, 0 … 1.
    mixup : float
        α of the Beta distribution from which shares are drawn (Zhang et al. 2018).
    soft_labels : float
        Share of the taggers' own distribution over the classes in the target, 0 … 1; the rest is the label.
    label_smoothing : float
        Share of the uniform distribution in the target, 0 … 1 (Szegedy et al. 2016).
    average : float
        Decay per step of an exponential moving average of the weights and the norms' statistics, which is what
        predicts, 0 … 1.
    test_flip : bool
        Predict by the mean of the probabilities of the picture and its mirror image.
    """

    optimizer: str = "adam"
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    momentum: float = 0.9
    decay_all: bool = True
    schedule: str = "constant"
    factor: float = 0.1
    patience: int = 3
    warmup: float = 0.0
    clip: float = 0.0
    batch_size: int = 64
    flip: float = 0.5
    rotation: float = 10.0
    shift: float = 0.0
    zoom: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    erase: float = 0.0
    mixup: float = 0.0
    soft_labels: float = 0.0
    label_smoothing: float = 0.0
    average: float = 0.0
    test_flip: bool = False


def rate(recipe: Recipe, step: int, steps: int) -> float:
    """Return the learning rate of one step, of ``plateau`` before any reduction.

    ``constant`` and ``plateau`` are the recipe's rate, ``cosine`` falls from it to 0 along half a cosine, and all rise
    linearly before, where there is a ``warmup``. ``one_cycle`` rises from 1/25 of it along half a cosine for the
    share ``warmup`` of the steps (0.3 where that is 0) and falls to 0 along another (Smith & Topin 2019).

    Parameters
    ----------
    step, steps : int
        0 … steps - 1, counted over all epochs.
    """
    if recipe.schedule == "one_cycle":
        top = (recipe.warmup or RISE) * steps
        if step < top:
            rise = (1 - math.cos(math.pi * step / top)) / 2
            return recipe.learning_rate * (START + (1 - START) * rise)
    else:
        top = recipe.warmup * steps
        if step < top:
            return recipe.learning_rate * (step + 1) / math.ceil(top)
        if recipe.schedule in ("constant", "plateau"):
            return recipe.learning_rate
    return recipe.learning_rate * (1 + math.cos(math.pi * (step - top) / (steps - top))) / 2


def reduced(recipe: Recipe, losses: Sequence[float]) -> float:
    """Return the share of the learning rate that is left to the next epoch.

    1, except for ``plateau``: after more than ``patience`` epochs in a row without a lower loss the rate is multiplied
    by ``factor``, and the count begins anew. A loss is lower if it undercuts the lowest before it by a share of 1e-4,
    and a rate is not reduced by less than 1e-8: PyTorch's ``ReduceLROnPlateau`` as it is by default. (Keras' callback
    of that name, which the study in section 8.1 of Olate, "Facial Emotion Recognition with Bias Mitigation", used with
    a patience of 3, reduces one epoch earlier: its patience of 3 is 2 here.)

    Parameters
    ----------
    losses : sequence of float
        The validation loss after each epoch so far.
    """
    rate = recipe.learning_rate
    if recipe.schedule != "plateau":
        return 1.0
    lowest, waited = math.inf, 0
    for loss in losses:
        if loss < lowest * (1 - BETTER):
            lowest, waited = loss, 0
        else:
            waited += 1
        if waited > recipe.patience:
            waited = 0
            rate = rate * recipe.factor if rate - rate * recipe.factor > LEAST else rate
    return rate / recipe.learning_rate


def _known(name: str, allowed: list[str], where: str) -> None:
    if name not in allowed:
        raise UserError(f"{shown(name)}{near(name, allowed)}", where=where, expected="one of " + ", ".join(allowed))


def recipe_of(arm: Mapping, training: Mapping) -> tuple[Recipe, int]:
    """Return an arm's recipe and its number of epochs.

    Parameters
    ----------
    arm : mapping
        May name a ``recipe`` and ``epochs`` of its own.
    training : mapping
        The config's ``training`` with ``recipes``, ``recipe`` and ``epochs``.

    Raises
    ------
    UserError
        There is no such recipe, or it has a key that no recipe has.
    """
    name = arm.get("recipe") or training["recipe"]
    _known(name, list(training["recipes"]), f"arm {arm['name']}: recipe")
    settings = training["recipes"][name]
    for key in settings:
        _known(key, [f.name for f in fields(Recipe)], f"training: recipes: {name}")
    recipe = Recipe(**settings)
    for key, allowed in CHOICES.items():
        _known(getattr(recipe, key), allowed, f"training: recipes: {name}: {key}")
    return recipe, int(arm.get("epochs") or training["epochs"])
