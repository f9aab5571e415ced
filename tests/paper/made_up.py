"""A made-up study's folder, as the paper finds it: simulated predictions, audited, and the other stages' tables."""

import functools
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from fergap import tables
from fergap.audit import audit
from fergap.paper.results import FOLDERS

ROOT = Path(__file__).resolve().parents[2]


def study_config(**changes):
    """The demo's configuration with some sections updated."""
    study = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    for key, value in changes.items():
        study[key] = study[key] | value if isinstance(value, dict) else value
    return study | {"versions": {"python": "3.11.9", "numpy": "2.4.6"}, "commit": "0123abc", "engine": "fallback"}


def simulate(arms, classes, groups, n, seed):
    """Predictions and people of ``n`` faces: the last group of each attribute is rarer and harder in the first arm."""
    rng = np.random.default_rng(seed)
    ids = np.array([f"f{i:05d}" for i in range(n)])
    true, fold = rng.choice(classes, n), rng.integers(0, 5, n)
    chance, people = np.full(n, 0.62), []
    for attribute, names in groups.items():
        rare = 0.12 if attribute == "age" else 1 / len(names)
        own = rng.choice(names, n, p=[(1 - rare) / (len(names) - 1)] * (len(names) - 1) + [rare])
        chance -= np.where((own == names[-1]) & (attribute == "age"), 0.12, 0)
        people.append(pd.DataFrame({"image_id": ids, "attribute": attribute, "group": own, "annotator": "drawn"}))
    out = []
    for i, arm in enumerate(arms):
        for role, bonus in (("test", 0), ("train", 0.2)):
            right = rng.random(n) < chance + bonus + 0.02 * i
            guess = np.where(right, true, rng.choice(classes, n))
            out.append(
                pd.DataFrame(
                    {
                        "arm": arm,
                        "image_id": ids,
                        "seed": 1,
                        "repeat": 0,
                        "fold": fold,
                        "role": role,
                        "true": true,
                        "predicted": guess,
                    }
                )
            )
    return pd.concat(out, ignore_index=True), pd.concat(people, ignore_index=True)


@functools.cache
def audited(text, classes, groups, n, seed):
    """The audit's tables of a simulated study (its configuration as JSON, to be cached by)."""
    study, groups = json.loads(text), dict(groups)
    settings = study["audit"]
    predictions, people = simulate([a["name"] for a in study["arms"]], classes, groups, n, seed)
    return audit(
        predictions,
        people,
        attributes=settings["attributes"],
        reference=settings["reference"],
        groups=groups,
        margin=settings["margin"],
        confidence=settings["confidence"],
        resamples=100,
        contrasts=settings["contrasts"],
        minimum_faces=settings["minimum_faces"],
        arms=[a["name"] for a in study["arms"]],
        seed=1,
    )


def history(arms, folds=5, epochs=8):
    """Learning curves of a training that never was."""
    fold, epoch = (x.ravel() for x in np.meshgrid(range(folds), range(1, epochs + 1), indexing="ij"))
    parts = [
        pd.DataFrame(
            {
                "arm": arm,
                "seed": 1,
                "repeat": 0,
                "fold": fold,
                "epoch": epoch,
                "train_loss": 1.6 / epoch**0.5,
                "train_accuracy": 0.4 + 0.05 * epoch,
                "validation_loss": 1.7 / epoch**0.4 + 0.01 * fold,
                "validation_accuracy": 0.42 + 0.02 * epoch + 0.004 * fold + 0.01 * i,
                "learning_rate": 0.001,
                "seconds": 2.0,
                "chosen": (epoch == epochs - fold % 3).astype(int),
            }
        )
        for i, arm in enumerate(arms)
    ]
    return pd.concat(parts, ignore_index=True)


def training_tables(arms):
    """What five folds of a training would have recorded."""
    composition = [
        {
            "arm": arm,
            "seed": 1,
            "repeat": 0,
            "fold": f,
            "attribute": "age",
            "group": g,
            "faces": n,
            "rows": n * (7 if i and g == "child" else 1),
        }
        for i, arm in enumerate(arms)
        for f in range(5)
        for g, n in (("adult", 950), ("child", 130))
    ]
    runs = [
        {
            "arm": arm,
            "seed": 1,
            "repeat": 0,
            "fold": f,
            "network": "pyramid",
            "parameters": 82000,
            "device": "cpu",
            "precision": "fp32",
            "torch": "2.13.0",
            "epochs": 8,
            "chosen": 8 - f % 3,
            "training_rows": 1080,
            "seconds": 16.0,
            "flops": 13_732_736,
            "memory": 500_000_000,
        }
        for arm in arms
        for f in range(5)
    ]
    return {"history": history(arms), "composition": pd.DataFrame(composition), "runs": pd.DataFrame(runs)}


def faces_tables(classes):
    """What the cleaning and labelling of 1,871 pictures would have recorded."""
    label = [{"label": c, "matched": 400 + 9 * i, "assigned": 375 + i} for i, c in enumerate(classes)]
    return {
        "dropped": pd.DataFrame({"reason": ["NF > 0", "no label"], "count": [50, 321], "examples": ["a, b", None]}),
        "labels": pd.DataFrame(label),
        "overlaps": pd.DataFrame({"first": [classes[0]], "second": [classes[1]], "count": [12]}),
    }


def write_study(
    folder,
    study=None,
    faces=True,
    training=True,
    edit=None,
    classes=("anger", "happiness", "neutral", "sadness"),
    groups=(("gender", ("male", "female")), ("age", ("adult", "child"))),
    n=1500,
    seed=1,
):
    """Write a study's folder; ``edit`` may change the tables (a dict by name) before they are written."""
    folder, study = Path(folder), study or study_config()
    arms = [a["name"] for a in study["arms"]]
    found = {k: v.copy() for k, v in audited(json.dumps(study), tuple(classes), groups, n, seed).items()}
    found |= faces_tables(classes) if faces else {}
    found |= training_tables(arms) if training else {}
    if edit:
        edit(found)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.json").write_text(json.dumps(study), encoding="utf-8")
    for name, frame in found.items():
        where = next((f for f, names in FOLDERS.items() if name in names), "audit")
        tables.write(frame, folder / where / f"{name}.csv", name)
    for file in ("published.yaml", "references.bib"):
        shutil.copy(ROOT / "report" / file, folder / file)
    return folder
