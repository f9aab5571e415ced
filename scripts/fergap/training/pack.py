"""One job of the workflow: some of an arm's networks, trained, and what they say as tables."""

import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from fergap import tables
from fergap.models.pretrained import origin
from fergap.models.registry import build
from fergap.seeds import generator
from fergap.study import SOURCE
from fergap.training.checkpoint import fingerprint
from fergap.training.device import Device, choose_device
from fergap.training.folds import LEFT_OUT, roles, roles_without, split_once
from fergap.training.groups import CLASS, groups_of, named_by, wide_groups
from fergap.training.interventions import composition, intervene
from fergap.training.plan import unit_label, unit_name
from fergap.training.pool import train_units
from fergap.training.recipe import Recipe
from fergap.training.targets import soft_targets
from fergap.training.unit import Outcome, Task
from fergap.training.weighting import row_weights


def _source() -> str:
    folder = Path(__file__).parents[1]
    total = sha256()
    for file in sorted(folder.glob("models/*.py")) + sorted(folder.glob("training/*.py")):
        total.update(file.read_bytes())
    return total.hexdigest()


def make_tasks(
    job: Mapping,
    faces: pd.DataFrame,
    people: pd.DataFrame,
    folds: pd.DataFrame,
    pixels: Path,
    device: Device,
    checkpoints: Path,
    weights: Path,
) -> tuple[list[Task], pd.DataFrame]:
    """Return the tasks of a job (see :func:`train_pack`) and the composition of their training parts."""
    arm, seed = job["arm"], job["seed"]
    classes = tuple(sorted(faces["label"].unique()))
    pictures = tables.load_pixels(pixels, faces["row"])
    channels = 1 if pictures.ndim == 3 else pictures.shape[1]
    start = {key: arm[key] for key in ("weights", "tuned") if key in arm}
    build(arm["network"], len(classes), channels, pictures.shape[-1], **start)
    labels = faces["label"].map({c: i for i, c in enumerate(classes)}).to_numpy(np.int64)
    people_groups = wide_groups(people, faces["image_id"])
    groups = people_groups.assign(**{CLASS: faces["label"].to_numpy(object)})
    compared = {name: groups_of(groups, name, f"arms: {arm['name']}: by") for name in named_by(arm)}
    about = {
        "arm": arm,
        "recipe": job["recipe"],
        "scheme": job.get("scheme"),
        "epochs": job["epochs"],
        "stream": job["stream"],
        "published": job["published"],
        "seed": seed,
        "classes": classes,
        "pixels": sha256(np.ascontiguousarray(pictures)).hexdigest(),
        "start": origin(arm["network"].lower(), arm.get("weights", "none")),
        "labels": sha256(labels.tobytes()).hexdigest(),
        "groups": {name: sha256(of.codes.tobytes()).hexdigest() for name, of in compared.items()},
        "device": device,
        "torch": torch.__version__,
        "source": _source(),
    }
    split, keep = job["folds"]["split"], job["folds"]["keep_together"]
    tasks, compositions = [], []
    for unit in job["units"]:
        s, repeat, fold = unit = tuple(unit)
        cut = job["folds"]["validation"]
        if split:
            role = split_once(faces, people, seed, split, keep)
        elif sources := job["folds"].get("by"):
            role = roles_without(faces, people, seed, sources[fold], validation=cut, keep_together=keep)
        else:
            role = roles(faces, people, folds, seed, repeat, fold, validation=cut, keep_together=keep)
        before = np.flatnonzero(role == "train")

        def stream(name: str, unit: tuple = unit) -> np.random.Generator:
            # a placebo has random numbers of its own, and the very faces of the arm that it stands for
            return generator(seed, "training" if name == "composition" else job["stream"], *unit, name)

        after = intervene(before, groups, arm, stream)
        counts = composition(before, after, people_groups)
        weigh = arm.get("reweight")
        compositions.append(counts.assign(arm=arm["name"], seed=s, repeat=repeat, fold=fold))
        owner = {"unit": unit, "roles": "".join(r[0] for r in role), "training": after.tolist()}
        targets = soft_targets(faces, classes, before, **job["scheme"], seed=seed) if job.get("scheme") else None
        owner["targets"] = None if targets is None else sha256(targets.tobytes()).hexdigest()
        tasks.append(
            Task(
                arm=arm["name"],
                network=arm["network"],
                unit=unit,
                label=unit_label(unit, 1 if split else job["folds"]["count"], len({u[0] for u in job["units"]})),
                classes=classes,
                recipe=Recipe(**job["recipe"]),
                epochs=job["epochs"],
                seed=seed,
                streams=(job["stream"], *unit),
                published=job["published"],
                pixels=pixels,
                rows=faces["row"].to_numpy(),
                labels=labels,
                roles=role,
                training=after,
                device=device,
                owner=fingerprint(about | owner),
                checkpoint=checkpoints / f"{unit_name(unit)}.safetensors",
                weights=weights,
                targets=targets,
                options=arm,
                groups=compared,
                start=start,
                row_weights=row_weights(after, groups, weigh, f"arms: {arm['name']}: reweight") if weigh else None,
            )
        )
    return tasks, pd.concat(compositions, ignore_index=True)


