"""Fixtures that every stage's tests share."""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
# a new counterexample is found on purpose (make fuzz), not in a run that judges somebody's change
settings.register_profile("repeatable", derandomize=True)
settings.register_profile("fuzz", print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's folder."""
    return ROOT


@pytest.fixture(scope="session")
def benchmark_named(root: Path) -> Iterator[Callable[[str], ModuleType]]:
    """A function that imports a benchmark by its name, by which processes that it starts find it, too."""
    folder = str(root / "benchmarks")
    sys.path.insert(0, folder)
    yield importlib.import_module
    sys.path.remove(folder)


@pytest.fixture(scope="session")
def real_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of FER2013 with FER+ votes as FER+'s exporter leaves it, or a skip where it is not at hand."""
    unpack = ROOT.parent / "shared" / "data" / "unpack"
    if not unpack.exists():
        pytest.skip("skipped: no real data")
    folder = tmp_path_factory.mktemp("ferplus")
    subprocess.run([unpack, folder], check=True, capture_output=True)
    return folder
