"""One table out of many jobs' tables."""

import os
import sys
from collections.abc import Mapping, Sequence

import pandas as pd

from fergap import tables
from fergap.errors import UserError
from fergap.training.external import read_external

UNIT = ["arm", "seed", "repeat", "fold"]


def collect_tables(paths: Sequence[str | os.PathLike], name: str, out: str | os.PathLike) -> None:
    """Write the tables ``name`` of all jobs as one, in the order of ``paths``."""
    tables.write(tables.joined(paths, name), out, name)


def collect_predictions(
    packs: Sequence[str | os.PathLike],
    external: Mapping[str, str | os.PathLike],
    faces: str | os.PathLike | None,
    seed: int,
    out: str | os.PathLike,
    classes: Sequence[str] = (),
) -> None:
    """Write the predictions of all arms as one table.

    Parameters
    ----------
    packs : sequence of path
        The ``predictions.parquet`` of the jobs, and of the arms that are made of other arms' or ask.
    external : mapping
        Arms that bring predictions of their own: name to file.
    faces : path or None
        ``faces.parquet``, where the study has faces.
    seed : int
        What an external file's missing ``seed`` stands for.
    out : path
        ``predictions.parquet``.
    classes : sequence of str
        ``audit.classes``: the classes of given predictions, where the study lists them.

    Raises
    ------
    UserError
        A file does not hold what it should, or two arms disagree about a face's true label.
    """
    parts = [tables.read(p, "predictions") for p in packs]
    known = tables.read(faces, "faces") if faces else None
    for arm, path in external.items():
        frame, counts = read_external(path, arm, seed, known, classes)
        print(
            f"arm {arm}: {counts['faces']} faces predicted, {counts['without_prediction']} without a prediction",
            file=sys.stderr,
        )
        parts.append(frame)
    together = pd.concat(parts, ignore_index=True) if parts else tables.empty("predictions")
    label = together.groupby("image_id")["true"].transform("first")
    if (clash := label != together["true"]).any():
        row = together.loc[clash.idxmax()]
        raise UserError(
            f"arm {row['arm']} gives face {row['image_id']!r} the true label {row['true']!r}, another arm "
            f"{label[clash.idxmax()]!r}",
            where="arms: predictions",
            expected="one true label per face",
        )
    tables.write(together, out, "predictions")
