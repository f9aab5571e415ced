"""Copies of the repository in which the workflow runs, and a tiny study."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

LEFT_OUT = (".git", ".venv", ".snakemake", "data", "results", "logs", ".*_cache", ".hypothesis", "__pycache__")
TINY = """\
study: tiny
faces: {drawn: {count: 700, children: 0.3, not_a_face: 0.02}}
folds: {count: 3, validation: 0.2}
training: {epochs: 2, folds_per_job: 2, precision: fp32}
arms:
  - {name: baseline, network: pyramid}
  - {name: child_oversampled, network: pyramid, oversample: {age: child, to: parity}}
  - {name: adjusted, from: baseline, temperature: {by: age, minimum: 15}, thresholds: {by: gender, goal: equal_recall}}
audit: {resamples: 500}
"""

Run = Callable[..., subprocess.CompletedProcess]


def run_snakemake(folder: Path, *arguments: str, env: dict | None = None) -> subprocess.CompletedProcess:
    """Run Snakemake on two cores in a copy of the repository and return what it said, both streams together."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env=dict(os.environ, **(env or {})),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )


@pytest.fixture(scope="session")
def snakemake() -> Run:
    return run_snakemake


@pytest.fixture(scope="session")
def copy(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function that copies the repository's own files to a new folder, with the tiny study in it."""

    def make(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name) / "fergap"
        shutil.copytree(root, folder, ignore=shutil.ignore_patterns(*LEFT_OUT))
        (folder / "tiny.yaml").write_text(TINY, encoding="utf-8")
        return folder

    return make


@pytest.fixture(scope="session")
def finished(copy: Callable[[str], Path]) -> Path:
    """A copy in which the tiny study has run to its end."""
    folder = copy("finished")
    run = run_snakemake(folder, "--configfile", "tiny.yaml")
    assert run.returncode == 0, run.stdout
    (folder / "said.txt").write_text(run.stdout, encoding="utf-8")
    return folder
