"""The state of a network in training, kept after every epoch so that a killed run loses at most one."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from fergap.files import whole

# one entry holds everything: the order of several is not fixed in the file, and equal runs end in equal bytes
ENTRY = "fergap"


def save_tensors(tensors: Mapping[str, torch.Tensor], about: Mapping, path: Path) -> None:
    """Write tensors, their checksum and what is said ``about`` them (JSON) to a file, whole or not at all."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    about = {**about, "digest": digest(plain)}
    with whole(path) as draft:
        # save_file would write to a name of its own first, which stays behind where it is killed
        draft.write_bytes(save(plain, metadata={ENTRY: json.dumps(about, sort_keys=True)}))


def load_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict]:
    """Read what :func:`save_tensors` wrote; nothing in the file is executed.

    Raises
    ------
    ValueError
        The file is damaged or holds something else.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = dict(json.loads((file.metadata() or {})[ENTRY]))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path.name} is damaged or no file of this program ({error})") from error
    if about.get("digest") != digest(tensors):
        raise ValueError(f"{path.name} is damaged (its tensors do not match their checksum)")
    return tensors, about


def fingerprint(parts: Mapping) -> str:
    """Return SHA-256 of ``parts`` as JSON, in hexadecimal."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def digest(tensors: Mapping[str, torch.Tensor]) -> str:
    """Return SHA-256 of tensors and their names, in hexadecimal."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        total.update(name.encode())
        total.update(tensors[name].detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()


def save_checkpoint(
    path: Path, owner: str, training: Mapping[str, torch.Tensor], best: Mapping[str, torch.Tensor], progress: Mapping
) -> None:
    """Write the state after an epoch.

    Parameters
    ----------
    owner : str
        Fingerprint of everything that decides the result.
    training : mapping
        Everything that training changes: :meth:`fergap.training.loop.Training.tensors`.
    best : mapping
        The state of the network after the best epoch so far.
    progress : mapping
        Epochs done, history and the like, as JSON can hold it.
    """
    tensors = {f"training/{name}": t for name, t in training.items()} | {f"best/{name}": t for name, t in best.items()}
    save_tensors(tensors, {"owner": owner, "progress": dict(progress)}, path)


def load_checkpoint(path: Path, owner: str) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor], dict]:
    """Read what :func:`save_checkpoint` wrote: ``training``, ``best`` and ``progress``.

    Raises
    ------
    ValueError
        The file is damaged, or belongs to another arm, recipe, data set, seed or version.
    """
    tensors, about = load_tensors(path)
    if about.get("owner") != owner:
        raise ValueError(f"{path.name} belongs to another configuration, data set or version")
    parts: dict[str, dict[str, torch.Tensor]] = {"training": {}, "best": {}}
    for name, tensor in tensors.items():
        part, rest = name.split("/", 1)
        parts[part][rest] = tensor
    return parts["training"], parts["best"], about["progress"]
