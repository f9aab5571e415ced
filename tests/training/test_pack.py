import os
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from fergap import tables
from fergap.errors import UserError
from fergap.training.checkpoint import load_tensors, save_tensors
from fergap.training.device import choose_device
from fergap.training.pack import train_pack
from fergap.training.unit import better
from fergap.training.weights import load_weights

from .examples import CLASSES, job, outputs

RESULTS = ("predictions.parquet", "composition.csv")
# trains in a process that ends itself at the kill-th rename, the temporary file being there
KILLED = """
import os, signal, sys
sys.path[:0] = [{scripts!r}, {root!r}]
from pathlib import Path
import fergap.files
from fergap.training.pack import train_pack
from tests.training.examples import job, outputs, study
left = {kill}
rename = os.replace
def replace(source, target):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    rename(source, target)
fergap.files.os.replace = replace
folder = Path({folder!r})
paths = {{n: folder / f"{{n}}.parquet" for n in ("faces", "people", "folds")}} | {{"pixels": folder / "pixels.npy"}}
train_pack(job(), **paths, workers=1, **outputs(folder / "killed"))
"""


def run(paths, folder, workers=1, **changes):
    train_pack(job(**changes), **paths, workers=workers, **outputs(folder))
    return folder


def digest(folder):
    files = [folder / name for name in RESULTS] + sorted((folder / "weights").iterdir())
    history = pd.read_csv(folder / "history.csv", dtype=str).drop(columns="seconds")
    return {f.name: sha256(f.read_bytes()).hexdigest() for f in files} | {"history.csv": history.to_csv()}


@pytest.fixture(scope="module")
def whole(inputs):
    folder, paths = inputs
    return run(paths, folder / "whole")


def test_the_tables_say_what_was_done(whole, inputs):
    predictions = tables.read(whole / "predictions.parquet", "predictions")
    history = tables.read(whole / "history.csv", "history")
    runs = tables.read(whole / "runs.csv", "runs")
    assert predictions.groupby("fold").size().to_dict() == {0: 120, 2: 120}
    assert not predictions.duplicated(["image_id", "fold"]).any()
    np.testing.assert_allclose(predictions[["p_across", "p_down"]].sum(axis=1), 1)
    assert history.groupby("fold")["epoch"].agg(list).tolist() == [[1, 2, 3]] * 2
    assert history.groupby("fold")["chosen"].sum().tolist() == [1, 1]
    assert runs["chosen"].tolist() == history.loc[history["chosen"] == 1, "epoch"].tolist()
    assert runs["device"].str.startswith("cpu: ").all()
    folds = tables.read(inputs[1]["folds"], "folds")
    tested = predictions.loc[(predictions["role"] == "test") & (predictions["fold"] == 2), "image_id"]
    assert set(tested) == set(folds.loc[folds["fold"] == 2, "image_id"])
    assert not (whole / "checkpoints").exists() or not any((whole / "checkpoints").iterdir())


def test_two_runs_and_two_workers_end_in_the_same_bytes(whole, inputs):
    folder, paths = inputs
    assert digest(run(paths, folder / "side_by_side", workers=2)) == digest(whole)


@pytest.mark.parametrize("kill", [2, 5])  # epochs 2 of the first fold and 1 of the second (after its weights)
def test_a_killed_run_goes_on_and_ends_in_the_same_bytes(kill, whole, inputs, tmp_path, capsys):
    _, paths = inputs
    for path in paths.values():
        (tmp_path / path.name).symlink_to(path)
    root = Path(__file__).parents[2]
    code = KILLED.format(scripts=str(root / "scripts"), root=str(root), kill=kill, folder=str(tmp_path))
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    kept = [p.name for p in (tmp_path / "killed" / "checkpoints").iterdir()]
    assert any(name.startswith(".seed_1") for name in kept)
    assert "seed_1_repeat_0_fold_0.safetensors" in kept
    assert digest(run(paths, tmp_path / "killed")) == digest(whole)
    assert "goes on after epoch " + {2: "1", 5: "3"}[kill] in capsys.readouterr().err
    assert not list((tmp_path / "killed" / "checkpoints").iterdir())