def predictions_of(task: Task, outcome: Outcome, faces: pd.DataFrame) -> pd.DataFrame:
    """Return one row per face that has a role, of table ``predictions``."""
    seed, repeat, fold = task.unit
    names = np.array(task.classes, object)
    head = {
        "arm": task.arm,
        "image_id": faces["image_id"],
        "seed": seed,
        "repeat": repeat,
        "fold": fold,
        "role": task.roles,
        "true": faces["label"],
        "predicted": names[outcome.probabilities.argmax(1)],
    }
    table = pd.DataFrame(head | {f"p_{c}": outcome.probabilities[:, i] for i, c in enumerate(task.classes)})
    return table[task.roles != LEFT_OUT]


def train_pack(
    job: Mapping,
    *,
    faces: Path,
    people: Path,
    folds: Path,
    pixels: Path,
    workers: int,
    checkpoints: Path,
    weights: Path,
    predictions: Path,
    history: Path,
    composition: Path,
    runs: Path,
) -> None:
    """Train some of an arm's networks and write what they say.

    Parameters
    ----------
    job : mapping
        From :func:`fergap.training.plan.job_settings`.
    faces, people, folds, pixels : pathlib.Path
        Files to read.
    workers : int
        Processes on the CPU; the numbers do not depend on it.
    checkpoints : pathlib.Path
        Folder for the state after each epoch; this job's files there are removed at the end.
    weights : pathlib.Path
        Folder for one safetensors file per unit.
    predictions, history, composition, runs : pathlib.Path
        Tables to write.

    Raises
    ------
    UserError
        What the config asks for does not exist, or an input does not hold what it should.
    """
    arm, device = job["arm"], choose_device(job["device"], job["precision"])
    face_table = tables.read(faces, "faces")
    if arm.get("label") == SOURCE:
        face_table["label"] = face_table["source"]
    tasks, counts = make_tasks(
        job,
        face_table,
        tables.read(people, "people"),
        tables.read(folds, "folds"),
        pixels,
        device,
        checkpoints,
        weights,
    )
    for task in tasks:
        for draft in task.checkpoint.parent.glob(f".{task.checkpoint.stem}.*"):
            draft.unlink()
    title = f"training {arm['name']}"
    print(
        f"{title}: {len(tasks)} networks, {device.kind} ({device.name}), {device.precision}, seed {job['seed']}",
        file=sys.stderr,
    )
    if job.get("scheme") and tasks[0].targets is None:
        print(f"{title}: soft_labels have no effect, because these faces have no votes", file=sys.stderr)
    outcomes = train_units(tasks, title, workers)
    pairs = list(zip(tasks, outcomes, strict=True))
    heads = [dict(zip(("arm", "seed", "repeat", "fold"), (t.arm, *t.unit), strict=True)) for t in tasks]
    rows = [
        head | row | {"chosen": int(row["epoch"] == o.chosen)}
        for head, o in zip(heads, outcomes, strict=True)
        for row in o.history
    ]
    units_table = pd.DataFrame(heads).assign(
        network=arm["network"],
        parameters=[o.parameters for o in outcomes],
        device=f"{device.kind}: {device.name}",
        precision=device.precision,
        torch=torch.__version__,
        epochs=[t.epochs for t in tasks],
        chosen=[o.chosen for o in outcomes],
        training_rows=[len(t.training) for t in tasks],
        seconds=[o.seconds for o in outcomes],
        flops=[o.flops for o in outcomes],
        memory=[o.memory for o in outcomes],
    )
    if job["published"]:
        best = [max(row["test_accuracy"] for row in o.history) for o in outcomes]
        units_table["published_protocol_accuracy"] = best
    said = pd.concat([predictions_of(t, o, face_table) for t, o in pairs], ignore_index=True)
    tables.write(said, predictions, "predictions")
    tables.write(pd.DataFrame(rows), history, "history")
    tables.write(counts, composition, "composition")
    tables.write(units_table, runs, "runs")
    for task in tasks:
        task.checkpoint.unlink(missing_ok=True)
