"""Fixtures that every stage's tests share."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's folder."""
    return ROOT


@pytest.fixture(scope="session")
def real_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of FER2013 with FER+ votes as FER+'s exporter leaves it, or a skip where it is not at hand."""
    unpack = ROOT.parent / "shared" / "data" / "unpack"
    if not unpack.exists():
        pytest.skip("skipped: no real data")
    folder = tmp_path_factory.mktemp("ferplus")
    subprocess.run([unpack, folder], check=True, capture_output=True)
    return folder
