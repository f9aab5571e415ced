"""Interventions side by side in the paper: words for every option, tables, sentences and the figure."""

import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from made_up import ROOT, study_config, write_study
from test_document import assembled

from fergap.paper import interventions, methods, reading_tradeoff
from fergap.paper.figures import draw
from fergap.paper.figures_tradeoff import ellipse
from fergap.paper.interventions import INTERVENTIONS, words
from fergap.paper.results import Results
from fergap.paper.tables import TABLES
from fergap.paper.tables_tradeoff import compared_arms, gap_pairs, short, training_cost

# options that say which network, how long and by what recipe, or who else predicted: no interventions
OTHER = {"name", "network", "weights", "tuned", "recipe", "epochs", "like", "path", "placebo", "split", "predictions"}
OTHER |= {"tried", "endpoint", "label", "folds"}
ARMS = ("baseline", "child_oversampled", "reweighted", "penalised")
EXAMPLES = [
    ({"composition": {"gender": {"female": 0.75, "male": 0.25}}}, "gender: 75 % female and 25 % male"),
    ({"composition": {"gender": "as_found"}}, "gender as found, at the common size"),
    ({"oversample": {"age": "child", "to": 0.2}}, "child (age) repeated to 20 % of the rows"),
    (
        {"undersample": {"age": "adult", "to": "parity", "within": "class"}},
        "adult (age) cut to as many rows as the smallest other group, within each class",
    ),
    (
        {"oversample": {"gender*age": "all", "to": "parity"}},
        "every group (gender × age) repeated to as many rows as the largest other group",
    ),
    (
        {"reweight": {"by": ["age", "class"], "power": 0.5}},
        "rows weighted by age and class, inverse frequency (power 0.5)",
    ),
    ({"reweight": {"by": "gender*age", "kind": "reweighing"}}, "rows weighted by gender × age, reweighing"),
    ({"confidence_weights": {"power": 1}}, "rows weighted by doubt (power 1)"),
    ({"loss": {"focal": {"gamma": 2}}}, "focal loss (γ 2)"),
    ({"loss": {"symmetric_cross_entropy": {"alpha": 0.1, "beta": 1}}}, "symmetric cross entropy (α 0.1, β 1)"),
    (
        {"penalty": {"equalized_odds": {"by": "age", "strength": 0.5}}},
        "penalty for equalised odds by age (strength 0.5)",
    ),
    ({"group_dro": {"by": "age*class", "step": 0.01}}, "group DRO by age × class (step 0.01)"),
    ({"adversary": {"by": "age", "strength": 0.1, "hidden": 64}}, "adversary by age (strength 0.1)"),
    ({"alignment": {"by": "age", "style": 0}}, "latent alignment by age (style 0)"),
    (
        {"from": "baseline", "temperature": {"by": "age"}, "thresholds": {"by": "age", "goal": "equal_recall"}},
        "from baseline: a temperature for each group of age, then offsets of the classes for each group of age,"
        " equal recall",
    ),
    ({"from": "baseline", "ensemble": "seeds"}, "from baseline: the mean over the seeds"),
    ({"network": "pyramid"}, "none"),
]


def test_a_placebo_of_a_composition_is_told_with_it():
    arm = {"name": "p", "network": "pyramid", "placebo": True}
    assert "composition" not in methods.placebo({"arms": [arm]})
    assert "training faces of its composition: what" in methods.placebo(
        {"arms": [arm | {"composition": {"gender": "as_found"}}]}
    )


def options():
    schema = yaml.safe_load((ROOT / "schemas" / "config.schema.yaml").read_text(encoding="utf-8"))
    return set(schema["properties"]["arms"]["items"]["properties"])


