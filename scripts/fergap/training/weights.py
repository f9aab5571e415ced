"""Trained networks as files, and back."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from fergap.errors import UserError
from fergap.models.registry import build
from fergap.training.checkpoint import load_tensors, save_tensors
from fergap.training.data import normalise
from fergap.training.loop import flipped_scores

NEEDED = ("network", "classes", "channels", "size", "mean", "std")


@dataclass(frozen=True)
class Trained:
    """A trained network with what it takes to use it.

    Attributes
    ----------
    model : torch.nn.Module
        On the CPU, float32, ready to evaluate.
    about : dict
        ``network``, ``classes`` (in the order of the scores), ``channels``, ``size``, ``mean`` and ``std`` (of the
        training part, per channel, grey levels 0 … 255), ``test_flip`` (probabilities are means over each picture and
        its mirror image), ``arm``, ``seed``, ``repeat``, ``fold``, ``epoch``; and, where the arm states them, ``start``
        with ``weights`` and ``tuned``: what the training began with, which nothing here needs any more.
    """

    model: nn.Module
    about: dict

    @torch.no_grad()
    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        """Return (n, classes) float64 probabilities for (n, size, size) or (n, channels, size, size) uint8 pictures."""
        pictures = torch.from_numpy(np.ascontiguousarray(pixels))
        pictures = pictures if pictures.ndim == 4 else pictures[:, None]
        pictures = normalise(pictures, torch.tensor(self.about["mean"]), torch.tensor(self.about["std"]))
        scores = flipped_scores(self.model, pictures) if self.about.get("test_flip") else self.model(pictures)
        return scores.double().softmax(1).numpy()


def save_weights(path: Path, state: Mapping[str, torch.Tensor], about: Mapping) -> None:
    """Write a model's state and what is said ``about`` it (see :class:`Trained`) to a safetensors file."""
    save_tensors(state, about, path)


def load_weights(path: Path) -> Trained:
    """Read a trained network.

    Raises
    ------
    UserError
        The file is damaged or holds no network of this program.
    """
    try:
        tensors, about = load_tensors(path)
        if absent := [key for key in NEEDED if key not in about]:
            raise ValueError(f"it says nothing about {absent[0]}")
        model = build(about["network"], len(about["classes"]), about["channels"], about["size"])
        model.load_state_dict(tensors)
    except (ValueError, RuntimeError) as error:
        raise UserError(
            str(error),
            where=str(path),
            expected="weights written by the training stage",
            fix="delete the folder weights and start the study again: its networks are trained anew",
        ) from error
    return Trained(model.eval(), about)
