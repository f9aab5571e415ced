"""Small data for the training tests: pictures with a bright bar whose angle is the class."""

import numpy as np
import pandas as pd

from fergap import tables
from fergap.training.folds import split_folds

CLASSES = ("across", "down")
FOLDS = {"count": 3, "validation": 0.2, "keep_together": ["exact", "near"], "split": None}
RECIPE = {
    "optimizer": "adam",
    "learning_rate": 0.001,
    "weight_decay": 0.0001,
    "batch_size": 16,
    "flip": 0.5,
    "rotation": 10,
}


def pictures(count, size=16, seed=0):
    """Return pixels, faces and people: ``count`` pictures in sets of one or two, a fifth of them children."""
    draw = np.random.default_rng(seed)
    label = draw.integers(0, 2, count)
    place = np.arange(size)[None, :] - draw.integers(4, size - 4, count)[:, None]
    bar = (np.abs(place) < 2)[:, :, None] * np.ones((1, 1, size))
    bar = np.where(label[:, None, None] == 0, bar, bar.transpose(0, 2, 1))
    pixels = np.clip(90 + 80 * bar + draw.normal(0, 20, bar.shape), 0, 255).astype(np.uint8)
    sets = np.arange(count)
    twin = np.arange(1, count, 10)
    sets[twin], label[twin], pixels[twin] = twin - 1, label[twin - 1], pixels[twin - 1]
    faces = pd.DataFrame(
        {
            "image_id": [f"{i:05d}" for i in range(count)],
            "source": "made",
            "partition": None,
            "label": np.array(CLASSES, object)[label],
            "row": np.arange(count),
            "exact_set": sets,
            "duplicate_set": sets,
            "ambiguity": 0.0,
        }
    )
    age = np.where(draw.random(count) < 0.2, "child", "adult").astype(object)
    age[draw.random(count) < 0.1] = None
    people = pd.DataFrame(
        {
            "image_id": faces["image_id"],
            "attribute": "age",
            "group": age,
            "value": np.nan,
            "confidence": 1.0,
            "annotator": "made",
        }
    )
    return pixels, faces, people


def study(folder, count=120, seed=7):
    """Write the inputs of a training job to ``folder`` and return their paths."""
    pixels, faces, people = pictures(count)
    folds = split_folds(faces, people, seed, count=3, repeats=1, keep_together=FOLDS["keep_together"])
    paths = {name: folder / f"{name}.parquet" for name in ("faces", "people", "folds")}
    for (name, path), table in zip(paths.items(), (faces, people, folds), strict=True):
        tables.write(table, path, name)
    np.save(folder / "pixels.npy", pixels)
    return paths | {"pixels": folder / "pixels.npy"}


def job(**changes):
    """Return the settings of a job that trains two folds for three epochs."""
    return {
        "arm": {"name": "baseline", "network": "pyramid"},
        "units": [(1, 0, 0), (1, 0, 2)],
        "recipe": RECIPE,
        "epochs": 3,
        "device": "cpu",
        "precision": "fp32",
        "folds": FOLDS,
        "seed": 7,
        "stream": "training",
        "published": False,
    } | changes


def outputs(folder):
    """Return the paths of a job's outputs below ``folder``."""
    return {
        "predictions": folder / "predictions.parquet",
        "history": folder / "history.csv",
        "composition": folder / "composition.csv",
        "runs": folder / "runs.csv",
        "weights": folder / "weights",
        "checkpoints": folder / "checkpoints",
    }
