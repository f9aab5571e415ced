"""The agreement of raters in the paper."""

import re

import pandas as pd
from tests.paper.made_up import write_study

from fergap.paper.figures import draw
from fergap.paper.raters import agreement, description, figure, raters_agree
from fergap.paper.results import Results
from fergap.tables import TABLES

HEAD = {"attribute": "age", "among": "all", "answer": None, "n": 200, "confidence": 0.95, "status": "ok"}
TWO = {"first": "ann", "second": "bob", "raters": 2}


def results(folder, alpha, disputes):
    rows = [
        {"metric": "percent_agreement", "estimate": 0.93, "ci_low": 0.89, "ci_high": 0.96} | TWO,
        {"metric": "cohens_kappa", "estimate": 0.61, "ci_low": 0.48, "ci_high": 0.74} | TWO,
        {"metric": "percent_agreement", "among": "anger", "estimate": 0.5} | TWO,
        {"metric": "krippendorffs_alpha", "raters": 3} | alpha,
        {"metric": "percent_agreement", "estimate": 0.985, "first": "ann", "second": "ann", "raters": 1},
        {"metric": "answers_differ", "estimate": 0.085, "raters": 3} | disputes,
        {"metric": "adjudicated", "estimate": 0.75, "n": 17, "raters": 3} | disputes,
        {"metric": "suggestion_shown", "estimate": 0.25, "n": 600, "raters": 3} | disputes,
    ]

    def edit(found):
        found["agreement"] = pd.DataFrame([HEAD | row for row in rows], columns=list(TABLES["agreement"].columns))

    return Results(write_study(folder, n=400, edit=edit))


def test_the_table_and_the_sentence_say_what_the_rows_do(tmp_path):
    study = results(tmp_path, {"estimate": 0.57, "ci_low": 0.41, "ci_high": 0.7}, {})
    table = agreement(study).replace("\N{NO-BREAK SPACE}", " ")
    assert len(table.splitlines()) == 2 + 3
    for text in (
        "ann and bob",
        "93.0 % [89.0, 96.0]",
        "0.61 [0.48, 0.74]",
        "all 3",
        "0.57 [0.41, 0.70]",
        "ann, again",
        "98.5 %",
    ):
        assert text in table
    said = re.sub(r"\[([^][]*)\]\{[^}]*\}", r"\1", raters_agree(study).replace("\N{NO-BREAK SPACE}", " "))
    assert "0.57 [0.41, 0.70]" in said
    assert "Answers differ on 8.5 % of 200 faces on age." in said
    assert "Of these, 75.0 % of 17 on age were decided in a second round; its answers count." in said
    assert "25.0 % of the answers on age were given with the study's guess in view" in said


def test_people_are_told_from_models_among_the_raters(tmp_path):
    study = results(tmp_path, {"estimate": 0.57, "raters": 2, "ci_low": 0.4, "ci_high": 0.7}, {})
    assert "all 2" in agreement(study)
    rows = study.table("agreement")
    model = rows[rows["first"].notna()].assign(second="machine")
    study.tables["agreement"] = pd.concat([rows, model], ignore_index=True)
    assert "the 2 people" in agreement(study)
    assert "Beyond chance those raters who are people agree by" in raters_agree(study)


def test_without_an_estimate_there_is_a_reason_and_no_sentence(tmp_path):
    study = results(tmp_path, {"status": "not estimable: every answer alike"}, {"estimate": 0})
    assert "every answer alike" in agreement(study)
    assert raters_agree(study) == "@fig-agreement has every two raters, and the classes apart."


def test_the_figure_has_every_coefficient_and_says_which_are_missing(tmp_path):
    study = results(tmp_path, {"status": "not estimable: every answer alike"}, {})
    axes = figure(study).axes
    assert [a.get_title(loc="left") for a in axes] == ["Cohen's κ", "Krippendorff's α"]
    assert [t.get_text().strip() for t in axes[0].get_yticklabels()] == ["age", "ann, bob"]
    assert [list(line.get_xdata()) for line in axes[0].lines] == [[0.48, 0.74], [0.61]]
    assert [t.get_text() for t in axes[1].texts] == ["not estimable"]
    assert "age, ann, bob: κ 0.61 [0.48, 0.74]" in description(study).replace("\N{NO-BREAK SPACE}", " ")
    assert "all faces: α not estimable: every answer alike" in description(study)


def test_without_a_coefficient_there_is_no_figure(tmp_path):
    def edit(found):
        found["agreement"] = found["agreement"][found["agreement"]["metric"] == "answers_differ"]

    study = Results(write_study(tmp_path, n=400, edit=edit))
    assert study.has("agreement")
    assert "agreement" not in draw(study)
    assert "fig-agreement" not in raters_agree(study)
