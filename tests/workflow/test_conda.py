"""The demo's tiny twin through --use-conda: every rule in an environment of its own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workflow.conftest import Run

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def conda(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a conda: a real one where it is on PATH, else the stand-in that builds from PyPI."""
    if real := shutil.which("conda"):
        return Path(real).parent
    prefix = tmp_path_factory.mktemp("conda")
    make = root / "tests/conda/make_fake_conda.sh"
    subprocess.run([make, prefix, sys.executable], check=True, capture_output=True)
    return prefix / "bin"


def test_the_study_runs_in_environments_that_hold_all_they_need(
    conda: Path, copy: Callable[[str], Path], finished: Path, snakemake: Run
) -> None:
    folder = copy("conda")
    env = {"PATH": f"{conda}:{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": ""}
    run = snakemake(folder, "--configfile", "tiny.yaml", "--use-conda", env=env)
    assert run.returncode == 0, run.stdout
    for name in ("faces", "people", "training", "audit", "paper"):
        assert f"envs/{name}.yaml" in run.stdout, name
    for table in ("training/predictions.parquet", "audit/verdicts.csv"):
        path = Path("results/tiny") / table
        assert (folder / path).read_bytes() == (finished / path).read_bytes(), table
    assert (folder / "results/tiny/paper/paper.pdf").exists()