def test_every_option_that_intervenes_is_worded():
    assert options() - OTHER <= set(INTERVENTIONS)
    cited = set(re.findall(r"@(\w+)", " ".join(own.sentence for own in INTERVENTIONS.values())))
    known = set(re.findall(r"^@\w+\{([^,]+),", (ROOT / "report" / "references.bib").read_text(), flags=re.MULTILINE))
    assert cited <= known
    assert not re.search(r"\d", re.sub(r"@\w+", "", " ".join(own.sentence for own in INTERVENTIONS.values())))


@pytest.mark.parametrize(("arm", "shown"), EXAMPLES)
def test_an_option_is_told_as_it_was_set(arm, shown):
    assert words(arm).replace("\N{NO-BREAK SPACE}", " ") == shown


def test_the_methods_tell_of_the_options_that_are_used():
    text = interventions.methods([{"name": "a", "reweight": {"by": "age"}}, {"name": "b", "reweight": {"by": "class"}}])
    assert text == INTERVENTIONS["reweight"].sentence
    assert interventions.methods([{"name": "a"}]) == ""
    study = study_config(arms=[{"name": "a", "network": "pyramid"}, {"name": "b", "from": "a", "temperature": {}}])
    assert "fitted on the validation part" in methods.protocol(study)
    assert not methods.intervenes(study)


def several(**changes):
    """A study of four arms, one of them twice as long in training, made of settings chosen among four."""
    study = study_config(**changes)
    study["arms"] = [
        {"name": "baseline", "network": "pyramid"},
        {"name": "child_oversampled", "network": "pyramid", "oversample": {"age": "child", "to": "parity"}},
        {"name": "reweighted", "network": "pyramid", "reweight": {"by": "age"}, "tried": 4},
        {"name": "calibrated", "from": "child_oversampled", "temperature": {"by": "age"}},
    ]
    return study


def twice_as_long(found):
    runs = found["runs"]
    found["runs"] = runs[runs["arm"] != "calibrated"].reset_index(drop=True)
    own = found["runs"]["arm"] == "child_oversampled"
    found["runs"].loc[own, ["training_rows", "seconds"]] *= 2
    found["history"] = found["history"].query("arm != 'calibrated'")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return Results(write_study(tmp_path_factory.mktemp("arms"), several(), edit=twice_as_long))


def test_each_arm_has_one_sentence_per_gap_word_for_word(results, monkeypatch):
    table = results.table("tradeoff")
    told = reading_tradeoff.sentences(results)
    assert len(told) == 2 * 3
    for said, row in zip(told, table[table["arm"] != "baseline"].sort_index().itertuples(), strict=False):
        assert row.arm.replace("_", "\\_") in said
    assert gap_pairs(results) == [("gender", "female", "male"), ("age", "child", "adult")]
    monkeypatch.setattr(reading_tradeoff, "MOST_TOLD", 5)
    assert reading_tradeoff.sentences(results) == []  # all six differ from the baseline, which the table tells shorter
    same = table["indistinguishable"].where(table["attribute"] != "age", 1)
    monkeypatch.setitem(results.tables, "tradeoff", table.assign(indistinguishable=same))
    assert len(reading_tradeoff.sentences(results)) == int((same == 0).sum()) == 3


def test_what_cannot_be_told_from_the_baseline_is_counted_and_named(results):
    said, rows = reading_tradeoff.summary(results), compared_arms(results)
    own = rows[(rows["attribute"] == "age") & (rows["arm"] != "baseline")]
    same = own.loc[own["indistinguishable"] == 1, "arm"].tolist()
    assert f"of 3 other arms {'is' if len(same) == 1 else 'are'} indistinguishable from baseline" in said or not same
    assert all(arm.replace("_", "\\_") in said for arm in same)
    assert "on the Pareto front" in said


