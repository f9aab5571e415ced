"""The benchmarks run, and say so where they cannot."""

import csv
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch


@pytest.fixture
def gpu(benchmark_named):
    return benchmark_named("gpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_nothing_is_measured_and_nothing_written(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    run = subprocess.run(
        [sys.executable, root / "benchmarks/gpu.py", "--out", out], capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert "cuda is asked for" in run.stderr
    assert "nothing is measured" in run.stderr
    assert "Traceback" not in run.stderr
    assert not out.exists()


def test_the_gpu_benchmark_measures_on_the_cpu_what_it_would_on_a_gpu(gpu, tmp_path: Path) -> None:
    from fergap.training.device import Device

    device = Device("cpu", "fp32", "made up")
    tasks = gpu.make_tasks(tmp_path, device, "b4_n1_k3", 300, 2, 2)
    assert [sorted(set(task.roles)) for task in tasks] == [["test", "train", "validation"]] * 2
    found = gpu.speed(tasks, capture=False, repeats=1)
    assert found["faces_per_second"] > 0
    assert len(found["seconds_per_epoch"]) == 1
    gpu.FOLDS, gpu.EPOCHS = 2, 4
    whole = gpu.whole(tmp_path, device, "b4_n1_k3", 300, 1000)
    assert whole["how"] == "run whole"
    assert gpu.whole(tmp_path, device, "b4_n1_k3", 300, 0)["how"].startswith("extrapolated")


def test_the_cpu_benchmark_prints_ratios_and_memory(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "training.json"
    command = [sys.executable, root / "benchmarks/training.py", "--faces", "128", "--repeats", "1"]
    run = subprocess.run([*command, "--networks", "pyramid", "--out", out], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "times as fast" in run.stdout
    row = json.loads(out.read_text(encoding="utf-8"))["results"][0]
    assert row["ratio"] > 0
    assert 2e8 < row["peak_memory_bytes"] < 2e9


@pytest.fixture
def correction(benchmark_named):
    return benchmark_named("correction")


def test_corrected_intervals_cover_as_often_as_they_say(root: Path, correction) -> None:
    with (root / "benchmarks/correction.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["scenario"] for row in rows} == set(correction.SCENARIOS)
    for row in rows:
        if correction.promises(row["scenario"], row["estimator"]):
            assert 0.93 <= float(row["coverage"]) <= 0.97, row
            assert abs(float(row["mean"]) - float(row["truth"])) < 0.004, row
        if row["by_formula"]:
            assert float(row["mean"]) == pytest.approx(float(row["by_formula"]), abs=4 * float(row["monte_carlo_se"]))
        assert int(row["studies"]) >= 500


@pytest.mark.parametrize("scenario", ["few faces, alike", "errors twice as often, gold by class"])
def test_a_few_studies_find_what_the_table_of_corrections_says(root: Path, correction, scenario: str) -> None:
    with (root / "benchmarks/correction.csv").open(encoding="utf-8") as file:
        told = {row["estimator"]: row for row in csv.DictReader(file) if row["scenario"] == scenario}
    for row in correction.measure(scenario, 40, 100, seed=1):
        known = told[row["estimator"]]
        assert row["truth"] == float(known["truth"])
        spread = math.hypot(row["monte_carlo_se"], float(known["monte_carlo_se"]))
        assert row["mean"] == pytest.approx(float(known["mean"]), abs=4 * spread), row
        assert row["width"] == pytest.approx(float(known["width"]), rel=0.1), row
