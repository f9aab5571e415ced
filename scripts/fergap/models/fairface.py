"""FairFace's model of people: a ResNet-34 with 18 scores for race, gender and age (Kärkkäinen & Joo 2021).

The authors' code (https://github.com/dchen236/FairFace) finds a face, turns it upright and cuts it out with a
margin of a quarter of its side; then it brings it to 224 × 224 pixels, shifts and scales the colours as for ImageNet,
and takes the softmax of the first seven scores for race, of the next two for gender and of the last nine for age. A
study's pictures are faces that were cut out already, so only the second half is done here: how much of the head a data
set shows around a face is not what the model learned on, and a margin of another size can cost accuracy.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from torch import nn

from fergap.errors import UserError
from fergap.models.names import FAIRFACE
from fergap.models.operators import torchvision_models
from fergap.models.pretrained import load_state
from fergap.progress import Progress

SIDE = 224
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, of red, green and blue in 0 … 1
BATCH = 64
SCORES = sum(map(len, FAIRFACE.values()))
COLUMNS = tuple(f"{attribute}_{answer}" for attribute, answers in FAIRFACE.items() for answer in answers)
"""What each score is of, in order, as the table ``fairface`` calls it."""
EXPECTED = f"a state dict of torchvision's resnet34 with {SCORES} scores, as FairFace's authors published it"


def check_sum(path: Path, sha256: str) -> None:
    """Raise a UserError unless a file of weights is there and has this SHA-256, in hexadecimal digits of any case."""
    if not path.is_file():
        raise UserError("there is no such file", where=str(path), expected=EXPECTED)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256.lower():
        raise UserError(
            f"its SHA-256 is {found}",
            where=str(path),
            expected=sha256.lower(),
            fix="fetch the file again; if it is the one that you mean, state this sum as sha256 beside its path",
        )


def fairface(path: Path) -> nn.Module:
    """Return FairFace's network with the weights of a file, ready to answer.

    Raises
    ------
    UserError
        The file cannot be read, or holds another network's weights.
    """
    try:
        state = load_state(path)
    except (UnpicklingError, RuntimeError, EOFError, ValueError, OSError, SafetensorError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"holds no readable weights: {reason}", where=str(path), expected=EXPECTED) from error
    if not isinstance(state, Mapping) or not all(isinstance(t, torch.Tensor) for t in state.values()):
        raise UserError("holds something else than named tensors", where=str(path), expected=EXPECTED)
    model = torchvision_models().resnet34(weights=None, num_classes=SCORES)
    own = model.state_dict()
    wrong = [f"{k} is missing" for k in own if k not in state and not k.endswith("num_batches_tracked")]
    wrong += [f"{k} belongs to another network" for k in state if k not in own]
    wrong += [
        f"{k} is {' × '.join(map(str, t.shape))} and not {' × '.join(map(str, own[k].shape))}"
        for k, t in state.items()
        if k in own and own[k].shape != t.shape
    ]
    if wrong:
        more = f" (and {len(wrong) - 1} more tensors)" if len(wrong) > 1 else ""
        raise UserError(f"{wrong[0]}{more}", where=str(path), expected=EXPECTED)
    model.load_state_dict(state, strict=False)
    return model.eval()


def prepared(faces: np.ndarray) -> torch.Tensor:
    """Return faces as the model looks at them: bilinear to 224 × 224, ImageNet's standardisation.

    Parameters
    ----------
    faces : uint8, n × side × side or n × channels × side × side
        Grey or of three colours; grey is shown in all three channels.

    Returns
    -------
    torch.Tensor
        float32, n × 3 × 224 × 224.

    Raises
    ------
    UserError
        The pictures have two channels, or more than three.
    """
    if faces.ndim == 4 and faces.shape[1] not in (1, 3):
        raise UserError(f"{faces.shape[1]} channels", where="fairface", expected="grey or colour pictures")
    out = np.empty((len(faces), SIDE, SIDE, 3), np.float32)
    for place, face in zip(out, faces, strict=True):
        colours = face if face.ndim == 2 else face[0] if len(face) == 1 else np.moveaxis(face, 0, -1)
        place[:] = Image.fromarray(colours).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    out = (out / 255 - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(out, -1, 1)))


def probabilities(scores: torch.Tensor) -> np.ndarray:
    """Return the softmax of each of FairFace's heads: (n, 18) scores to (n, 18) shares, each head's sum 1."""
    heads = scores.double().split([len(answers) for answers in FAIRFACE.values()], dim=1)
    return torch.cat([head.softmax(dim=1) for head in heads], dim=1).numpy()


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Compute with so many threads, then with as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, number))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def answers(pixels: np.ndarray, rows: np.ndarray, weights: Path, sha256: str, workers: int) -> np.ndarray:
    """Ask FairFace's model about faces, on the CPU.

    Parameters
    ----------
    pixels : uint8, (faces, side, side) or (faces, channels, side, side)
    rows : numpy.ndarray of int, length n
        Which of the pictures.
    weights, sha256 : path and str
        See :func:`check_sum` and :func:`fairface`.
    workers : int
        Threads.

    Returns
    -------
    numpy.ndarray
        (n, 18) shares in the order of ``COLUMNS``.

    Raises
    ------
    UserError
        The weights are missing, others than stated, damaged or another network's.
    """
    check_sum(weights, sha256)
    model = fairface(weights)
    found = np.empty((len(rows), SCORES))
    with Progress("annotating with FairFace", len(rows), "faces") as progress, threads(workers), torch.inference_mode():
        for start in range(0, len(rows), BATCH):
            batch = rows[start : start + BATCH]
            found[start : start + len(batch)] = probabilities(model(prepared(pixels[batch])))
            progress.step(len(batch))
    return found
