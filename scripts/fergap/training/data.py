"""The faces on the device, as the network sees them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

CHUNK = 256  # faces looked at together where a whole data set would not fit into memory


def normalise(pictures: torch.Tensor, mean: torch.Tensor, std: torch.Tensor) -> torch.Tensor:
    """Return (n, c, h, w) uint8 pictures as float32 with the given mean and spread, (c,), taken out."""
    return (pictures.float() - mean[:, None, None]) / std[:, None, None]


def moments(parts: Iterable[np.ndarray]) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation per channel of (n, c, h, w) uint8 pictures, exactly, by counting levels.

    A channel without any spread counts as spread 1. ``parts`` holds the pictures in pieces of any size.
    """
    counts: np.ndarray | int = 0
    for part in parts:
        counts += np.stack([np.bincount(part[:, c].reshape(-1), minlength=256) for c in range(part.shape[1])])
    share = counts / counts.sum(1, keepdims=True)
    levels = np.arange(256)
    centre = share @ levels
    spread = np.sqrt([s @ (levels - m) ** 2 for s, m in zip(share, centre, strict=True)])
    return centre.tolist(), [float(s) or 1.0 for s in spread]


class Store:
    """The pictures of a study: on the device where they fit, else in a memory map from which batches are fetched.

    Parameters
    ----------
    path : pathlib.Path
        ``pixels.npy``, uint8, (faces, size, size) or (faces, channels, size, size).
    rows : numpy.ndarray
        (n,) int64, each face's row in the file.
    device : torch.device
    room : int
        Bytes of the device that pictures may take.

    Attributes
    ----------
    resident : torch.Tensor or None
        (n, channels, size, size) uint8 on the device, or None where they do not fit.
    shape : tuple
        (channels, size, size).
    """

    def __init__(self, path: Path, rows: np.ndarray, device: torch.device, room: int):
        self.file, self.rows, self.device = np.load(path, mmap_mode="r"), rows, device
        self.shape = tuple(self.file.shape[1:]) if self.file.ndim == 4 else (1, *self.file.shape[1:])
        self.resident = None
        if len(rows) * int(np.prod(self.shape)) <= room:
            self.resident = torch.from_numpy(self.gather(np.arange(len(rows)))).to(device)

    def gather(self, positions: np.ndarray) -> np.ndarray:
        """Return the pictures at ``positions`` among the rows, read from the file: (m, channels, size, size) uint8."""
        return np.asarray(self.file[self.rows[positions]]).reshape(-1, *self.shape)

    def take(self, positions: torch.Tensor) -> torch.Tensor:
        """Return the pictures at ``positions``, (m,) int64 on the device: (m, channels, size, size) uint8 there."""
        if self.resident is not None:
            return self.resident[positions]
        return torch.from_numpy(self.gather(positions.cpu().numpy())).to(self.device)

    def moments(self, positions: np.ndarray) -> tuple[list[float], list[float]]:
        """Return :func:`moments` of the pictures at ``positions``."""
        return moments(self.gather(positions[i : i + CHUNK]) for i in range(0, len(positions), CHUNK))


@dataclass
class Fetched:
    """An epoch's pictures on their way from the memory map to the device, batch by batch, one batch ahead.

    Two pinned buffers take turns, so that a batch is read from the file while the device works on the one before.
    """

    order: np.ndarray
    batch: int
    target: torch.Tensor
    buffers: list[torch.Tensor]
    free: list["torch.cuda.Event | None"] = field(default_factory=lambda: [None, None])
    taken: int = 0

    def fetch(self, store: Store) -> None:
        """Copy the next batch to the device."""
        turn = self.taken % 2
        if self.free[turn] is not None:
            self.free[turn].synchronize()
        rows = self.order[self.taken * self.batch : (self.taken + 1) * self.batch]
        self.buffers[turn].numpy()[:] = store.gather(rows)
        self.target.copy_(self.buffers[turn], non_blocking=True)
        if self.target.is_cuda:
            self.free[turn] = torch.cuda.Event()
            self.free[turn].record()
        self.taken += 1


@dataclass
class Faces:
    """A data set as one network sees it.

    Attributes
    ----------
    store : Store
    labels : torch.Tensor
        (n,) int64, index of the class.
    classes : int
    mean, std : torch.Tensor
        (channels,) float32, of the training part.
    targets : torch.Tensor or None
        (n, classes) float32, each row sums to 1: what the training rows are to be taken for, where it is not the label
        alone.
    groups : dict of str to torch.Tensor
        By attribute or combination that the objective reads: (n,) int64 codes of groups, -1 where unknown.
    weights : torch.Tensor or None
        (n,) float32, how much each face counts in training, where they do not count alike.
    """

    store: Store
    labels: torch.Tensor
    classes: int
    mean: torch.Tensor
    std: torch.Tensor
    targets: torch.Tensor | None = None
    groups: Mapping[str, torch.Tensor] = field(default_factory=dict)
    weights: torch.Tensor | None = None
    fetched: Fetched | None = None

    def pictures(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the faces at ``rows``, (m,) int64 on the device, normalised: (m, channels, size, size) float32."""
        return normalise(self.store.take(rows), self.mean, self.std)

    def follow(self, order: torch.Tensor, batch: int) -> None:
        """Prepare an epoch that takes the faces in ``order``, ``batch`` at a time."""
        if self.store.resident is not None:
            return
        if self.fetched is None:
            shape = (batch, *self.store.shape)
            pinned = self.store.device.type == "cuda"
            buffers = [torch.empty(shape, dtype=torch.uint8, pin_memory=pinned) for _ in range(2)]
            target = torch.empty(shape, dtype=torch.uint8, device=self.store.device)
            self.fetched = Fetched(order.cpu().numpy(), batch, target, buffers)
        else:
            self.fetched.order, self.fetched.taken = order.cpu().numpy(), 0

    def fetch(self) -> None:
        """Bring the next batch to the device, where the pictures are not there already; call it before each step."""
        if self.fetched is not None:
            self.fetched.fetch(self.store)

    def batch(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the faces at ``rows``, which are the next batch of the order, as :meth:`pictures` does.

        Where batches are fetched, it is the one that was fetched last.
        """
        if self.fetched is not None:
            return normalise(self.fetched.target, self.mean, self.std)
        return self.pictures(rows)


def faces_of(
    store: Store,
    labels: np.ndarray,
    training: np.ndarray,
    targets: np.ndarray | None = None,
    groups: Mapping[str, np.ndarray] | None = None,
    weights: np.ndarray | None = None,
) -> Faces:
    """Return a data set normalised by its ``training`` faces (positions, each once)."""
    mean, std = store.moments(training)
    place = store.device

    def moved(values: np.ndarray, kind: type) -> torch.Tensor:
        return torch.from_numpy(np.array(values, kind)).to(place)

    return Faces(
        store,
        moved(labels, np.int64),
        int(np.max(labels)) + 1,
        torch.tensor(mean, device=place),
        torch.tensor(std, device=place),
        None if targets is None else moved(targets, np.float32),
        {name: moved(codes, np.int64) for name, codes in (groups or {}).items()},
        None if weights is None else moved(weights, np.float32),
    )
