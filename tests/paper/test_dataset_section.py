"""The data set's own bias in the paper: its table and its sentences."""

import re

import pytest
from tests.paper.made_up import study_config, write_study

from fergap.paper.dataset import classes_and_groups, dataset_bias, measured, published_measures, together
from fergap.paper.methods import limitations
from fergap.paper.results import Results


def changed(row):
    def edit(found):
        table = found["dataset_bias"]
        own = (table["attribute"] == "age") & (table["with"] == "label") & (table["metric"] == "total_variation")
        for column, value in row.items():
            table.loc[own, column] = value

    return edit


def results(folder, **row):
    return Results(write_study(folder, n=400, edit=changed(row)))


def plain(text):
    return text.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("p", "said"),
    [
        (0.0004, "The classes depend on age: their shares differ by"),
        (0.4, "That the classes depend on age is not shown ("),
    ],
)
def test_a_sentence_for_each_attribute_says_what_its_row_does(tmp_path, p, said):
    row = {"estimate": 0.123, "ci_low": 0.081, "ci_high": 0.165, "expected": 0.021, "p_adjusted": p}
    study = results(tmp_path, **row)
    text = plain(classes_and_groups(study))
    assert said in text
    for number in ("12.3 %", "[8.1, 16.5]", "2.1 %"):
        assert number in text
        assert number in plain(dataset_bias(study))


def test_what_depends_on_one_another_is_a_sentence(tmp_path):
    study = results(tmp_path)
    table = study.table("dataset_bias")
    study.tables["dataset_bias"] = table.assign(p_adjusted=table["p_adjusted"].mask(table["with"] == "age", 0.0004))
    assert re.search(r"^Gender and age \(Cramér’s V .*\) depend on one another\.$", together(study))


def test_data_without_arms_have_no_gaps(tmp_path):
    study = results(tmp_path)
    for arms, said in ((study.study["arms"], "The gaps show"), ([], "The dependences show")):
        config = study_config(arms=arms, people={"sources": ["drawn"]})
        assert said in " ".join(limitations(config, "", [], study))


def test_every_pair_of_attributes_has_its_row(tmp_path):
    study = results(tmp_path)
    assert set(measured(study)) == {("gender", "label"), ("age", "label"), ("gender", "age")}
    assert len(dataset_bias(study).splitlines()) == 2 + 3


def test_the_published_measures_stand_beside_what_chance_gives(tmp_path):
    study = results(tmp_path)
    rows = study.table("dataset_bias")
    row = rows[(rows["metric"] == "NLS") & (rows["attribute"] == "age") & (rows["with"] == "label")].iloc[0]
    lines = published_measures(study).splitlines()
    header = [cell.strip() for cell in lines[0].strip("|").split("|")]
    assert header[1:] == ["WD", "JSD", "CEBI", "SI", "NSE", "NLS", "GNMI"]
    assert len(lines) == 2 + 2
    assert f"{100 * row['estimate']:.1f} ({100 * row['expected']:.1f})" in lines[3]
