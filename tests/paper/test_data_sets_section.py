"""Several data sets, and a data set without any arm, in the paper."""

import json

import numpy as np
import pandas as pd
import pytest
from made_up import ROOT, study_config

from fergap import tables
from fergap.audit import audit
from fergap.paper import data_sets, dataset, methods
from fergap.paper.cards import data_sheet, model_card, summary_card
from fergap.paper.descriptions import DESCRIPTIONS
from fergap.paper.document import Document
from fergap.paper.figures import draw
from fergap.paper.figures_data import classes_by_group
from fergap.paper.qmd import parse, without
from fergap.paper.results import Results, relative
from fergap.paper.tables import TABLES

SOURCES = ("lab", "street")
ARMS = [
    {"name": "seen", "network": "pyramid"},
    {"name": "unseen", "network": "pyramid", "folds": {"by": "source"}},
    {"name": "which", "network": "pyramid", "label": "source"},
]


def made(n=800):
    """Return predictions of classes and of sources, and people; in the lab are more women, who are happier."""
    rng = np.random.default_rng(2)
    ids = [f"f{i}" for i in range(n)]
    source = rng.choice(SOURCES, n)
    female = rng.random(n) < np.where(source == "lab", 0.7, 0.4)
    true = np.where(rng.random(n) < 0.4 + 0.3 * female, "happiness", "anger")
    groups = {"source": source, "gender": np.where(female, "female", "male"), "hair": rng.choice(["dark", "fair"], n)}
    people = [pd.DataFrame({"image_id": ids, "attribute": a, "group": g}) for a, g in groups.items()]
    head = {"image_id": ids, "seed": 1, "repeat": 0, "fold": 0, "role": "test"}
    right = rng.random(n) < 0.8
    worse = right & (rng.random(n) < np.where(source == "street", 0.7, 1))
    other = np.where(true == "anger", "happiness", "anger")
    predictions = [
        pd.DataFrame(head | {"arm": arm, "true": true, "predicted": np.where(hit, true, other)})
        for arm, hit in (("seen", right), ("unseen", worse))
    ]
    named = np.where(rng.random(n) < 0.7, source, rng.choice(SOURCES, n))
    which = pd.DataFrame(head | {"arm": "which", "true": source, "predicted": named})
    return pd.concat(predictions, ignore_index=True), which, pd.concat(people, ignore_index=True)


def written(folder, arms):
    """Write a study's audit and configuration to a folder and return its results."""
    study = study_config()
    drawn = study["faces"]["drawn"]
    study["faces"] |= {"source": "several", "sources": [{"source": "drawn", "name": s, "drawn": {}} for s in SOURCES]}
    study["audit"] |= {"attributes": ["source", "gender", "hair"], "contrasts": []}
    study |= {"arms": arms}
    study["faces"]["drawn"] = drawn
    predictions, which, people = made()
    names = [arm["name"] for arm in arms if not arm.get("label")]
    labels = predictions.drop_duplicates("image_id").set_index("image_id")["true"]
    found = audit(
        predictions if arms else tables.empty("predictions"),
        people,
        attributes=study["audit"]["attributes"],
        groups={"source": SOURCES},
        arms=names,
        labels=labels,
        recognition=which if arms else None,
        unseen={"unseen": "seen"} if arms else {},
        resamples=200,
    )
    for name, table in found.items():
        path = folder / relative(name)
        path.parent.mkdir(exist_ok=True)
        tables.write(table, path, name)
    (folder / "study.json").write_text(json.dumps(study), encoding="utf-8")
    return Results(folder)


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    return written(tmp_path_factory.mktemp("several"), ARMS)


@pytest.fixture(scope="module")
def data_alone(tmp_path_factory):
    return written(tmp_path_factory.mktemp("alone"), [])


def test_what_is_told_of_several_data_sets_follows_the_tables(several):
    assert several.arms == ["seen", "unseen"]
    said = data_sets.unseen(several)
    table = several.table("unseen_sources").query("attribute == 'all'").set_index("source")
    assert table.loc["street", "p_adjusted"] < 0.001
    assert "street faces are recognised" in said
    assert "less often by networks that never saw the source" in said
    assert "that lab faces are recognised more or less often" in said
    assert f"{100 * abs(table.loc['street', 'estimate']):.1f}" in said
    assert "the data sets can be told apart" in data_sets.recognised(several)
    rows = TABLES["unseen_sources"](several).splitlines()
    assert len(rows) == 2 + 3 * 5
    assert TABLES["recognition_matrix"](several).count("%") == 4
    figures = draw(several)
    assert {"recognition", "unseen"} <= set(figures)
    assert "lab by which" in DESCRIPTIONS["recognition"](several)
    assert "street, unseen" in DESCRIPTIONS["unseen"](several)
    assert "leaves each source out in turn" in TABLES["arms"](several)
    assert "recognises the source of a face" in TABLES["arms"](several)
    told = methods.protocol(several.study)
    assert "which is trained on the same folds" in told
    assert "unseen leaves each source out" in told
    assert "two classifiers" in methods.question(several.study, Document(several.folder).values)


def test_a_data_set_without_arms_is_told_of(data_alone):
    paper = Document(data_alone.folder)
    assert data_alone.arms == []
    assert data_alone.classes == ["anger", "happiness"]
    assert paper.values["faces"] == "800"
    abstract = paper.abstract()
    assert "how biased a data set is" in abstract
    assert "The classes depend on gender" in abstract
    assert "Source and gender (Cramér" in dataset.together(data_alone).split("is not shown")[0]
    shown, _, other = dataset.together(data_alone).partition("is not shown for")
    assert "hair" not in shown
    assert "source and hair" in other
    assert set(draw(data_alone)) == {"classes_by_group", "shares_by_one", "shares_by_two", "shares_by_three"}
    assert "female: anger" in DESCRIPTIONS["classes_by_group"](data_alone)
    assert "no model" in model_card(data_alone)
    assert "classes depend on gender" in data_sheet(data_alone)
    assert summary_card(data_alone).texts
    assert "Nothing was predicted" in paper.limitations()


def test_no_bar_is_cut_where_an_attribute_has_longer_ones_than_the_last(data_alone):
    for axes in classes_by_group(data_alone).axes:
        assert max(bar.get_width() for bar in axes.patches) < axes.get_xlim()[1]


def test_the_document_without_arms_refers_to_nothing_that_it_lacks():
    text = (ROOT / "report" / "paper.qmd").read_text(encoding="utf-8")
    alone, usual = without(text, "with-arms"), without(text, "without-arms")
    assert "sec-measures" in alone
    assert "sec-measures" not in usual
    for gone in ("{#sec-results", "{#sec-training", "{#sec-power", "{#sec-ledger", "@sec-gaps shows"):
        assert gone not in alone, gone
        assert gone in usual or gone == "@sec-gaps shows", gone
    for kept in ("{#sec-data}", "{#sec-people}", "{#sec-limitations}", "{#sec-values}"):
        assert kept in alone, kept
    assert len(alone.splitlines()) == len(text.splitlines())
    parse(alone, "paper.qmd")


def test_sections_end_at_the_next_heading_of_their_level():
    text = "# A\na\n## B {#sec-b .gone}\nb\n### C\n```{python}\n# no heading\n```\nc\n## D\nd\n# E {.gone}\ne\n"
    kept = [line for line in without(text, "gone").splitlines() if line]
    assert kept == ["# A", "a", "## D", "d"]
