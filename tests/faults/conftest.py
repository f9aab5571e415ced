"""A study small enough to be run several times, and jobs that meet with a fault where a test wants it."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workflow.conftest import LEFT_OUT, run_snakemake

SMALL = """\
study: small
faces: {drawn: {count: 400, children: 0.4, not_a_face: 0.02}}
folds: {count: 2, validation: 0.2}
training: {epochs: 2, folds_per_job: 2, precision: fp32}
arms: [{name: baseline, network: pyramid}]
audit: {resamples: 100, contrasts: []}
paper: {formats: [html]}
"""
# read by each Python process before anything else; FAULT is `rule:what:moment`, the moment a number of renames
SHIM = """\
import os, re, signal, sys
rule, what, moment = (os.environ.get("FAULT") or "::").split(":")
if rule == "worker":
    mine = "--multiprocessing-fork" in sys.orig_argv
else:
    mine = rule and any(re.search(rf"tmp\\w+\\.{rule}\\.py$", part) for part in sys.orig_argv[:2])
if mine:
    if what == "full":
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(moment), int(moment)))
    else:
        left, rename = int(moment), os.replace

        def replace(source, target):
            global left
            left -= 1
            if left == 0:
                job, snakemake = os.getpid(), os.getppid()
                with open(os.environ["FAULT_TOLD"], "w") as file:
                    file.write(str(job))
                if what == "kill-all":
                    os.kill(snakemake, signal.SIGKILL)
                    os.kill(job, signal.SIGKILL)
                if what == "kill-snakemake":
                    os.kill(snakemake, signal.SIGKILL)
                if what == "kill":
                    os.kill(job, signal.SIGKILL)
                if what == "terminate":
                    os.kill(job, signal.SIGTERM)
                if what == "interrupt":
                    os.killpg(os.getpgid(job), signal.SIGINT)
                if what in ("kill-snakemake", "wait"):
                    import time
                    while not os.path.exists(os.environ["FAULT_TOLD"] + ".go"):
                        time.sleep(0.05)
            rename(source, target)

        os.replace = replace
"""


def copied(root: Path, folder: Path) -> Path:
    """Copy the repository's own files, with the small study and the shim in it."""
    shutil.copytree(root, folder, ignore=shutil.ignore_patterns(*LEFT_OUT, "tests", "reference-results"))
    (folder / "small.yaml").write_text(SMALL, encoding="utf-8")
    (folder / "shim").mkdir()
    (folder / "shim" / "sitecustomize.py").write_text(SHIM, encoding="utf-8")
    return folder


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "snakemake", "--cores", "2", "--quiet", "rules", "host", "reason", *arguments]


def environment(folder: Path, fault: str) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(folder / "shim"), os.environ.get("PYTHONPATH", "")]))
    return dict(os.environ, PYTHONPATH=path, FAULT=fault, FAULT_TOLD=str(folder / "told"))


def interruptible() -> None:
    """Let a process be interrupted, which what a shell runs in its background is not, nor what that starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture(scope="session")
def run() -> Callable[..., subprocess.CompletedProcess]:
    """A function that runs Snakemake in a folder, with a fault in one of its jobs, in a process group of its own."""

    def call(folder: Path, *arguments: str, fault: str = "") -> subprocess.CompletedProcess:
        (folder / "told").unlink(missing_ok=True)
        return subprocess.run(
            command(*arguments),
            cwd=folder,
            env=environment(folder, fault),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
            start_new_session=True,
            preexec_fn=interruptible,
        )

    return call


@pytest.fixture(scope="session")
def small(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the small study has run to its end; not to be written to."""
    folder = copied(root, tmp_path_factory.mktemp("small") / "fergap")
    done = run_snakemake(folder, "--configfile", "small.yaml")
    assert done.returncode == 0, done.stdout
    return folder
