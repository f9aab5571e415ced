"""How a network is trained, as the config tells it."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields

from fergap.errors import UserError


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes
    ----------
    optimizer : str
        ``adam``, ``adamw`` or ``sgd`` (with Nesterov momentum 0.9).
    learning_rate, weight_decay : float
        At least 0; the decay is Adam's own L2 penalty except in ``adamw``.
    batch_size : int
        Rows per step.
    flip : float
        Probability of a horizontal flip, 0 … 1.
    rotation : float
        Degrees; the angle is uniform in ± rotation.
    """

    optimizer: str = "adam"
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    batch_size: int = 64
    flip: float = 0.5
    rotation: float = 10.0


def _known(name: str, allowed: list[str], where: str) -> None:
    if name not in allowed:
        near = difflib.get_close_matches(name, allowed, n=1)
        raise UserError(
            f"{name!r}" + (f"; did you mean {near[0]!r}?" if near else ""),
            where=where,
            expected="one of " + ", ".join(allowed),
        )


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
    _known(recipe.optimizer, ["adam", "adamw", "sgd"], f"training: recipes: {name}: optimizer")
    return recipe, int(arm.get("epochs") or training["epochs"])