def test_of_several_baselines_it_is_said_who_is_held_against_which(tmp_path):
    pairs = [{"before": "baseline", "after": "child_oversampled"}, {"before": "reweighted", "after": "calibrated"}]
    results = Results(write_study(tmp_path, several(audit={"contrasts": pairs}), edit=twice_as_long))
    said = reading_tradeoff.summary(results).replace("\\", "")
    for baseline in ("baseline", "reweighted"):
        found = f"of 1 arm held against {baseline}, (none|\\[1\\].*?) is indistinguishable from it"
        assert re.search(found, said), said
    table = TABLES["tradeoff"](results).replace("\\", "")
    assert "against its baseline" in table.splitlines()[0]
    last = {line.split(" | ")[1].strip(): line.split(" | ")[-1].strip(" |") for line in table.splitlines()[2:]}
    assert last["calibrated"].startswith("reweighted: ")
    assert last["child_oversampled"].startswith("baseline: ")
    assert "reweighted (baseline)" in last


def test_the_cost_is_relative_to_the_baseline(results):
    assert training_cost(results, "child_oversampled") == training_cost(results, "calibrated")
    rows, seconds = (
        a / b for a, b in zip(training_cost(results, "calibrated"), training_cost(results, "baseline"), strict=True)
    )
    assert (rows, seconds) == (2, 2)
    assert math.isnan(training_cost(results, "nobody")[0])
    text = TABLES["tradeoff_cost"](results).replace("\N{NO-BREAK SPACE}", " ")
    lines = {line.split(" | ")[0].strip("| ").replace("\\", ""): line for line in text.splitlines()[2:]}
    assert "| 4 | × 1.00 | × 1.00 |" in next(v for k, v in lines.items() if k.startswith("reweighted"))
    assert "| 1 | × 2.00 | × 2.00 |" in next(v for k, v in lines.items() if k.startswith("calibrated"))


def test_fairness_metrics_stand_side_by_side_for_all_arms(results):
    text, table = TABLES["fairness_of_arms"](results, "age"), results.table("fairness")
    assert len(text.splitlines()) == 2 + 4
    row = table.query("arm == 'reweighted' and attribute == 'age' and metric == 'xu_fairness'")
    row = row[row["summary"] == "common_classes"].iloc[0]
    assert f"{row['estimate']:.3f} ({row['expected_without_gap']:.3f})" in text


def test_the_ellipse_is_the_level_set_of_the_normal_density(results):
    row = next(compared_arms(results).itertuples())
    outline = ellipse(row, 0.95)
    shared = row.correlation * row.se_accuracy * row.se_gap
    inverse = np.linalg.inv([[row.se_accuracy**2, shared], [shared, row.se_gap**2]])
    away = outline - [row.accuracy, row.gap]
    distance = np.einsum("ij,jk,ik->i", away, inverse, away)
    # R 4.2.2: qchisq(0.95, 2) = 5.991465
    assert distance == pytest.approx(np.full(len(outline), 5.991465), rel=1e-6)


def test_every_arm_is_named_beside_each_gap(results):
    figure = draw(results)["tradeoff"]
    assert len(figure.axes) == 2
    for axes in figure.axes:
        named = {text.get_text() for text in axes.texts}
        assert named == {"baseline", "child_oversampled", "reweighted", "calibrated"}


def test_the_section_is_there_from_three_arms_on(results, tmp_path):
    assert "{#sec-interventions}" in assembled(results.folder)
    assert "{#sec-interventions}" not in assembled(write_study(tmp_path))


@pytest.mark.parametrize(
    ("verdict", "down", "shown"),
    [
        ("indistinguishable from the baseline", 0, "indistinguishable"),
        ("gap: narrowed; accuracy: lower", 1, "narrowed; accuracy lower; levelling down"),
        ("gap: no change shown; accuracy: higher", 0, "accuracy higher"),
        ("gap: widened; accuracy: no change shown", math.nan, "widened"),
        ("baseline", math.nan, "baseline"),
    ],
)
def test_the_verdict_in_few_words(verdict, down, shown):
    assert short(SimpleNamespace(verdict=verdict, levelling_down=down)) == shown
