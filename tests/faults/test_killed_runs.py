"""Runs that are killed, starved and started twice, through Snakemake itself."""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from fergap.files import is_alive
from tests.faults.conftest import command, copied, environment

pytestmark = pytest.mark.workflow
Run = Callable[..., subprocess.CompletedProcess]
STUDY = ("--configfile", "small.yaml")
# a job of each stage (a worker is a process in which a job of training trains), what happens to it, and at which of its
# renames; the first of a job whose outputs are put back is that of the count of its failures
FAULTS = [
    "draw_faces:terminate:3",
    "read_faces:kill:3",
    "annotate_people:kill-all:2",
    "worker:kill:1",
    "worker:kill:2",
    "train_folds:kill-all:2",
    "train_folds:kill-snakemake:3",
    "train_folds:terminate:1",
    "audit:interrupt:8",
    "draw_figures:kill:2",
    "render_paper:terminate:1",
]
SAME = ("faces/pixels.npy", "faces/faces.parquet", "people/people.parquet", "training/predictions.parquet",
        "training/composition.csv")  # fmt: skip


def files(folder: Path) -> dict[str, bytes]:
    """Return the results that a rerun must give back byte for byte."""
    results = folder / "results" / "small"
    found = (
        [results / name for name in SAME] + sorted(results.glob("audit/*.csv")) + sorted(results.glob("**/weights/*"))
    )
    history = pd.read_csv(results / "training/history.csv").drop(columns="seconds").to_csv().encode()
    return {str(path.relative_to(results)): path.read_bytes() for path in found} | {"history": history}


