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
from fergap.paper.results import relative

ROOT = Path(__file__).resolve().parents[2]


def study_config(**changes):
    """The demo's configuration with some sections updated."""
    study = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    study["audit"] |= {
        "attributes": ["gender", "age"],
        "contrasts": [{"before": "baseline", "after": "child_oversampled"}],
    }
    for key, value in changes.items():
        study[key] = study[key] | value if isinstance(value, dict) else value
    return study | {"versions": {"python": "3.11.9", "numpy": "2.4.6"}, "commit": "0123abc", "engine": "fallback"}


GRID = ("b16_n4_k3", "b16_n8_k5", "b32_n4_k5")


def full_config(**changes):
    """A study with everything that the paper can show: a placebo, networks on one split, both choices of the epoch."""
    study = study_config(**changes)
    study["arms"] = [
        *study["arms"],
        {"name": "placebo", "network": "pyramid", "placebo": True},
        *({"name": name, "network": name, "split": [0.7, 0.15, 0.15]} for name in GRID),
    ]
    contrast = {"before": "baseline", "after": "child_oversampled", "placebo": "placebo"}
    study["audit"] = study["audit"] | {"contrasts": [contrast]}
    study["training"] = study["training"] | {"report_published_protocol": True}
    return study


def splits_of(study):
    """The arms of a study that have one split of their own."""
    return tuple(arm["name"] for arm in study["arms"] if arm.get("split"))


def simulate(arms, classes, groups, n, seed, few=None, split=()):
    """Predictions and people of ``n`` faces: the last group of age is rarer and harder; ``few`` keeps so many of it.

    Arms of ``split`` predict every third face.
    """
    rng, sureness = (np.random.default_rng([seed, *more]) for more in ((), (1,)))
    ids = np.array([f"f{i:05d}" for i in range(n)])
    true, fold = rng.choice(classes, n), rng.integers(0, 5, n)
    chance, people = np.full(n, 0.62), []
    for attribute, names in groups.items():
        rare = 0.12 if attribute == "age" else 1 / len(names)
        own = rng.choice(names, n, p=[(1 - rare) / (len(names) - 1)] * (len(names) - 1) + [rare])
        if few is not None and attribute == "age":
            own[np.flatnonzero(own == names[-1])[few:]] = names[0]
        chance -= np.where((own == names[-1]) & (attribute == "age"), 0.12, 0)
        people.append(pd.DataFrame({"image_id": ids, "attribute": attribute, "group": own, "annotator": "drawn"}))
    out = []
    for i, arm in enumerate(arms):
        for role, bonus in (("test", 0), ("train", 0.2)):
            right = rng.random(n) < chance + bonus + 0.02 * i
            guess = np.where(right, true, rng.choice(classes, n))
            sure = np.where(guess == true, sureness.uniform(0.4, 1, n), sureness.uniform(0.3, 0.9, n))
            scores = {f"p_{c}": np.where(guess == c, sure, (1 - sure) / (len(classes) - 1)) for c in classes}
            kept = np.arange(n) % 3 == 0 if arm in split else np.full(n, True)
            out.append(
                pd.DataFrame(
                    scores
                    | {
                        "arm": arm,
                        "image_id": ids,
                        "seed": 1,
                        "repeat": 0,
                        "fold": fold,
                        "role": role,
                        "true": true,
                        "predicted": guess,
                    }
                )[kept]
            )
    return pd.concat(out, ignore_index=True), pd.concat(people, ignore_index=True)


