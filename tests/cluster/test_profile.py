"""The SLURM profile, without a cluster."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml


def plan(root: Path, folder: Path, *arguments: str) -> str:
    """Return what a dry run says."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", root / "Snakefile", "--directory", folder]
    done = subprocess.run(
        [*command, "--dry-run", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def resources(said: str) -> dict[str, dict[str, str]]:
    """Return the resources of each rule's first job in a dry run's words."""
    found: dict[str, dict[str, str]] = {}
    for rule, told in re.findall(r"^\s*rule (\w+):.*?^\s*resources: (.*?)$", said, re.MULTILINE | re.DOTALL):
        entries = dict(entry.split("=", 1) for entry in told.split(", "))
        found.setdefault(rule, {name: entries.get(name) for name in ("mem_mb", "runtime", "gpu")})
    return found


@pytest.fixture(scope="module")
def profile(root: Path) -> dict:
    return yaml.safe_load((root / "profiles/slurm/profile.yaml").read_text(encoding="utf-8"))


def test_the_first_attempt_asks_for_what_the_rules_say(root: Path, tmp_path: Path) -> None:
    place = root / "profiles/slurm"
    there = resources(plan(root, tmp_path, "--workflow-profile", str(place)))
    here = resources(plan(root, tmp_path, "--cores", "64", "--workflow-profile", "none"))
    assert set(here) > {"draw_faces", "train_folds", "audit", "render_paper"}
    assert there.keys() == here.keys()
    threads = 5
    assert here["train_folds"] == {"mem_mb": str(1000 + 1000 * threads), "runtime": "1440", "gpu": "0"}
    for rule in here:
        if rule != "train_folds":  # a dry run without cores plans one thread
            assert there[rule] == here[rule], rule


def test_every_rule_is_in_the_profile(root: Path, profile: dict) -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in (root / "rules").glob("*.smk"))
    rules = set(re.findall(r"^rule (\w+):", text, re.MULTILINE))
    assert set(profile["set-resources"]) == rules
    assert {entry.split("=")[0] for entry in profile["groups"]} == rules - {
        "train_folds",
        "ask_endpoint",
        "annotate_by_fairface",
    }
    assert all("attempt" in str(asked["mem_mb"]) for asked in profile["set-resources"].values())
    # a rule's own retries would be made inside the same allocation, with the same memory and time
    assert "retries:" not in text
    assert profile["retries"] >= 2


def test_a_gpu_is_asked_for_where_the_study_asks_for_cuda(root: Path, tmp_path: Path) -> None:
    place = str(root / "profiles/slurm")
    said = plan(root, tmp_path, "--workflow-profile", place, "--config", "training={device: cuda}")
    asked = {rule: told["gpu"] for rule, told in resources(said).items()}
    assert asked.pop("train_folds") == "1"
    assert set(asked.values()) == {None}


@pytest.mark.workflow
def test_a_large_study_is_planned_in_seconds_and_submitted_in_few_jobs(root: Path, tmp_path: Path) -> None:
    arms = [{"name": f"arm_{i}", "network": "pyramid"} for i in range(50)]
    study = {
        "study": "large",
        "folds": {"count": 10},
        "training": {"seeds": [1, 2, 3, 4, 5], "folds_per_job": 10},
        "arms": arms,
        "audit": {"contrasts": [{"before": "arm_0", "after": "arm_1"}]},
    }
    (tmp_path / "large.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
    place = str(root / "profiles/slurm")
    started = time.monotonic()
    said = plan(root, tmp_path, "--workflow-profile", place, "--configfile", str(tmp_path / "large.yaml"))
    assert time.monotonic() - started < 30
    assert int(re.search(r"^train_folds\s+(\d+)$", said, re.MULTILINE)[1]) == 50 * 5
    assert len(re.findall(r"Group job (?:faces|people|results) ", said)) == 3