def wait_until(done: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_study_killed_in_each_of_its_jobs_ends_in_the_same_bytes(
    small: Path, root: Path, tmp_path: Path, run: Run
) -> None:
    folder = copied(root, tmp_path / "fergap")
    for fault in FAULTS:
        rule, what, _ = fault.split(":")
        broken = run(folder, *STUDY, fault=fault)
        told = folder / "told"
        assert told.exists(), (fault, broken.stdout)
        assert broken.returncode != 0, fault
        if what in ("kill-all", "kill-snakemake"):
            # a job whose Snakemake is gone ends by itself
            wait_until(lambda told=told: not is_alive(int(told.read_text())))
            assert "cannot be locked" in run(folder, *STUDY).stdout
            run(folder, "--unlock", *STUDY)
        else:
            assert "to go on: " in broken.stdout, (fault, broken.stdout)
            assert "Traceback" not in broken.stdout, (fault, broken.stdout)
        if what in ("terminate", "interrupt"):
            log = next((folder / "logs/small").rglob(f"{rule}.log"), folder / "logs/small/train_folds/baseline_0.log")
            text = log.read_text(encoding="utf-8")
            assert "ended from outside" in text or "interrupted" in text, (fault, text)
            assert text.rstrip().splitlines()[-1].startswith("  to go on: "), (fault, text)
    end = run(folder, *STUDY)
    assert end.returncode == 0, end.stdout
    expected, found = files(small), files(folder)
    assert found.keys() == expected.keys()
    # not compared: the paper, runs.csv and a column of the history, which tell how long the training took
    assert [name for name in expected if found[name] != expected[name]] == []
    drafts = [
        path for path in (folder / "results").rglob(".*") if path.is_file() and path.name != ".snakemake_timestamp"
    ]
    assert drafts == []


def test_a_second_run_in_the_same_folder_is_told(small: Path, root: Path, tmp_path: Path, run: Run) -> None:
    folder = copied(root, tmp_path / "fergap")
    target = "results/small/faces/drawn/fer2013.csv"
    first = subprocess.Popen(
        command(*STUDY, "--", target),
        cwd=folder,
        env=environment(folder, "draw_faces:wait:2"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wait_until(lambda: (folder / "told").exists())
    held = (folder / "told").read_text()
    second = subprocess.run(
        command(*STUDY), cwd=folder, env=dict(os.environ), capture_output=True, text=True, check=False, timeout=120
    )
    (folder / "told.go").touch()
    said, _ = first.communicate(timeout=120)
    assert held
    assert second.returncode == 1
    assert "Directory cannot be locked" in second.stdout + second.stderr
    assert "--unlock" in second.stdout + second.stderr
    assert first.returncode == 0, said
    assert (folder / target).read_bytes() == (small / target).read_bytes()


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("read_faces:full:100000", "results/small/faces/pixels.npy: cannot be written, because the disk is full"),
        ("train_folds:full:100000", "cannot be written, because the disk is full"),
        ("audit:full:1000", "cannot be written, because the disk is full"),
    ],
)
def test_a_full_disk_is_told_and_earlier_results_stay(
    small: Path, tmp_path: Path, run: Run, fault: str, told: str
) -> None:
    folder = tmp_path / "fergap"
    subprocess.run(["cp", "-a", small, folder], check=True)
    rule = fault.split(":")[0]
    broken = run(folder, *STUDY, "--forcerun", rule, "--until", rule, fault=fault)
    assert broken.returncode == 1, broken.stdout
    assert told in broken.stdout, broken.stdout
    assert "Traceback" not in broken.stdout
    assert "to go on: " in broken.stdout.partition(told)[2]
    if rule != "train_folds":  # what a job of training makes anew is put away before; the study's tables stay
        assert files(folder) == files(small)
    for name in ("training/predictions.parquet", "audit/verdicts.csv"):
        assert (folder / "results/small" / name).read_bytes() == (small / "results/small" / name).read_bytes()


PREDICTIONS = "image_id,true,predicted\n" + "".join(f"{i},{'ab'[i % 2]},{'ab'[i % 3 % 2]}\n" for i in range(60))
AUDIT = """\
study: mine
faces: {source: none}
people: {sources: [{table: people.csv}]}
arms: [{name: one, predictions: one.csv}]
audit: {attributes: [gender], contrasts: [], resamples: 100}
"""


def test_what_could_not_be_brought_up_to_date_is_not_taken_for_up_to_date(root: Path, tmp_path: Path, run: Run) -> None:
    folder = copied(root, tmp_path / "fergap")
    (folder / "mine.yaml").write_text(AUDIT, encoding="utf-8")
    (folder / "one.csv").write_text(PREDICTIONS, encoding="utf-8")
    (folder / "people.csv").write_text(
        "image_id,gender\n" + "".join(f"{i},{'female' if i % 2 else 'male'}\n" for i in range(60))
    )
    target = "results/mine/training/predictions.parquet"
    arguments = ("--configfile", "mine.yaml", "--", target)
    assert run(folder, *arguments).returncode == 0
    before = (folder / target).read_bytes()
    # a result that was put back after a failure is younger than the input that it does not know
    (folder / "one.csv").write_text(PREDICTIONS.replace("0,a,a", "0,a,b"), encoding="utf-8")
    assert run(folder, *arguments, fault="collect_predictions:kill:2").returncode == 1
    assert (folder / target).read_bytes() == before
    again = run(folder, *arguments)
    assert again.returncode == 0, again.stdout
    assert (folder / target).read_bytes() != before
    assert "Nothing to be done" in run(folder, *arguments).stdout
    # a mistake is told in the same way, and again nothing is lost
    good = (folder / target).read_bytes()
    (folder / "one.csv").write_text(PREDICTIONS + "62,a,b,c\n", encoding="utf-8")
    broken = run(folder, *arguments)
    assert broken.returncode == 1
    assert "one.csv: cannot be read" in broken.stdout, broken.stdout
    assert "Traceback" not in broken.stdout
    assert (folder / target).read_bytes() == good


def test_every_result_that_is_updated_knows_of_a_failure(root: Path) -> None:
    for path in (root / "rules").glob("*.smk"):
        for body in path.read_text(encoding="utf-8").split("\nrule ")[1:]:
            name = body.partition(":")[0]
            assert ("=update(" not in body) or f'failures=failed_before("{name}")' in body, name
