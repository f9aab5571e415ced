"""The demo's tiny twin through --use-conda: every rule in an environment of its own."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workflow.conftest import Run
from tests.workflow.imports import environments, imported

pytestmark = pytest.mark.workflow
# torchvision as the library imports it: beside a CPU build of PyTorch, PyPI's lacks its compiled operators
IMPORT = """\
import importlib, sys
sys.path.append(sys.argv[1])
for name in sys.argv[2:]:
    if name == "torchvision":
        importlib.import_module("fergap.models.operators").torchvision_models()
    importlib.import_module(name)
"""


@pytest.fixture(scope="module")
def conda(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables with which Snakemake finds a conda: a real one where it is on PATH, else one that builds from PyPI."""
    if real := shutil.which("conda"):
        folder = Path(real).parent
    else:
        folder = tmp_path_factory.mktemp("conda") / "bin"
        make = root / "tests/conda/make_fake_conda.sh"
        subprocess.run([make, folder.parent, sys.executable], check=True, capture_output=True)
    return {"PATH": f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": ""}


@pytest.fixture(scope="module")
def ran(conda: dict[str, str], copy: Callable[[str], Path], snakemake: Run) -> Path:
    """A copy in which the tiny study has run to its end, each rule in its environment."""
    folder = copy("conda")
    run = snakemake(folder, "--configfile", "tiny.yaml", "--use-conda", env=conda)
    assert run.returncode == 0, run.stdout
    return folder


@pytest.fixture(scope="module")
def interpreters(ran: Path, conda: dict[str, str], snakemake: Run) -> dict[str, Path]:
    """The Python of each environment by the environment's name."""
    told = snakemake(ran, "--configfile", "tiny.yaml", "--use-conda", "--list-conda-envs", env=conda).stdout
    found = re.findall(r"envs/([\w-]+)\.yaml\s+(\S*\.snakemake/conda/\w+)", told)
    return {name: ran / place / "bin/python" for name, place in found}


def test_the_study_ends_in_the_same_bytes_in_environments_of_its_own(ran: Path, finished: Path) -> None:
    for table in ("training/predictions.parquet", "audit/verdicts.csv"):
        path = Path("results/tiny") / table
        assert (ran / path).read_bytes() == (finished / path).read_bytes(), table
    assert (ran / "results/tiny/paper/paper.pdf").exists()


@pytest.mark.parametrize("name", ["faces", "people", "training", "audit", "paper"])
def test_each_environment_imports_all_that_its_rules_import(
    root: Path, interpreters: dict[str, Path], name: str
) -> None:
    packages = sorted(imported(root, *environments(root)[name]))
    assert "pandas" in packages
    done = subprocess.run(
        [interpreters[name], "-I", "-W", "ignore", "-c", IMPORT, root / "scripts", *packages],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_environments_without_training_have_no_torch(interpreters: dict[str, Path]) -> None:
    for name in ("faces", "people", "audit", "paper"):
        done = subprocess.run([interpreters[name], "-I", "-c", "import torch"], capture_output=True, check=False)
        assert b"ModuleNotFoundError" in done.stderr, name


def test_a_gpu_asked_for_takes_a_cuda_build_or_says_that_it_got_none(
    conda: dict[str, str], ran: Path, interpreters: dict[str, Path], snakemake: Run
) -> None:
    script = "import torch; print(torch.version.cuda or torch.version.hip)"
    built = subprocess.run([interpreters["training"], "-I", "-c", script], capture_output=True, text=True, check=True)
    asked = ("--configfile", "tiny.yaml", "--use-conda", "--conda-create-envs-only")
    run = snakemake(ran, *asked, "--config", "training={device: cuda}", env=conda)
    assert "training-cuda.yaml" in run.stdout
    if built.stdout.strip() != "None":
        assert run.returncode == 0, run.stdout
        return
    assert run.returncode == 1, run.stdout
    if shutil.which("conda") is None:  # a real one finds no solution, which it tells in its own words
        assert "error: envs/training-cuda.yaml: this PyTorch" in run.stdout
        assert "to go on: " in run.stdout
    again = snakemake(ran, *asked, "--config", "training={device: cuda}", env=conda)
    assert again.returncode == 1, "the refused environment was taken at the second call"
