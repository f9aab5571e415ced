"""A study that asks a model behind an address, from its faces to the paper."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fergap import tables
from tests.endpoint_server import Server, said
from tests.workflow.conftest import Run

pytestmark = pytest.mark.workflow
STUDY = """\
study: asked
faces: {drawn: {count: 300, children: 0.3}}
folds: {count: 2}
training: {seeds: [5], epochs: 1, precision: fp32}
arms:
  - {name: baseline, network: pyramid}
  - name: vlm
    endpoint: {url: "%s", model: made-up, size: 48, retries: 0, key_from: FERGAP_TEST_KEY, budget: 400}
audit: {contrasts: [{before: baseline, after: vlm}], resamples: 200}
paper: {formats: [html]}
"""


def test_a_study_that_asks_a_model(copy: Callable[[str], Path], snakemake: Run) -> None:
    folder, server = copy("asked"), Server()
    (folder / "asked.yaml").write_text(STUDY % server.url, encoding="utf-8")
    arguments, env = ("--configfile", "asked.yaml"), {"no_proxy": "127.0.0.1", "FERGAP_TEST_KEY": "s3cret"}
    # away after the fortieth answer, then there again: every third answer is none
    server.reply = lambda number, body: said("Neutral") if number <= 40 else (503, b"", {})
    first = snakemake(folder, *arguments, env=env)
    assert first.returncode == 1
    assert re.search(r"error: arms: endpoint: http://127\S+: no answer after 1 requests: 503", first.stdout)
    assert "Traceback" not in first.stdout
    server.reply = lambda number, body: said("I cannot tell." if number % 3 == 0 else "It is anger")
    second = snakemake(folder, *arguments, env=env)
    server.close()
    assert second.returncode == 0, second.stdout
    results = folder / "results" / "asked"
    answers = tables.read(results / "training" / "answers.csv", "answers")
    predictions = tables.read(results / "training" / "predictions.parquet", "predictions")
    assert len(server.bodies) <= len(answers) + 8  # those that were under way when the server went away
    assert set(server.keys) == {"Bearer s3cret"}
    own = predictions[predictions["arm"] == "vlm"].set_index("image_id")
    assert set(own["seed"]) == {5}
    right = own["predicted"] == own["true"]
    none = answers.set_index("image_id")["status"] != "answered"
    assert none.any()
    assert not right[none[none].index].any()
    rows = tables.read(results / "audit" / "unanswered.csv", "unanswered")
    whole = rows[(rows["attribute"] == "all") & (rows["why"] == "any")].iloc[0]
    assert (whole["n"], whole["count"]) == (len(answers), none.sum())
    changes = tables.read(results / "audit" / "gap_changes.csv", "gap_changes")
    assert set(changes["contrast"]) == {"baseline to vlm"}
    scored = tables.read(results / "audit" / "calibration_metrics.csv", "calibration_metrics")
    assert set(scored["arm"]) == {"baseline"}
    paper = (results / "paper" / "paper.html").read_text(encoding="utf-8")
    assert "of the faces have no answer" in paper
    assert "made-up-2" in paper
    again = snakemake(folder, *arguments, env=env)
    assert "Nothing to be done" in again.stdout
    written = [p for made in ("results", "logs", ".snakemake") for p in (folder / made).rglob("*") if p.is_file()]
    heard = [run.stdout for run in (first, second, again)]
    assert not any("s3cret" in text for text in heard + [p.read_text(errors="replace") for p in written])
