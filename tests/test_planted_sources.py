"""Drawn data sets whose truths differ: what was planted is found, and nothing where nothing was planted."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from fergap import tables
from fergap.audit import audit
from fergap.faces.drawn import draw, write
from fergap.faces.locations import drawn_sources, source_files
from fergap.faces.reading import gather
from fergap.people.annotation import merge
from fergap.people.annotators import from_drawn, from_source
from fergap.training.folds import split_folds
from fergap.training.pack import train_pack
from tests.training.examples import job, outputs

TRUTHS = {
    "studio": {"children": 0.05},
    "street": {"children": 0.35, "blur": 0.6, "noise": 0.04, "contrast": 0.7, "brightness": -0.15},
    "web": {"children": 0.35, "stereotype": 0.8},
    "twin": {"children": 0.05},
}
EMPTY = tables.empty("predictions")


@pytest.fixture(scope="module")
def drawn(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Faces, pixels and people of the four data sets, 450 pictures each."""
    folder = tmp_path_factory.mktemp("drawn")
    base = yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8"))["faces"]
    sources = [{"source": "drawn", "name": name, "drawn": truth} for name, truth in TRUTHS.items()]
    faces = base | {"source": "several", "sources": sources, "drawn": base["drawn"] | {"count": 450}}
    truths = drawn_sources(faces)
    for seed, (prefix, truth) in enumerate(truths.items()):
        write(draw(truth, seed), folder / prefix)
    found = gather(faces, source_files(faces, str(folder)))
    table = found.tables["faces"]
    ages = {"child": [0, 14], "adult": [15, 120]}
    people = from_drawn({prefix: folder / prefix / "people.csv" for prefix in truths}, ages)
    return {
        "faces": table,
        "pixels": found.pixels,
        "people": merge(table["image_id"], [from_source(table), people[people["image_id"].isin(table["image_id"])]]),
    }


def of_sources(drawn: dict, *names: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    faces = drawn["faces"][drawn["faces"]["source"].isin(names)].reset_index(drop=True)
    people = drawn["people"]
    return faces, people[people["image_id"].isin(faces["image_id"])].reset_index(drop=True)


def measured(drawn: dict, *names: str) -> pd.DataFrame:
    """Return the total variations of the audit without arms, by attribute and what it is crossed with."""
    faces, people = of_sources(drawn, *names)
    labels = faces.set_index("image_id")["label"]
    attributes = [a for a in ("source", "gender", "age") if people.query("attribute == @a")["group"].nunique() > 1]
    found = audit(EMPTY, people, attributes=attributes, arms=[], labels=labels, resamples=200)["dataset_bias"]
    return found[(found["metric"] == "cramers_v")].dropna(subset=["with"]).set_index(["attribute", "with"])


def test_the_planted_biases_of_the_data_are_found_and_no_others(drawn):
    different = measured(drawn, "studio", "street", "web")
    assert different.loc[("source", "age"), "p_adjusted"] < 0.01  # of 2,000 draws and six pairs no p is below 0.003
    assert different.loc[("source", "age"), "ci_low"] > 0.2
    for none in (("source", "gender"), ("age", "label"), ("gender", "age")):
        assert different.loc[none, "p_value"] > 0.01, none
    alike = measured(drawn, "studio", "twin")
    assert (alike["p_adjusted"] > 0.05).all(), alike
    assert (alike["ci_low"] == 0).all()


def test_a_planted_stereotype_is_found_in_its_own_data_set_alone(drawn):
    biased = measured(drawn, "web").loc[("gender", "label")]
    assert biased["p_adjusted"] < 0.05
    assert biased["ci_low"] > 0
    for fair in ("studio", "street"):
        assert measured(drawn, fair).loc[("gender", "label"), "p_value"] > 0.01, fair


def recognised(drawn: dict, folder: Path, *names: str) -> pd.Series:
    """Train a network to tell two data sets apart, out of fold, and return its accuracy over all faces."""
    faces, people = of_sources(drawn, *names)
    paths = {name: folder / f"{name}.parquet" for name in ("faces", "people", "folds")} | {"pixels": folder / "p.npy"}
    folder.mkdir()
    np.save(paths["pixels"], drawn["pixels"])
    folds = split_folds(faces, people, 1, count=2, repeats=1, keep_together=["exact", "near"])
    for name, table in (("faces", faces), ("people", people), ("folds", folds)):
        tables.write(table, paths[name], name)
    dealt = {"count": 2, "validation": 0.2, "keep_together": ["exact", "near"], "split": None}
    arm = {"name": "which", "network": "pyramid", "label": "source"}
    asked = job(arm=arm, units=[(1, 0, 0), (1, 0, 1)], folds=dealt, epochs=4)
    train_pack(asked, **paths, workers=1, **outputs(folder))
    which = tables.read(folder / "predictions.parquet", "predictions")
    labels = faces.set_index("image_id")["label"]
    found = audit(
        EMPTY, people, attributes=["gender"], arms=[], labels=labels, recognition=which, groups={"source": names}
    )["source_recognition"]
    return found[(found["metric"] == "accuracy") & (found["attribute"] == "all")].iloc[0]


def test_pictures_of_another_manner_are_recognised_and_those_of_the_same_are_not(drawn, tmp_path):
    other = recognised(drawn, tmp_path / "other", "studio", "street")
    assert other["ci_low"] > 0.8
    assert other["p_value"] < 0.001
    same = recognised(drawn, tmp_path / "same", "studio", "twin")
    assert same["p_value"] > 0.01
    assert same["ci_low"] < same["expected"]
