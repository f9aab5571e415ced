"""Where a network is trained, and in which arithmetic."""

import os
import platform
import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from fergap.errors import UserError

CPU_ROOM = 2**30  # bytes; larger sets of pictures stay in their file, which the system keeps in memory as it can


@dataclass(frozen=True)
class Device:
    """A place to train.

    Attributes
    ----------
    kind : {"cpu", "cuda"}
    precision : {"bf16", "fp32"}
        ``bf16``: convolutions and matrix products of the training steps in bfloat16 (``torch.autocast``), weights and
        sums in float32. ``fp32``: float32 throughout, without TF32. Evaluation is always in float32.
    name : str
        The processor's own name.
    """

    kind: str
    precision: str
    name: str

    @property
    def place(self) -> torch.device:
        return torch.device(self.kind)

    def autocast(self) -> torch.autocast:
        """Return the context in which a training step computes its scores."""
        return torch.autocast(self.kind, torch.bfloat16, enabled=self.precision == "bf16")

    def room(self) -> int:
        """Return how many bytes the pictures of a study may take; more are read batch by batch from their file."""
        return torch.cuda.mem_get_info()[0] // 3 if self.kind == "cuda" else CPU_ROOM

    def peak_memory(self) -> int:
        """Return the most bytes that PyTorch held on the GPU, or that this process took, so far."""
        if self.kind == "cuda":
            return torch.cuda.max_memory_reserved()
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in kibibytes


def cpu_has_bf16() -> bool:
    """Tell whether this processor multiplies bfloat16 in hardware (avx512_bf16 or amx)."""
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))


def cpu_name() -> str:
    """Return the processor's own name."""
    info = Path("/proc/cpuinfo")
    if info.exists() and (match := re.search(r"^model name\s*:\s*(.+)$", info.read_text(), re.MULTILINE)):
        return match[1]
    return platform.processor() or platform.machine()


def choose_device(device: str, precision: str) -> Device:
    """Return the device that ``training: device`` and ``training: precision`` ask for.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"}
        ``auto``: CUDA where there is one, else the CPU.
    precision : {"auto", "bf16", "fp32"}
        ``auto``: bf16 where the processor computes it in hardware, else fp32.

    Raises
    ------
    UserError
        CUDA is asked for and there is none.
    """
    if device == "cuda" and not torch.cuda.is_available():
        if not (torch.version.cuda or torch.version.hip):
            raise UserError(
                f"cuda is asked for, but this PyTorch ({torch.__version__}) is built without it",
                where="training: device",
                fix="with --use-conda: delete .snakemake/conda and start again, where there is no GPU with "
                "CONDA_OVERRIDE_CUDA=12.9 in front; else install a CUDA build, or set training: device to auto or cpu",
            )
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "not set")
        raise UserError(
            f"cuda is asked for, but PyTorch {torch.__version__} finds no CUDA GPU (CUDA_VISIBLE_DEVICES: {visible})",
            where="training: device",
            fix="run where there is one, or set training: device to auto or cpu",
        )
    kind = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    if kind == "cuda":
        # without it cuBLAS may sum in another order from run to run; it is read when the first product is made
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        able, name = torch.cuda.get_device_capability() >= (8, 0), torch.cuda.get_device_name()
    else:
        able, name = cpu_has_bf16(), cpu_name()
    return Device(kind, ("bf16" if able else "fp32") if precision == "auto" else precision, name)


@contextmanager
def repeatable(device: Device, threads: int = 1) -> Iterator[None]:
    """Compute with ``threads`` CPU threads, and on a GPU deterministically and without TF32, then as before."""
    fill = torch.utils.deterministic.fill_uninitialized_memory
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), fill
    torch.set_num_threads(threads)
    # an operation that has no deterministic form on a GPU is an error there, never silently different
    torch.use_deterministic_algorithms(device.kind == "cuda")
    torch.utils.deterministic.fill_uninitialized_memory = False
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
        torch.utils.deterministic.fill_uninitialized_memory = before[2]