@pytest.mark.parametrize("damage", ["cut", "bit", "foreign", "other"])
def test_a_damaged_or_foreign_checkpoint_is_told_and_ignored(damage, whole, inputs, tmp_path, capsys):
    _, paths = inputs
    kept = []

    def keep(source, target, rename=os.replace):
        rename(source, target)
        if "checkpoints" in str(target):
            kept.append((Path(target), Path(target).read_bytes()))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fergap.files.os.replace", keep)
        changes = {"recipe": job()["recipe"] | {"learning_rate": 0.002}} if damage == "other" else {}
        run(paths, tmp_path, **changes)
    path, content = kept[1]
    if damage == "cut":
        content = content[:-100]
    elif damage == "bit":
        content = content[:-100] + bytes([content[-100] ^ 1]) + content[-99:]
    elif damage == "foreign":
        content = b"\x80\x04not safetensors"
    path.write_bytes(content)
    capsys.readouterr()
    assert digest(run(paths, tmp_path)) == digest(whole)
    said = capsys.readouterr().err
    assert "fold 1 of 3: starts over, because the checkpoint" in said
    assert ("belongs to another" if damage == "other" else "damaged") in said


def test_weights_predict_what_the_table_says(whole, inputs):
    trained = load_weights(whole / "weights" / "seed_1_repeat_0_fold_2.safetensors")
    assert tuple(trained.about["classes"]) == CLASSES
    share = trained.probabilities(np.load(inputs[1]["pixels"]))
    table = tables.read(whole / "predictions.parquet", "predictions").query("fold == 2")
    np.testing.assert_allclose(share, table[["p_across", "p_down"]], atol=1e-5)


def test_weights_of_something_else_are_refused(tmp_path):
    save_tensors({"a": torch.zeros(2)}, {"network": "pyramid"}, tmp_path / "w.safetensors")
    with pytest.raises(UserError, match="says nothing about classes"):
        load_weights(tmp_path / "w.safetensors")
    with pytest.raises(UserError, match="damaged or no file"):
        load_weights(tmp_path / "none.safetensors")


def test_oversampling_is_in_the_training_part_alone(whole, inputs, tmp_path):
    arm = {"name": "more", "network": "pyramid", "oversample": {"age": "child", "to": "parity"}}
    run(inputs[1], tmp_path, arm=arm, epochs=1, units=[(1, 0, 0)])
    counts = tables.read(tmp_path / "composition.csv", "composition").set_index("group")
    people = tables.read(inputs[1]["people"], "people").fillna({"group": "unknown"}).set_index("image_id")["group"]
    more, base = (tables.read(f / "predictions.parquet", "predictions").query("fold == 0") for f in (tmp_path, whole))
    assert more["role"].tolist() == base["role"].tolist()
    part = people.reindex(more.loc[more["role"] == "train", "image_id"]).value_counts()
    assert counts["faces"].to_dict() == part.to_dict()
    assert counts["rows"].to_dict() == part.to_dict() | {"child": part["adult"]}
    assert tables.read(tmp_path / "runs.csv", "runs")["training_rows"].tolist() == [counts["rows"].sum()]


