"""The tiny study on private clusters."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from tests.cluster.local_slurm import CannotRun, Cluster, check, processes, with_descendants
from tests.workflow.conftest import copy, run_snakemake

__all__ = ["copy"]

# a training job for each arm, with two networks side by side
STUDY = """\
study: tiny
faces: {drawn: {count: 500, children: 0.3, not_a_face: 0.02}}
folds: {count: 2, validation: 0.2}
training: {epochs: 3, precision: fp32}
audit: {resamples: 200}
"""
TABLES = ("results/tiny/audit/verdicts.csv", "results/tiny/training/history.csv")
PATIENCE = 900


class Study:
    """A run of the study on a cluster, in a folder of its own, through ``profiles/slurm`` with a GPU for training.

    Parameters
    ----------
    folder : Path
        A copy of the repository with ``tiny.yaml``.
    cluster : Cluster
    arguments : sequence of str
        Targets and options for Snakemake.
    training : mapping, optional
        Entries of the profile's ``set-resources: train_folds``, as a site would change them.
    profile : mapping, optional
        Other entries of the profile.
    environment : mapping, optional
        Variables for Snakemake and its jobs.
    """

    def __init__(
        self,
        folder: Path,
        cluster: Cluster,
        *arguments: str,
        training: dict | None = None,
        profile: dict | None = None,
        environment: dict | None = None,
    ):
        self.folder, self.cluster = folder, cluster
        self.code, self.ended_jobs = None, []
        settings = yaml.safe_load((folder / "profiles/slurm/profile.yaml").read_text(encoding="utf-8"))
        settings |= {"slurm-init-seconds-before-status-checks": 2} | (profile or {})
        settings["set-resources"]["train_folds"] |= {"gpu": 1} | (training or {})
        site = folder / "profiles/tested/profile.yaml"
        site.parent.mkdir()
        site.write_text(yaml.safe_dump(settings), encoding="utf-8")
        command = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "snakemake"]
        with open(folder / "said.txt", "wb") as said:
            self.run = subprocess.Popen(
                [*command, "--workflow-profile", "profiles/tested", "--configfile", "tiny.yaml", *arguments],
                cwd=folder,
                env=cluster.environment | (environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return (self.folder / "said.txt").read_text(encoding="utf-8")

    @property
    def end_of_said(self) -> str:
        return "\n".join(line[:200] for line in self.said.splitlines()[-80:])

    def end(self) -> None:
        """Wait for the end of the run, and keep its exit code and what the cluster knows of its jobs."""
        try:
            self.code = self.run.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self.run.pid, signal.SIGKILL)
            self.run.wait()
        self.ended_jobs = self.cluster.jobs()

    def jobs(self, rule: str = "") -> list[dict[str, str]]:
        """Return the study's SLURM jobs in the order of their submission, of one rule alone if it is named."""
        found = self.ended_jobs or self.cluster.jobs()
        return [job for job in found if f"rule_{rule}" in job.get("Comment", "")]

    def attempts(self) -> list[dict[str, str]]:
        """Return the SLURM jobs that trained the baseline."""
        return self.jobs("train_folds_wildcards_tiny_baseline_0")

    def training_job(self) -> dict[str, str]:
        """Wait until one of the baseline's networks has a checkpoint, and return the SLURM job that trains them."""
        folder = self.folder / "results/tiny/training/baseline/checkpoints"
        deadline = time.monotonic() + PATIENCE
        while not list(folder.glob("[!.]*.safetensors")):  # a draft begins with a dot
            assert time.monotonic() < deadline, self.end_of_said
            assert self.run.poll() is None, self.end_of_said
            time.sleep(0.02)
        return next(job for job in self.attempts() if job["JobState"] == "RUNNING")

    def freeze(self, job: dict[str, str]) -> None:
        """Stop the training processes of a job, so that what happens to it happens in the middle of its work."""
        found = processes("train_folds.py", variable=f"SLURM_JOB_ID={job['JobId']}")
        assert found
        for process in {p for first in found for p in with_descendants(first)}:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGSTOP)


@pytest.fixture(scope="session")
def slurm() -> None:
    """Skip where there can be no private cluster."""
    try:
        check()
    except CannotRun as reason:
        pytest.skip(f"skipped: no private SLURM cluster: {reason}")


@pytest.fixture(scope="session")
def new(copy: Callable[[str], Path]) -> Callable[[str], Path]:
    """A function that makes a folder in which nothing of the study has run."""

    def make(name: str) -> Path:
        folder = copy(name)
        (folder / "tiny.yaml").write_text(STUDY, encoding="utf-8")
        return folder

    return make


@pytest.fixture(scope="session")
def local(slurm: None, new: Callable[[str], Path]) -> Path:
    """A folder in which the study has run without a cluster, up to its tables."""
    folder = new("local")
    run = run_snakemake(folder, "--configfile", "tiny.yaml", "--", *TABLES)
    assert run.returncode == 0, run.stdout
    return folder


@pytest.fixture(scope="session")
def prepared(local: Path) -> Callable[[str], Path]:
    """A function that makes a folder in which the study has come as far as its folds."""

    def make(name: str) -> Path:
        folder = local.parent / name / "fergap"
        shutil.copytree(local, folder)
        shutil.rmtree(folder / "results/tiny/audit")
        for table in ("predictions.parquet", "history.csv", "composition.csv", "runs.csv"):
            (folder / "results/tiny/training" / table).unlink()
        for arm in ("baseline", "child_oversampled"):
            shutil.rmtree(folder / "results/tiny/training" / arm)
        return folder

    return make
