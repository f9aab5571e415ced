"""From the page over raters' files to an adjudication and to other tools, as a user calls it."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fergap import tables
from fergap.people.raters import OWN
from tests.workflow.conftest import Run

STUDY = """\
study: asked
faces: {{drawn: {{count: 200, children: 0.3}}}}
people:
  sources: {sources}
  annotation: {{size: 60, raters: [anna, ben, cleo]}}
"""


def content(page: Path) -> dict:
    text = page.read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="content">(.*?)</script>', text, re.S)[1])


def answered(page: Path, rater: str, truth: pd.DataFrame, error: float) -> pd.DataFrame:
    """What a rater who errs at random in a share of the answers saves on a page, one face in six twice."""
    asked, rng = content(page), np.random.default_rng(len(rater))
    groups = {q["attribute"]: [a["group"] for a in q["answers"]] for q in asked["questions"]}
    places = [(i, 0) for i in range(len(asked["ids"]))] + [(i, 1) for i in range(0, len(asked["ids"]), 6)]
    rows = []
    for order, (i, repeat) in enumerate(places[: None if asked["disputed"] is None else len(asked["ids"])], 1):
        row = {"image_id": asked["ids"][i]}
        for name, known in groups.items():
            if asked["disputed"] is not None and name not in asked["disputed"][i]:
                continue
            true = truth.loc[asked["ids"][i], name]
            row[name] = true if rng.random() >= error else next(g for g in known if g != true)
        moment = f"2026-01-01T10:{order // 60:02}:{order % 60:02}.000Z"
        own = (rater, moment, 1.5, order, repeat, 0, int(asked["disputed"] is not None), asked["page"])
        rows.append(row | dict(zip(OWN, own, strict=True)))
    return pd.DataFrame(rows)


def test_two_raters_and_who_decides_between_them(copy, snakemake: Run) -> None:
    folder = copy("asked")
    people = folder / "results" / "asked" / "people"

    def make(target: str, sources: str) -> None:
        (folder / "asked.yaml").write_text(STUDY.format(sources=sources), encoding="utf-8")
        run = snakemake(folder, target, "--configfile", "asked.yaml")
        assert run.returncode == 0, run.stdout

    make("annotate", "[drawn]")
    sample = tables.read(people / "annotation_sample.csv", "annotation_sample")
    assert len(sample) == 60
    truth = tables.read(people / "people.parquet", "people").pivot(
        index="image_id", columns="attribute", values="group"
    )
    for rater in ("anna", "ben"):
        answered(people / "annotate.html", rater, truth, 0.15).to_csv(folder / f"{rater}.csv", index=False)
    page = (people / "annotate.html").read_bytes()
    make("adjudicate", "[{table: [anna.csv, ben.csv]}, drawn]")
    differ = tables.read(people / "adjudication.csv", "adjudication")
    raters = tables.read(people / "raters.parquet", "raters")
    said = raters[raters["rater"] != "drawn"].groupby(["image_id", "attribute"])["answer"].nunique()
    drawn = raters[raters["rater"] == "drawn"].set_index(["image_id", "attribute"])["answer"]
    assert raters["repeat"].sum() == 2 * 10 * truth.shape[1]
    assert {("anna", 1), ("ben", 1)} <= set(zip(raters["rater"], raters["repeat"], strict=True))
    assert set(said[said > 1].index) <= set(zip(differ["image_id"], differ["attribute"], strict=True))
    assert 5 < len(differ) < 80
    asked = content(people / "adjudicate.html")
    differ = differ[differ["people_differ"] == 1]  # which the truth of drawn faces does not make
    assert set(said[said > 1].index) == set(zip(differ["image_id"], differ["attribute"], strict=True))
    assert sorted(asked["ids"]) == sorted(differ["image_id"].unique())
    decided = answered(people / "adjudicate.html", "cleo", truth, 0)
    decided.to_csv(folder / "cleo.csv", index=False)
    before = (people / "adjudicate.html").read_bytes()
    sources = "[{table: [anna.csv, ben.csv, cleo.csv]}, drawn]"
    make("adjudicate", sources)
    assert (people / "adjudicate.html").read_bytes() == before
    make("annotate", sources)
    assert (people / "annotate.html").read_bytes() == page
    found = tables.read(people / "people.parquet", "people").set_index(["image_id", "attribute"])
    keys = list(zip(differ["image_id"], differ["attribute"], strict=True))
    assert found.loc[keys, "group"].tolist() == drawn.loc[keys].tolist()
    assert set(found.loc[keys, "annotator"]) == {"cleo"}
    again = tables.read(people / "adjudication.csv", "adjudication")
    assert ((again["adjudicated"] == "cleo") == (again["people_differ"] == 1)).all()
    make("exchange", sources)
    assert len(list((people / "exchange").glob("[a-z]*"))) == 5


@pytest.mark.parametrize(
    ("target", "sources", "said"),
    [
        ("adjudicate", "[drawn]", "nothing to adjudicate"),
        ("annotate", "[{table: [anna.csv, cut.jsonl]}]", "no JSON object"),
    ],
)
def test_what_cannot_be_asked_is_told(copy, snakemake: Run, target: str, sources: str, said: str) -> None:
    folder = copy("told")
    (folder / "asked.yaml").write_text(STUDY.format(sources=sources), encoding="utf-8")
    (folder / "anna.csv").write_text("image_id,gender\nface_000001,female\n", encoding="utf-8")
    (folder / "cut.jsonl").write_text('{"image_id": "face', encoding="utf-8")
    run = snakemake(folder, target, "--configfile", "asked.yaml")
    assert run.returncode == 1
    assert said in run.stdout
    assert "Traceback" not in run.stdout
