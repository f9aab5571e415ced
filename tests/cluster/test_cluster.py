"""The study through SLURM, undisturbed and with jobs that are cancelled, too long, too large or on a node that dies.

Each run must end in the local run's tables, byte for byte. Training is deterministic, so that equal tables alone would
not show that a job went on where it was stopped: its log must say so too.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from tests.cluster.conftest import TABLES, Study
from tests.cluster.local_slurm import Cluster

pytestmark = [pytest.mark.workflow, pytest.mark.cluster]
TIMED = ("runs.csv", "history.csv")  # which hold seconds
RULES = ("draw_faces", "read_faces", "annotate_people", "split_folds", "collect_predictions", "collect_history")
RULES += ("audit", "draw_figures", "render_paper")


def undisturbed(study: Study) -> None:
    """Let the study run."""


def cancelled(study: Study) -> None:
    """Cancel a training job."""
    job = study.training_job()
    study.freeze(job)
    study.cluster.ask("scancel", job["JobId"])


def out_of_time(study: Study) -> None:
    """Hold a training job until its time, of which it gets one minute, is over."""
    job = study.training_job()
    study.freeze(job)
    study.cluster.ask("scontrol", "update", f"JobId={job['JobId']}", "TimeLimit=1")


def out_of_memory(study: Study) -> None:
    """Make a training process take more memory than its job asked for."""
    job = study.training_job()
    (study.folder / f"take-{job['JobId']}").touch()


def node_dies(study: Study) -> None:
    """Cut the power of the node on which a training job runs."""
    job = study.training_job()
    study.freeze(job)
    study.cluster.crash(job["NodeList"])


# what happens; how SLURM calls it; what the site has set
SCENARIOS = {
    "out_of_time": (out_of_time, "TIMEOUT", {}),
    "node_dies": (node_dies, "NODE_FAIL", {"profile": {"slurm-no-requeue": True}}),
    "undisturbed": (undisturbed, "COMPLETED", {}),
    "cancelled": (cancelled, "CANCELLED", {}),
    "out_of_memory": (out_of_memory, "FAILED", {"environment": {"PYTHONPATH": str(Path(__file__).parent / "greedy")}}),
}
FAULTS = [name for name in SCENARIOS if name != "undisturbed"]


@pytest.fixture(scope="module")
def studies(new: Callable, prepared: Callable, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future]]:
    """Every scenario's study after its end, each on a cluster of its own; some at a time, since they mostly wait."""

    def run(name: str, place: Path) -> Study:
        happens, _, site = SCENARIOS[name]
        folder, targets = (new(name), ()) if name == "undisturbed" else (prepared(name), ("--", *TABLES))
        with Cluster(place) as cluster:
            study = Study(folder, cluster, *targets, **site)
            try:
                happens(study)
            finally:
                study.end()
        return study

    places = {name: tmp_path_factory.mktemp("slurm") for name in SCENARIOS}
    with ThreadPoolExecutor(3) as pool:
        yield {name: pool.submit(run, name, place) for name, place in places.items()}
        pool.shutdown(cancel_futures=True)


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of the study's results but the paper and the tables that hold seconds."""
    results = folder / "results/tiny"
    found = [path for part in ("faces", "people", "training", "audit") for path in sorted((results / part).rglob("*"))]
    return {str(p.relative_to(results)): p.read_bytes() for p in found if p.is_file() and p.name not in TIMED}


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_study_ends_in_the_same_bytes_as_without_a_cluster(studies: dict, local: Path, name: str) -> None:
    study = studies[name].result()
    assert study.code == 0, study.end_of_said
    here, there = contents(local), contents(study.folder)
    assert {"audit/verdicts.csv", "training/predictions.parquet"} < set(here)
    assert list(there) == list(here)
    assert [path for path in here if there[path] != here[path]] == []
    for name in TIMED:
        tables = [pd.read_csv(folder / "results/tiny/training" / name) for folder in (local, study.folder)]
        pd.testing.assert_frame_equal(*(t.drop(columns=["seconds", "memory"], errors="ignore") for t in tables))


def test_every_rule_is_a_job_of_the_cluster_and_leaves_its_logs(studies: dict) -> None:
    study = studies["undisturbed"].result()
    assert {job["JobState"] for job in study.jobs()} == {"COMPLETED"}
    # faces, people and results are groups of small rules
    assert len(study.jobs()) == 3 + 2, study.jobs()
    groups = " ".join(path.parent.name for path in (study.folder / "logs/slurm").glob("group_*/*.log"))
    assert all(rule in groups for rule in RULES), groups
    assert len(list((study.folder / "logs/slurm/rule_train_folds").rglob("*.log"))) == 2
    training = (study.folder / "logs/tiny/train_folds/baseline_0.log").read_text(encoding="utf-8")
    assert "2 networks, cpu" in training
    assert study.said.count("localrule ") == 1
    assert (study.folder / "results/tiny/paper/paper.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_gpu_trains_one_job_at_a_time(studies: dict, name: str) -> None:
    study = studies[name].result()
    training = study.jobs("train_folds")
    assert {job["TresPerJob"] for job in training} == {"gres:gpu:1"}
    # each node has eight CPUs but one GPU: what keeps the two arms' jobs apart are the GPUs
    assert {job["NodeList"] for job in training} == {"n1", "n2"}
    for node in ("n1", "n2"):
        spans = sorted((job["StartTime"], job["EndTime"]) for job in training if job["NodeList"] == node)
        assert all(end <= start for (_, end), (start, _) in pairwise(spans)), spans
    assert not [job for job in study.jobs() if job not in training and "TresPerJob" in job]


@pytest.mark.parametrize("name", FAULTS)
def test_a_lost_job_is_told_and_submitted_anew_and_goes_on(studies: dict, name: str) -> None:
    study, state = studies[name].result(), SCENARIOS[name][1]
    assert [job["JobState"] for job in study.attempts()] == [state, "COMPLETED"], study.end_of_said
    assert [job["JobState"] for job in study.jobs("train_folds_wildcards_tiny_child")] == ["COMPLETED"]
    assert f"SLURM status is: '{state}'" in study.said
    log = (study.folder / "logs/tiny/train_folds/baseline_0.log").read_text(encoding="utf-8")
    assert "goes on after epoch" in log
    assert "starts over" not in log


def test_memory_grows_with_each_attempt_and_the_log_tells_why(studies: dict) -> None:
    study = studies["out_of_memory"].result()
    first, second = study.attempts()
    assert (first["MinMemoryNode"], second["MinMemoryNode"]) == ("3000M", "6000M")
    assert "Exceeded job memory limit" in study.said
    log = next((study.folder / "logs/slurm").rglob(f"{first['JobId']}.log"))
    assert "exceeded memory limit" in log.read_text(encoding="utf-8")


def test_a_users_mistake_is_told_on_the_terminal(prepared: Callable, tmp_path: Path) -> None:
    target = "results/tiny/training/baseline/pack_0/predictions.parquet"
    asked = ("--config", "training={device: cuda}", "--", target)
    with Cluster(tmp_path) as cluster:
        study = Study(prepared("cuda"), cluster, *asked, profile={"retries": 0})
        study.end()
    assert study.code == 1, study.end_of_said
    assert "error: training: device: cuda is asked for, but" in study.said
    assert "to go on: " in study.said
    (job,) = study.attempts()
    assert (job["JobState"], job["TresPerJob"]) == ("FAILED", "gres:gpu:1")
