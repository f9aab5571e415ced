"""Gaps corrected by people's answers in the paper."""

import re

import pytest
from tests.paper.made_up import study_config, write_study

from fergap.audit.correction import BY_ANSWER
from fergap.paper.correction import corrected, correction, description, misclassification, read_otherwise
from fergap.paper.document import Document
from fergap.paper.results import Results


def plain(text):
    text = re.sub(r"\]\{title=[^}]*\}", "", text.replace("\N{NO-BREAK SPACE}", " ").replace("\\", ""))
    return text.replace("[[", "[")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    def edit(found):
        table = found["correction"]
        own = (table["attribute"] == "age") & (table["group"] == "child") & table["reference"].notna()
        own &= table["class"].isna() & (table["arm"] == "baseline")
        primary = own & (table["primary"] == 1)
        assert primary.sum() == 1
        table.loc[primary, ["estimate", "ci_low", "ci_high", "effective_n"]] = [-0.123, -0.2, -0.04, 789.4]
        for metric, value in (("tipping_factor", 3.25), ("tipping_ratio", 0.4), ("attenuation", 0.62)):
            table.loc[own & (table["metric"] == metric), ["estimate", "status"]] = [value, "ok"]
        thin = "not estimable: in the gold sample 3 faces of female read wrong"
        other = (table["attribute"] == "gender") & (table["estimator"] == BY_ANSWER) & (table["metric"] == "accuracy")
        table.loc[other, ["estimate", "ci_low", "ci_high", "status"]] = [float("nan")] * 3 + [thin]

    return Results(write_study(tmp_path_factory.mktemp("study"), edit=edit))


def test_every_gap_is_shown_by_every_estimator(study):
    table = plain(correction(study))
    assert len(table.splitlines()) == 2 + 2 * 2 * 6
    assert "−12.3 [−20.0, −4.0] | 789 |" in table
    assert "3 faces of female read wrong" in table


def test_the_text_says_what_the_rows_do(study):
    text = plain(corrected(study))
    assert "−12.3 [−20.0, −4.0] corrected with errors that may depend on the answer" in text
    assert "62 % of a gap" in text
    assert "3.2 times as often as in the gold sample" in text
    assert "0.40 times as often on faces read wrong as on those read right" in text
    assert "too small to tell errors by answer for female − male under baseline" in text
    assert "−12.3 [−20.0, −4.0]" in plain(description(study))


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("not reached", "up to 20 times as many errors, or as uneven ones, would not turn the reading."),
        ("not estimable: such labels could not have been seen", "what errors would turn the reading cannot be told."),
        (None, "what errors would turn the reading cannot be told."),
    ],
)
def test_that_nothing_would_turn_a_reading_is_said_only_where_it_was_searched_for(tmp_path, status, said):
    def edit(found):
        table = found["correction"]
        tipping = table["metric"].isin(["tipping_factor", "tipping_ratio"])
        table.loc[tipping, "estimate"] = float("nan")
        table.loc[tipping, "status"] = "not reached"
        if status is None:
            found["correction"] = table[~tipping]
        else:
            table.loc[table["metric"] == "tipping_ratio", "status"] = status

    text = plain(corrected(Results(write_study(tmp_path, edit=edit))))
    assert said in text


def test_the_abstract_tells_where_the_corrected_reading_is_another(study):
    table, verdicts = study.table("correction"), study.table("verdicts")
    chosen = (table["primary"] == 1) & table["reference"].notna() & (table["metric"] == "accuracy")
    own = verdicts[verdicts["contrast"].isna()].set_index(["arm", "attribute", "group"])["verdict"]
    keys = table.loc[chosen, ["arm", "attribute", "group"]].apply(tuple, axis=1)
    same = Results(study.folder)
    same.tables["correction"] = table.assign(
        verdict=table["verdict"].where(~chosen, keys.map(own).reindex(table.index))
    )
    assert read_otherwise(same) == ""
    child = chosen & (table["arm"] == "baseline") & (table["group"] == "child")
    for verdict, said in (("other", "other"), ("gap", "a gap")):
        another = Results(study.folder)
        another.tables["correction"] = same.tables["correction"].assign(
            verdict=same.tables["correction"]["verdict"].mask(child, verdict)
        )
        another.tables["verdicts"] = verdicts.assign(
            verdict=verdicts["verdict"].mask(verdicts["verdict"] == "gap", "x")
        )
        text = plain(read_otherwise(another)).replace("is [", "is ").replace("([", "(")
        assert f"child − adult under baseline is {said} (−12.3 [−20.0, −4.0] points) instead of" in text
    document = Document(study.folder)
    document.whole.tables |= another.tables
    assert text in plain(document.abstract()).replace("is [", "is ").replace("([", "(")


def test_the_gold_sample_is_named_after_those_who_gave_it(study):
    people = study_config()["people"]
    machine = {"simulated": {"name": "machine", "error": 0.1, "share": 1}}
    rater = {"simulated": {"name": "cleo", "error": 0.1, "share": 0.2}}
    simulated = "simulated raters who stand for people (cleo)"
    for sources, who in (
        ([{"table": "ann.csv"}, machine], "people (ann)"),
        ([{"table": "ann.csv"}, rater, machine], f"people (ann) and {simulated}"),
        ([rater, machine], simulated),
        ([rater, "fairface"], simulated),
    ):
        config = study_config(people=people | {"sources": sources})
        results = Results(study.folder, config)
        results.tables["correction"] = study.table("correction")
        assert f"of which {who} answered" in plain(corrected(results))


def test_simulated_raters_are_called_so(study, tmp_path):
    assert "simulated raters who stand for people (ann and bob) answered" in plain(corrected(study))
    people = study_config()["people"] | {"sources": ["drawn", {"table": "ann.csv"}]}
    text = plain(corrected(Results(write_study(tmp_path, study_config(people=people)))))
    assert "of which people (ann) answered" in text
    assert "simulated" not in text


def test_errors_of_the_labels_are_those_of_the_table(study):
    table = study.table("misclassification")
    row = table[
        table["class"].isna() & (table["among"] == "all") & (table["arm"] == "baseline") & (table["group"] == "child")
    ]
    row = row[row["label"] == "adult"].iloc[0]
    assert row["estimate"] > 0
    line = next(
        line for line in plain(misclassification(study)).splitlines() if line.startswith("| child | adult | baseline")
    )
    assert f"{100 * row['estimate']:.1f} %" in line
    assert len(plain(misclassification(study)).splitlines()) == 2 + 4 * 2
