"""torchvision, also where its compiled operators are missing."""

import contextlib
import importlib.util
from pathlib import Path
from types import ModuleType

import torch

_DECLARED: list[torch.library.Library] = []  # names live as long as the library object that declared them


def torchvision_models() -> ModuleType:
    """Return ``torchvision.models``.

    torchvision registers functions for two of its compiled operators when it is imported. A torchvision built for
    another PyTorch (PyPI's beside a CPU build) cannot load them, and the import fails on the missing names, although no
    network needs them. Declaring the two names first lets models and their weights work. Where the operators can be
    loaded, they are: a second declaration would end the process.
    """
    if not _DECLARED and not _loaded():
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _DECLARED.append(library)
    from torchvision import models

    return models


def _loaded() -> bool:
    """Load torchvision's compiled operators, and tell whether they are there."""
    package = importlib.util.find_spec("torchvision")
    for file in Path(package.origin).parent.glob("_C.*") if package else ():
        with contextlib.suppress(OSError):
            torch.ops.load_library(file)
    return hasattr(torch.ops.torchvision, "nms")