def alike(predictions, people):
    """Sets of two faces, of the same groups and both right or both wrong under the first arm, as far as there are."""
    rows = predictions[(predictions["arm"] == predictions["arm"].iloc[0]) & (predictions["role"] == "test")]
    groups = people.pivot(index="image_id", columns="attribute", values="group")
    keys = groups.assign(right=(rows["true"] == rows["predicted"]).to_numpy())
    order = keys.sort_values(list(keys), kind="stable").index
    return pd.Series(np.arange(len(order)) // 2, index=order)


def taggers(predictions, people):
    """What taggers of simulated faces say: surer of adults than of children."""
    child = people[people["attribute"] == "age"].set_index("image_id")["group"] == "child"
    spread = np.random.default_rng(3).integers(0, 4, len(child)) + child.to_numpy()
    read = {"answered": 1 - 0.05 * (spread % 2), "right": 0.9 - 0.1 * spread, "kept": 0.95 - 0.02 * spread}
    return pd.DataFrame(read | {"ambiguity": 0.4 * spread}, index=child.index)


def raters(people):
    """What a person says of every third face, and a model of all, wrong about every tenth."""
    groups = {a: sorted(own["group"].unique()) for a, own in people.groupby("attribute")}
    other = {(a, g): names[(i + 1) % len(names)] for a, names in groups.items() for i, g in enumerate(names)}
    wrong = np.arange(len(people)) % 10 == 4
    keys = list(zip(people["attribute"], people["group"], strict=True))
    said = [other[key] if bad else key[1] for key, bad in zip(keys, wrong, strict=True)]
    answers = people.rename(columns={"group": "answer"})
    person, model = answers[np.arange(len(answers)) % 3 == 0], answers.assign(answer=said)
    return pd.concat([person.assign(rater="ann"), model.assign(rater="machine")]).assign(adjudication=0, repeat=0)


@functools.cache
def audited(text, classes, groups, n, seed, few, sets, validation):
    """The audit's tables of a simulated study (its configuration as JSON, to be cached by).

    With ``sets``, faces belong together by twos; with ``validation``, some true ages are known.
    """
    study, groups = json.loads(text), dict(groups)
    settings = study["audit"]
    predictions, people = simulate([a["name"] for a in study["arms"]], classes, groups, n, seed, few, splits_of(study))
    known = people[people["attribute"] == "age"].reset_index(drop=True)[["image_id", "attribute", "group"]]
    names = groups.get("age", [None])
    wrong = known.index % 12 == 0
    known = known.assign(
        truth=known["group"].where(~wrong, known["group"].map(dict(zip(names, names[::-1], strict=True))))
    )
    return audit(
        predictions,
        people.assign(confidence=np.where(people.index % 3, 0.95, 0.65)),
        attributes=settings["attributes"],
        reference=settings["reference"],
        groups=groups,
        margin=settings["margin"],
        confidence=settings["confidence"],
        resamples=100,
        contrasts=settings["contrasts"],
        minimum_faces=settings["minimum_faces"],
        arms=[a["name"] for a in study["arms"]],
        clusters=alike(predictions, people) if sets else None,
        validation=known[known.index % 2 == 0] if validation else None,
        taggers=taggers(predictions, people),
        raters=raters(people),
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


def with_published_protocol(found):
    """Add what the study knows that also looked at the reported faces in every epoch."""
    history, keys = found["history"], ["arm", "seed", "repeat", "fold"]
    found["history"] = history.assign(test_accuracy=history["validation_accuracy"] - 0.01 * (history["epoch"] % 2))
    best = found["history"].groupby(keys)["test_accuracy"].max().rename("published_protocol_accuracy")
    found["runs"] = found["runs"].merge(best.reset_index(), on=keys)


def training_tables(arms, split=()):
    """What five folds of a training would have recorded, and one split of the arms of ``split``."""
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
            "network": arm if arm in split else "pyramid",
            "parameters": 82_000 + 40_000 * (arm in split) * (i + 1),
            "device": "cpu",
            "precision": "fp32",
            "torch": "2.13.0",
            "epochs": 8,
            "chosen": 8 - f % 3,
            "training_rows": 1080,
            "seconds": 16.0,
            "flops": 13_732_736 * (1 + (arm in split) * i),
            "memory": 500_000_000,
        }
        for i, arm in enumerate(arms)
        for f in range(5)
    ]
    found = {"history": history(arms), "composition": pd.DataFrame(composition), "runs": pd.DataFrame(runs)}
    return {k: t[~t["arm"].isin(split) | (t["fold"] == 0)].reset_index(drop=True) for k, t in found.items()}


def faces_tables(classes):
    """What the cleaning and labelling of 1,871 pictures would have recorded."""
    label = [{"label": c, "matched": 400 + 9 * i, "assigned": 375 + i} for i, c in enumerate(classes)]
    return {
        "dropped": pd.DataFrame({"reason": ["NF > 0", "no label"], "count": [50, 321], "examples": ["a, b", None]}),
        "labels": pd.DataFrame(label),
        "overlaps": pd.DataFrame({"first": [classes[0]], "second": [classes[1]], "count": [12]}),
    }


def sample_tables(arms, classes, groups, n, seed, few):
    """The faces of :func:`simulate`, some of them copies, and who is in them."""
    predictions, people = simulate(arms, classes, dict(groups), n, seed, few)
    first = predictions.drop_duplicates("image_id").reset_index(drop=True)
    row = np.arange(n)
    faces = pd.DataFrame({"image_id": first["image_id"], "source": "drawn", "partition": "Training"})
    faces = faces.assign(label=first["true"], row=row, ambiguity=np.where(row % 3, 0.8, 0.0))
    faces["exact_set"] = np.where(row % 20 == 1, row - 1, row)
    faces["duplicate_set"] = np.where(row % 10 == 1, row - 1, row)
    return {"faces": faces, "people": people.assign(value=np.nan, confidence=0.9)}


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
    few=None,
    sets=False,
    validation=False,
):
    """Write a study's folder; ``edit`` may change the tables (a dict by name) before they are written."""
    folder, study = Path(folder), study or study_config()
    arms = [a["name"] for a in study["arms"]]
    found = {
        k: v.copy()
        for k, v in audited(json.dumps(study), tuple(classes), groups, n, seed, few, sets, validation).items()
    }
    found |= faces_tables(classes) if faces else {}
    if training:
        found |= training_tables([a["name"] for a in study["arms"] if "from" not in a], splits_of(study))
        if study["training"].get("report_published_protocol"):
            with_published_protocol(found)
    found["calibration"] = tables.read(ROOT / "benchmarks" / "calibration.csv", "calibration")
    if faces:
        found |= sample_tables(arms, tuple(classes), groups, n, seed, few)
    if edit:
        edit(found)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.json").write_text(json.dumps(study), encoding="utf-8")
    for name, frame in found.items():
        tables.write(frame, folder / relative(name), name)
    for file in ("published.yaml", "references.bib"):
        shutil.copy(ROOT / "report" / file, folder / file)
    return folder
