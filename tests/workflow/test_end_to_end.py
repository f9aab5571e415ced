"""The tiny study, from drawn faces to a paper."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fergap import tables
from tests.workflow.conftest import Run

pytestmark = pytest.mark.workflow
AUDIT = [
    "changes", "checks", "confusion", "equivalence", "gap_changes", "gaps", "group_metrics", "optimism", "tests",
    "verdicts",
]  # fmt: skip
TABLES = {
    "faces/faces.parquet": "faces",
    "faces/dropped.csv": "dropped",
    "people/people.parquet": "people",
    "training/folds.parquet": "folds",
    "training/predictions.parquet": "predictions",
    "training/history.csv": "history",
    "training/adjusted/adjustments.csv": "adjustments",
    "training/composition.csv": "composition",
    "training/runs.csv": "runs",
} | {f"audit/{name}.csv": name for name in AUDIT}


def results(folder: Path) -> Path:
    return folder / "results" / "tiny"


def test_every_table_is_there_and_valid(finished: Path) -> None:
    for path, name in TABLES.items():
        assert len(tables.read(results(finished) / path, name)) > 0, path


def test_every_face_is_predicted_once_by_a_model_that_never_saw_it(finished: Path) -> None:
    faces = tables.read(results(finished) / "faces/faces.parquet", "faces")
    predictions = tables.read(results(finished) / "training/predictions.parquet", "predictions")
    tested = predictions[predictions["role"] == "test"]
    for _, arm in tested.groupby("arm"):
        assert sorted(arm["image_id"]) == sorted(faces["image_id"])
    sets = faces.set_index("image_id")["duplicate_set"]
    folds = tested.assign(set=tested["image_id"].map(sets)).groupby(["arm", "set"])["fold"].nunique()
    assert (folds == 1).all()
    roles = predictions.assign(set=predictions["image_id"].map(sets))
    assert (roles.groupby(["arm", "fold", "set"])["role"].nunique() == 1).all()
    probabilities = predictions.filter(like="p_").to_numpy()
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)


def test_an_arm_made_of_another_has_its_faces_and_folds_and_no_training(finished: Path) -> None:
    predictions = tables.read(results(finished) / "training/predictions.parquet", "predictions")
    key = ["image_id", "seed", "repeat", "fold", "role", "true"]
    before, after = (predictions[predictions["arm"] == arm].set_index(key) for arm in ("baseline", "adjusted"))
    assert before.index.equals(after.index)
    assert (before.filter(like="p_") != after.filter(like="p_")).to_numpy().mean() > 0.9
    assert "adjusted" not in set(tables.read(results(finished) / "training/runs.csv", "runs")["arm"])
    found = tables.read(results(finished) / "training/adjusted/adjustments.csv", "adjustments")
    assert found.groupby("quantity")["group"].unique().map(sorted).to_dict() == {
        "offset": ["all", "female", "male"],
        "temperature": ["adult", "all", "child"],
    }
    html = (results(finished) / "paper/paper.html").read_text(encoding="utf-8")
    assert "from baseline: a temperature for each group of age, then offsets" in html


def test_children_are_repeated_in_the_training_part_alone(finished: Path) -> None:
    composition = tables.read(results(finished) / "training/composition.csv", "composition")
    age = composition[composition["attribute"] == "age"].pivot(
        index=["arm", "fold"], columns="group", values=["faces", "rows"]
    )
    assert (age.loc["baseline", "rows"] == age.loc["baseline", "faces"]).all(axis=None)
    after = age.loc["child_oversampled"]
    assert (after[("rows", "child")] == after[("rows", "adult")]).all()
    assert (after[("faces", "child")] == age.loc["baseline"][("faces", "child")]).all()


def test_the_paper_tells_the_verdicts_in_both_formats(finished: Path) -> None:
    verdicts = tables.read(results(finished) / "audit/verdicts.csv", "verdicts")
    html = (results(finished) / "paper/paper.html").read_text(encoding="utf-8")
    text = " ".join(unescape(re.sub(r"<[^>]+>", "", html)).split())
    for sentence in verdicts.loc[~verdicts["attribute"].str.contains("*", regex=False), "sentence"]:
        assert " ".join(sentence.split()) in text
    assert "?@" not in html
    assert html.count("<figure") >= 4
    assert (results(finished) / "paper/paper.pdf").read_bytes().startswith(b"%PDF")
    said = (finished / "said.txt").read_text(encoding="utf-8")
    assert "results/tiny/paper/paper.html" in said
    assert "child − adult" in said


def test_every_job_left_its_log(finished: Path) -> None:
    logs = sorted(path.stem for path in (finished / "logs/tiny").rglob("*.log"))
    assert {"draw_faces", "read_faces", "annotate_people", "split_folds", "audit", "render_paper"} <= set(logs)
    training = (finished / "logs/tiny/train_folds/baseline_0.log").read_text(encoding="utf-8")
    assert "cpu" in training
    assert "seed" in training


def test_a_second_call_has_nothing_to_do_and_neither_has_a_copied_folder(finished: Path, snakemake: Run) -> None:
    assert "Nothing to be done" in snakemake(finished, "--configfile", "tiny.yaml").stdout
    other = finished.parent / "copied"
    shutil.copytree(finished, other)
    plan = snakemake(other, "--configfile", "tiny.yaml", "--dry-run")
    assert "Nothing to be done" in plan.stdout, plan.stdout


def test_a_change_reruns_its_own_stage_and_what_follows_alone(finished: Path, snakemake: Run) -> None:
    def planned(*more: str) -> str:
        return snakemake(finished, "--configfile", "tiny.yaml", *more, "--dry-run").stdout

    (finished / "margin.yaml").write_text("audit: {margin: 0.04}\n", encoding="utf-8")
    plan = planned("margin.yaml")
    assert "train_folds" not in plan
    assert re.search(r"^audit +1", plan, re.MULTILINE), plan
    module = finished / "scripts/fergap/paper/figures.py"
    text = module.read_text(encoding="utf-8")
    module.write_text(text + "\n# a comment\n", encoding="utf-8")
    try:
        plan = planned()
        assert "render_paper" in plan
        assert "train_folds" not in plan
        assert not re.search(r"^audit +1", plan, re.MULTILINE)
    finally:
        module.write_text(text, encoding="utf-8")


def test_a_killed_run_goes_on_and_ends_in_the_same_bytes(
    finished: Path, copy: Callable[[str], Path], snakemake: Run
) -> None:
    folder = copy("killed")
    target = "results/tiny/training/predictions.parquet"
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", "tiny.yaml", "--", target]
    run = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 300
    while not list((folder / "results/tiny/training").glob("*/checkpoints/*.safetensors")):
        assert time.monotonic() < deadline
        assert run.poll() is None
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    snakemake(folder, "--unlock", "--configfile", "tiny.yaml")
    again = snakemake(folder, "--configfile", "tiny.yaml", "--", target)
    assert again.returncode == 0, again.stdout
    assert (folder / target).read_bytes() == (finished / target).read_bytes()


def test_predictions_alone_are_audited_without_torch_or_pictures(copy: Callable[[str], Path], snakemake: Run) -> None:
    folder = copy("audit")
    rng = np.random.default_rng(1)
    n = 600
    people = pd.DataFrame(
        {
            "image_id": [f"{i:04d}" for i in range(n)],
            "gender": rng.choice(["female", "male"], n),
            "age": rng.choice(["child", "adult"], n, p=[0.3, 0.7]),
        }
    )
    true = rng.choice(["happy", "sad", "angry"], n)
    data = folder / "data/audit"
    data.mkdir(parents=True)
    people.to_csv(data / "people.csv", index=False)
    for arm, right in (("before", np.where(people["age"] == "child", 0.5, 0.8)), ("after", 0.8)):
        guess = np.where(rng.random(n) < right, true, "happy")
        table = pd.DataFrame({"image_id": people["image_id"], "true": true, "predicted": guess})
        table.to_csv(data / f"{arm}.csv", index=False)
    known = people.iloc[:200][["image_id"]].assign(attribute="age", truth=people["age"])
    known.to_csv(data / "known.csv", index=False)
    study = folder / "studies/audit.yaml"
    assert len(study.read_text(encoding="utf-8").splitlines()) < 15
    block = folder / "block"
    block.mkdir()
    (block / "torch.py").write_text("raise ImportError('no torch here')\n", encoding="utf-8")
    given = ("--config", "audit={validation: data/audit/known.csv}")
    run = snakemake(folder, "--configfile", str(study), *given, env={"PYTHONPATH": str(block)})
    assert run.returncode == 0, run.stdout
    noise = tables.read(folder / "results/audit/audit/label_noise.csv", "label_noise")
    corrected = noise[noise["scenario"].str.startswith("validation") & (noise["status"] == "ok")]
    assert set(corrected["attribute"]) == {"age"}
    assert set(corrected["ppv_group"]) == {1.0}
    verdicts = tables.read(folder / "results/audit/audit/verdicts.csv", "verdicts").set_index(["arm", "attribute"])
    assert verdicts.loc[("before", "age"), "verdict"] == "gap"
    assert (folder / "results/audit/paper/paper.html").stat().st_size > 10_000
    assert (folder / "results/audit/paper/paper.pdf").exists()
    assert not (folder / "results/audit/faces").exists()


def test_missing_data_is_told_before_any_job_starts(copy: Callable[[str], Path], snakemake: Run) -> None:
    folder = copy("missing")
    run = snakemake(folder, "--configfile", "studies/fer2013-cpu.yaml")
    assert run.returncode == 1
    assert "data/ferplus/fer2013new.csv: there is no such file" in run.stdout
    assert "to go on:" in run.stdout
    assert "Traceback" not in run.stdout
    run = snakemake(folder, "--configfile", "studies/audit.yaml")
    assert run.returncode == 1
    assert "data/audit/people.csv: there is no such file" in run.stdout
    assert "to go on:" in run.stdout


def test_a_mistyped_key_is_told_in_a_few_lines(copy: Callable[[str], Path], snakemake: Run) -> None:
    folder = copy("mistyped")
    run = snakemake(folder, "--config", "audit={margn: 0.03}")
    assert run.returncode == 1
    assert "config: audit.margn: there is no such key; did you mean 'margin'?" in run.stdout
    assert "Traceback" not in run.stdout
    assert len(run.stdout.splitlines()) < 12


def test_bad_input_ends_in_one_message_and_leaves_earlier_results(
    finished: Path, copy: Callable[[str], Path], snakemake: Run
) -> None:
    folder = finished.parent / "broken"
    shutil.copytree(finished, folder)
    table = results(folder) / "faces/drawn/fer2013.csv"
    lines = table.read_text(encoding="utf-8").splitlines()
    lines[5] = lines[5].replace(" ", " 300 ", 1)
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    kept = [results(folder) / path for path in ("faces/pixels.npy", "faces/faces.parquet", "audit/verdicts.csv")]
    before = [path.read_bytes() for path in kept]
    target = ("--allowed-rules", "read_faces", "--", "results/tiny/faces/faces.parquet")
    run = snakemake(folder, "--configfile", "tiny.yaml", *target)
    assert run.returncode == 1, run.stdout
    assert run.stdout.count("error: ") == 2, run.stdout  # where it happened, and again at the end
    assert "fer2013.csv" in run.stdout
    assert "line 6" in run.stdout
    assert "to go on: " in run.stdout
    assert "Traceback" not in run.stdout
    assert [path.read_bytes() for path in kept] == before


def bad_tables(frames: dict[str, pd.DataFrame], mistake: str) -> None:
    """Put a mistake into the tables of people, before and after."""
    if mistake == "unknown id":
        for arm in ("before", "after"):
            frames[arm].loc[3, "image_id"] = "nobody"
    elif mistake == "twice":
        frames["after"].loc[3, "image_id"] = frames["after"].loc[2, "image_id"]
    elif mistake == "class":
        frames["before"].loc[3, "predicted"] = "glad"
    elif mistake == "sum":
        frames["before"][["p_angry", "p_happy", "p_sad"]] = 0.4
    elif mistake == "missing":
        frames["before"].loc[3, "predicted"] = None
    elif mistake == "other faces":
        frames["after"] = frames["after"].iloc[1:]


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ("unknown id", "face 'nobody': it is predicted, and nobody says who it shows"),
        ("twice", "line 5: face 'f002' is predicted again"),
        ("class", "face 'f003': its 'predicted' is no declared class"),
        ("sum", "the probabilities of face 'f000' do not sum to 1"),
        ("missing", "column 'predicted', line 5"),
        ("other faces", "do not predict the same faces"),
    ],
)
def test_bad_predictions_end_in_one_message_and_write_nothing(
    mistake: str, message: str, root: Path, tmp_path: Path, snakemake: Run
) -> None:
    n = 60
    true = ["angry", "happy", "sad"] * (n // 3)
    ids = [f"f{i:03d}" for i in range(n)]
    table = pd.DataFrame({"image_id": ids, "true": true, "predicted": [*true[1:], true[0]]})
    frames = {"people": pd.DataFrame({"image_id": ids, "gender": ["female", "male"] * (n // 2)})}
    frames |= {"before": table.copy(), "after": table.copy()}
    bad_tables(frames, mistake)
    for name, frame in frames.items():
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    (tmp_path / "study.yaml").write_text(
        "study: bad\nfaces: {source: none}\npeople: {sources: [{table: people.csv}]}\n"
        "arms: [{name: before, predictions: before.csv}, {name: after, predictions: after.csv}]\n"
        "audit:\n  attributes: [gender]\n  classes: [angry, happy, sad]\n"
        "  contrasts: [{before: before, after: after}]\n",
        encoding="utf-8",
    )
    target = ("--", "results/bad/audit/verdicts.csv")
    run = snakemake(tmp_path, "--snakefile", str(root / "Snakefile"), "--configfile", "study.yaml", *target)
    assert run.returncode == 1, run.stdout
    assert run.stdout.count("error: ") == 2, run.stdout  # where it happened, and again at the end
    assert message in run.stdout
    assert "Traceback" not in run.stdout
    assert not list(tmp_path.glob("results/bad/audit/*"))
