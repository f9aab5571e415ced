"""The R oracle's data sets and answers, and audits of them."""

import functools
import json
from pathlib import Path

import pandas as pd

from fergap.audit import audit

ORACLE = Path(__file__).resolve().parent.parent / "oracle"
DATASETS = sorted(path.stem for path in ORACLE.glob("o*.csv"))
ARMS = ("before", "after")


@functools.cache
def answers() -> dict:
    """R's answers: tests/oracle/README.md describes the fields."""
    return json.loads((ORACLE / "oracle.json").read_text())


@functools.cache
def faces(name: str) -> pd.DataFrame:
    """A data set of the oracle, one row per face."""
    return pd.read_csv(ORACLE / f"{name}.csv")


def predictions_of(frame: pd.DataFrame) -> pd.DataFrame:
    """The columns pred_before and pred_after as two arms."""
    parts = [
        frame[["image_id", "fold", "true"]].assign(
            arm=arm, predicted=frame[f"pred_{arm}"], seed=1, repeat=0, role="test"
        )
        for arm in ARMS
    ]
    return pd.concat(parts, ignore_index=True)


def people_of(frame: pd.DataFrame, attributes: tuple[str, ...] = ("gender", "age")) -> pd.DataFrame:
    """The columns of attributes as the long table."""
    return frame.melt("image_id", list(attributes), "attribute", "group")


@functools.cache
def audited(name: str, resamples: int = 1000, minimum_faces: int = 2) -> dict[str, pd.DataFrame]:
    """The audit of a data set of the oracle."""
    frame = faces(name)
    attributes = ("gender", "age", "race") if "race" in frame else ("gender", "age")
    return audit(
        predictions_of(frame),
        people_of(frame, attributes),
        attributes=attributes,
        reference={"gender": "male", "age": "adult"} | ({"race": "asian"} if "race" in frame else {}),
        contrasts=[{"before": "before", "after": "after"}],
        resamples=resamples,
        minimum_faces=minimum_faces,
        classes=answers()["datasets"][name]["classes"],
        seed=7,
    )
