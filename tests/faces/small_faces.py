"""Small sources of faces, written by the tests themselves."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from fergap.faces.locations import PARTITION_FOLDERS
from fergap.faces.votes import HEADER, VOTES

SCHEMES = {
    "two": {"majority": ["happiness", "neutral"], "share": 0.5},
    "rules": {
        "emotions": ["neutral", "happiness", "anger"],
        "classes": [
            {"label": "angry", "when": "anger > 2"},
            {"label": "calm", "when": "neutral > others(neutral)"},
        ],
    },
}


def settings(source: str, folder: Path, **changes: object) -> dict:
    """A small study's ``faces``."""
    base = {"source": source, "folder": str(folder), "table": str(folder / "table.csv"), "size": 48}
    base |= {"drop": ["NF > 0", "unknown >= 5"], "labels": "two", "near_duplicate": 0.9, "schemes": SCHEMES}
    return base | changes


def some_pixels(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 48, 48), dtype="uint8")


def some_votes(count: int) -> pd.DataFrame:
    """Rows of ``fer2013new.csv`` that all stay under the scheme ``two``, half of each class."""
    rows = pd.DataFrame(0, index=range(count), columns=list(VOTES))
    rows.loc[::2, "happiness"] = 10
    rows.loc[1::2, "neutral"] = 8
    rows.loc[1::2, "unknown"] = 2
    usage = np.array(list(PARTITION_FOLDERS))[np.arange(count) * 3 // max(count, 1)]
    return rows.assign(Usage=usage, **{"Image name": [f"fer{i:07d}.png" for i in range(count)]})[list(HEADER)]


def write_fer2013(folder: Path, pixels: np.ndarray, votes: pd.DataFrame) -> None:
    """Write ``fer2013.csv`` and ``fer2013new.csv``."""
    lines = [" ".join(map(str, row)) for row in pixels.reshape(len(pixels), -1).tolist()]
    table = pd.DataFrame({"emotion": 3, "pixels": lines, "Usage": votes["Usage"].to_list()})
    table.to_csv(folder / "fer2013.csv", index=False)
    votes.to_csv(folder / "fer2013new.csv", index=False)


def write_ferplus(folder: Path, pixels: np.ndarray, votes: pd.DataFrame) -> None:
    """Write FER+'s folders and ``fer2013new.csv``."""
    for name in PARTITION_FOLDERS.values():
        (folder / name).mkdir()
    for picture, usage, name in zip(pixels, votes["Usage"], votes["Image name"], strict=True):
        Image.fromarray(picture).save(folder / PARTITION_FOLDERS[usage] / name)
    votes.to_csv(folder / "fer2013new.csv", index=False)