def test_arms_start_from_the_same_weights_and_order(whole, inputs, tmp_path):
    run(inputs[1], tmp_path, arm={"name": "placebo", "network": "pyramid"}, units=[(1, 0, 0)])
    ours, theirs = (load_tensors(f / "weights/seed_1_repeat_0_fold_0.safetensors")[0] for f in (tmp_path, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_network_learns(inputs, tmp_path):
    run(inputs[1], tmp_path, epochs=12, units=[(1, 0, 0)])
    table = tables.read(tmp_path / "predictions.parquet", "predictions").query("role == 'test'")
    assert (table["true"] == table["predicted"]).mean() > 0.9


def test_bf16_trains_too(inputs, tmp_path):
    run(inputs[1], tmp_path, precision="bf16", epochs=1, units=[(1, 0, 0)])
    assert tables.read(tmp_path / "runs.csv", "runs")["precision"].tolist() == ["bf16"]


def test_the_epoch_is_chosen_on_the_validation_part():
    rows = [
        {"validation_accuracy": a, "validation_loss": loss}
        for a, loss in [(0.5, 1.0), (0.6, 1.2), (0.6, 1.1), (0.6, 1.1)]
    ]
    best = None
    for row in rows:
        best = row if better(row, best) else best
    assert best is rows[2]


def test_the_test_fold_has_no_say(inputs, whole, tmp_path):
    _, paths = inputs
    faces, folds = (pd.read_parquet(paths[n]) for n in ("faces", "folds"))
    pixels = np.load(paths["pixels"])
    tested = faces["image_id"].isin(folds.loc[folds["fold"] == 0, "image_id"]).to_numpy()
    pixels[tested] = 0
    np.save(tmp_path / "pixels.npy", pixels)
    run(paths | {"pixels": tmp_path / "pixels.npy"}, tmp_path, units=[(1, 0, 0)])
    ours = tables.read(tmp_path / "history.csv", "history")
    theirs = tables.read(whole / "history.csv", "history").query("fold == 0").reset_index(drop=True)
    assert ours.drop(columns="seconds").equals(theirs.drop(columns="seconds"))


def test_a_diverging_run_is_told_from_a_worker(inputs, tmp_path):
    recipe = job()["recipe"] | {"learning_rate": 1e30, "optimizer": "sgd"}
    with pytest.raises(UserError, match="the loss is not finite after epoch"):
        run(inputs[1], tmp_path, recipe=recipe, workers=2)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
@pytest.mark.parametrize(("built_with", "said"), [("12.9", "no CUDA GPU"), (None, "is built without it")])
def test_cuda_asked_for_and_absent_is_told_in_two_lines(monkeypatch, built_with, said):
    monkeypatch.setattr(torch.version, "cuda", built_with)
    monkeypatch.setattr(torch.version, "hip", None)
    with pytest.raises(UserError, match=said) as caught:
        choose_device("cuda", "auto")
    assert len(str(caught.value).splitlines()) == 2
    assert choose_device("auto", "fp32").kind == "cpu"


@pytest.fixture
def two_sources(inputs, tmp_path):
    _, paths = inputs
    faces = tables.read(paths["faces"], "faces")
    faces["source"] = np.where(np.arange(len(faces)) % 4 < 2, "lab", "street")
    tables.write(faces, tmp_path / "faces.parquet", "faces")
    return paths | {"faces": tmp_path / "faces.parquet"}, faces


def test_networks_that_never_saw_a_source_predict_it(two_sources, tmp_path):
    paths, faces = two_sources
    dealt = {"count": 2, "validation": 0.2, "keep_together": ["exact", "near"], "split": None, "by": ["lab", "street"]}
    run(paths, tmp_path / "unseen", units=[(1, 0, 0), (1, 0, 1)], folds=dealt, epochs=1)
    predictions = tables.read(tmp_path / "unseen/predictions.parquet", "predictions")
    source = predictions["image_id"].map(faces.set_index("image_id")["source"])
    tested = predictions["role"] == "test"
    assert (source[tested] == predictions.loc[tested, "fold"].map({0: "lab", 1: "street"})).all()
    assert sorted(predictions.loc[tested, "image_id"]) == sorted(faces["image_id"])
    assert not (source[~tested] == predictions.loc[~tested, "fold"].map({0: "lab", 1: "street"})).any()


def test_a_network_recognises_the_source(two_sources, tmp_path):
    paths, faces = two_sources
    run(paths, tmp_path / "which", arm={"name": "which", "network": "pyramid", "label": "source"}, epochs=1)
    predictions = tables.read(tmp_path / "which/predictions.parquet", "predictions")
    known = faces.set_index("image_id")["source"]
    assert (predictions["true"] == predictions["image_id"].map(known)).all()
    assert {c for c in predictions if c.startswith("p_")} == {"p_lab", "p_street"}
