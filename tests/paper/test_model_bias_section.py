"""The bias of the models in the paper: tables, sentences, figure."""

import re

import pytest
from tests.paper.made_up import study_config, write_study
from tests.paper.test_document import assembled

from fergap.paper.model_bias import (
    blind,
    blocks,
    families,
    model_bias,
    model_bias_metrics,
    model_bias_ranks,
    most_biased,
    scores,
)
from fergap.paper.results import Results

SPACE = "\N{NO-BREAK SPACE}"


def plain(text):
    return re.sub(r"\]\{[^}]*\}|[\[\]\\]", "", text.replace(SPACE, " "))


def results(folder, edit=None, study=None, **more):
    return Results(write_study(folder, study, n=400, edit=edit, **more))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return results(tmp_path_factory.mktemp("bias"))


def test_every_arm_has_its_scores_over_all_and_by_attribute(study):
    assert blocks(study) == ["all", "gender", "age"]
    lines = model_bias(study).splitlines()
    assert len(lines) == 2 + 3 * len(study.arms)
    for row in scores(study).itertuples():
        assert f"{100 * row.estimate:.1f} " in model_bias(study).replace(SPACE, " ")
    assert len(model_bias_metrics(study).splitlines()) == 2 + 2 * 4 * len(study.headline)


def test_what_a_group_blind_model_gets_is_told(tmp_path):
    def edit(found):
        table = found["model_bias"]
        own = (table["arm"] == "baseline") & (table["attribute"] == "all")
        table.loc[own & (table["form"] == "published"), ["estimate", "expected"]] = [0.8, 0.6]
        table.loc[own & (table["form"] == "corrected"), ["estimate", "ci_low", "ci_high", "p_value"]] = [
            0.123,
            0.05,
            0.2,
            0.004,
        ]

    said = plain(blind(results(tmp_path, edit)))
    assert "baseline scores 80.0, where a group-blind model would score 60.0 (75 % of it)" in said
    assert "Corrected, a bias is shown for baseline (12.3 5.0, 20.0, p = 0.004" in said


def test_a_bias_is_shown_only_after_adjustment_over_the_arms(tmp_path):
    def edit(found):
        table = found["model_bias"]
        own = (table["attribute"] == "all") & (table["form"] == "corrected")
        table.loc[own, "p_value"] = [0.03, 0.2]  # 0.06 and 0.2 by Holm's method

    said = plain(blind(results(tmp_path, edit)))
    assert "a bias is shown for neither of the arms, after Holm’s adjustment over the arms." in said


def ranked(rank, low, high):
    """An edit that gives the overall corrected score these ranks."""

    def edit(found):
        table = found["model_bias_ranks"]
        own = (table["attribute"] == "all") & (table["form"] == "corrected")
        table.loc[own, ["rank", "rank_low", "rank_high"]] = list(zip(rank, low, high, strict=True))
        table.loc[own, "like_most_biased"] = [int(x == 1) for x in low]
        table.loc[own, "like_least_biased"] = [int(x == len(high)) for x in high]

    return edit


@pytest.mark.parametrize(
    ("rank", "low", "high", "said"),
    [
        ([1, 2], [1, 2], [1, 2], "is most biased, and told apart from every other."),
        ([1, 2], [1, 1], [2, 2], "; no other can be told from it. Nor"),
        ([1, 2], [1, 1], [2, 2], "Nor can any be told from the least biased: these faces rank no arm."),
        ([1, 1], [1, 1], [2, 2], "are most biased. Nor can any be told"),
    ],
)
def test_the_most_biased_is_named_with_all_that_cannot_be_told_from_it(tmp_path, rank, low, high, said):
    found = results(tmp_path, ranked(rank, low, high))
    (arms,) = families(found)
    text = plain(most_biased(found, arms))
    assert said in text[text.index("By the corrected score") :]
    first = plain(model_bias_ranks(found, arms)).splitlines()[2]
    assert f"{rank[0]} ({low[0]}–{high[0]})" in first


def test_some_of_the_others_are_counted_and_named(tmp_path):
    three = study_config(arms=[{"name": f"arm_{i}", "network": "pyramid"} for i in range(3)], audit={"contrasts": []})
    found = results(tmp_path, ranked([1, 2, 3], [1, 1, 2], [2, 3, 3]), three)
    text = plain(most_biased(found, *families(found)))
    assert "; 1 of the 2 others cannot be told from it: arm" in text
    assert "Nor can any" not in text[text.index("By the corrected score") :]


def test_one_arm_is_not_ranked(tmp_path):
    alone = study_config(arms=[{"name": "theirs", "predictions": "theirs.csv"}], audit={"contrasts": []})
    text = assembled(write_study(tmp_path, alone, training=False, n=300))
    assert "{#tbl-model-bias}" in text
    assert "tbl-model-bias-ranks" not in text


def test_one_attribute_has_no_score_over_all(tmp_path):
    config = study_config()
    config["audit"]["attributes"] = ["age"]
    found = results(tmp_path, study=config)
    assert blocks(found) == ["age"]
    assert "all attributes" not in model_bias(found)
