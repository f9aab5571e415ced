"""What was planted in drawn data sets, beside what was found."""

from types import SimpleNamespace

import pytest
from tests.paper.made_up import study_config, write_study

from fergap.paper.planted_found import (
    EITHER,
    INDIRECT,
    NO,
    YES,
    by_p_value,
    depends,
    gap,
    held,
    planted_found,
    questions,
)
from fergap.paper.results import Results

COMMON = {"children": 0.1, "female": 0.5, "child_strength": 1, "gender_strength": 1, "label_noise": 0, "stereotype": 0}


def two(**second):
    return {"one": COMMON, "other": COMMON | second}


@pytest.mark.parametrize(
    ("truths", "pair", "planted"),
    [
        (two(), ("source", "age"), NO),
        (two(children=0.3), ("source", "age"), YES),
        (two(children=0.3), ("source", "gender"), NO),
        (two(children=0.3), ("gender", "age"), NO),
        (two(children=0.3, female=0.2), ("gender", "age"), INDIRECT),
        (two(label_noise=0.2), ("source", "label"), YES),
        (two(label_noise=0.2), ("gender", "label"), NO),
        (two(label_noise=0.2, children=0.3), ("age", "label"), INDIRECT),
        (two(stereotype=0.5), ("gender", "label"), YES),
        ({"one": COMMON | {"stereotype": 0.5}, "other": COMMON | {"stereotype": 0.5}}, ("gender", "label"), YES),
        ({"one": COMMON | {"stereotype": 0.5}, "other": COMMON | {"stereotype": 0.5}}, ("source", "label"), NO),
    ],
)
def test_what_depends_on_what_by_the_truths(truths, pair, planted):
    assert depends(truths, *pair) == planted


@pytest.mark.parametrize(
    ("truths", "groups", "planted"),
    [
        (two(), ("age", "child", "adult"), NO),
        (two(child_style=0.5), ("age", "child", "adult"), YES),
        (two(gender_strength=0.8), ("gender", "female", "male"), YES),
        (two(stereotype=0.5), ("gender", "female", "male"), NO),
        (two(blur=1), ("source", "one", "other"), YES),
        (two(blur=1) | {"third": COMMON | {"label_noise": 0.2}}, ("source", "third", "other"), EITHER),
        (two(blur=1) | {"third": COMMON | {"label_noise": 0.2}}, ("source", "third", "one"), YES),
        (two(), ("source", "one", "other"), NO),
        (two(children=0.3), ("source", "one", "other"), INDIRECT),
    ],
)
def test_which_gaps_the_truths_make(truths, groups, planted):
    assert gap(truths, *groups) == planted


def results(folder, p, verdict="gap", sources=({"children": 0.1}, {"children": 0.3, "stereotype": 0.5})):
    given = [{"name": f"set{i}", "source": "drawn", "drawn": own} for i, own in enumerate(sources)]
    study = study_config()
    study["faces"] = study["faces"] | {"source": "several", "sources": given}

    def edit(found):
        found["dataset_bias"].loc[found["dataset_bias"]["metric"] == "cramers_v", "p_adjusted"] = p
        age = found["verdicts"]["contrast"].isna() & (found["verdicts"]["attribute"] == "age")
        gender = found["verdicts"]["contrast"].isna() & (found["verdicts"]["attribute"] == "gender")
        found["verdicts"].loc[age, "verdict"] = verdict
        found["verdicts"].loc[gender, "verdict"] = "undecided"

    return Results(write_study(folder, study, n=400, edit=edit))


def plain(text):
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_what_was_found_of_what_was_planted_is_counted(tmp_path):
    study = results(tmp_path, p=0.0004)
    # planted: class and gender, the child gap of the arm that intervenes in nothing; the rest of the pairs were not,
    # class and age but through the sources
    assert [q.planted for q in questions(study)] == [YES, INDIRECT, NO, NO, YES]
    text = plain(held(study))
    assert "Of 2 differences that were planted, all are found." in text
    assert "Of 2 that were not planted, 1 is found: gender and age go together (p [< 0.001]" in text
    assert len(planted_found(study).splitlines()) == 2 + 5


def test_what_is_missed_is_named(tmp_path):
    text = plain(held(results(tmp_path, p=0.4, verdict="undecided")))
    assert text.startswith(
        "Of 2 differences that were planted, none is found; missed: gender and class go together (p "
    )
    assert text.endswith("Of 2 that were not planted, none is found.")


def test_the_p_value_that_is_told_is_the_one_that_was_looked_at(tmp_path):
    study, row = results(tmp_path, p=0.4), SimpleNamespace(p_value=0.01, p_adjusted=float("nan"))
    question = by_p_value(study, "pictures tell their source", YES, "", "source_recognition", row, "p_value")
    assert (question.found, question.p, question.column) == (True, 0.01, "p_value")


def test_it_is_told_only_of_several_data_sets_all_of_them_drawn(tmp_path):
    assert questions(results(tmp_path, p=0.4, sources=({"children": 0.1},))) == []
