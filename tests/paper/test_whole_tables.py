"""What a study with everything shows: a placebo, networks, probabilities, sets of faces, validated labels, files."""

import re

import pytest
from made_up import GRID, full_config, study_config, write_study
from test_document import assembled

from fergap.audit.engine import NAMES
from fergap.paper import methods, reading_networks, reading_sensitivity
from fergap.paper.document import Document
from fergap.paper.markdown import name
from fergap.paper.results import FOLDERS, PER_FACE, Results, relative
from fergap.paper.tables import TABLES
from fergap.paper.tables_files import FILES
from fergap.tables import TABLES as COLUMNS

SPACE = "\N{NO-BREAK SPACE}"
FAMILY = ", ".join(GRID)
# table of the paper: its arguments, the table that it shows, a column of it and the rows to change
SHOWN = {
    "networks": ((FAMILY,), "runs", "flops", "arm == 'b32_n4_k5'"),
    "beyond_placebo": ((), "beyond_placebo", "change_placebo", "group == 'child'"),
    "published_protocol": ((), "runs", "published_protocol_accuracy", "arm == 'baseline'"),
    "scores": ((), "calibration_metrics", "estimate", "reference.isna() and metric == 'log_loss'"),
    "calibration_errors": ((), "calibration_metrics", "expected_if_calibrated", "reference.isna()"),
    "score_gaps": ((), "calibration_metrics", "estimate", "reference.notna() and metric == 'brier'"),
    "effective": ((), "gaps", "ci_low", "method == 'newcombe, effective n'"),
    "validated": ((), "label_noise", "ppv_group", "scenario.str.startswith('validation')"),
    "gap_change_methods": ((), "gap_changes", "ci_low", "method == 'bootstrap studentized'"),
    "decomposition": ((), "decomposition", "ci_low", "component == 'mix'"),
    "models": ((), "models", "ci_low", "covariance == 'cluster'"),
    "tradeoff": ((), "tradeoff", "front_share", "arm == 'child_oversampled'"),
    "tradeoff_cost": ((), "runs", "training_rows", "arm == 'child_oversampled'"),
    "fairness_of_arms": (("age",), "fairness", "expected_without_gap", "arm == 'placebo'"),
}
SAID = {
    "networks": ((FAMILY,), "ranking", "estimate", "rank == 1"),
    "beyond_placebo": ((), "beyond_placebo", "p_adjusted", "group == 'child'"),
    "scores": ((), "calibration_metrics", "ci_low", "metric == 'overconfidence' and attribute == 'all'"),
    "validated": ((), "label_noise", "estimate", "scenario.str.startswith('validation')"),
    "published_choice": ((), "runs", "published_protocol_accuracy", "arm == 'baseline'"),
}


def halved(table, column, query):
    """An edit that halves a column of a table where ``query`` holds."""

    def edit(found):
        rows = found[table].query(query).index
        assert len(rows)
        half = found[table].loc[rows, column] / 2
        kind = COLUMNS[table].columns[column].kind
        found[table].loc[rows, column] = half.round().astype("int64") if kind == "integer" else half

    return edit


def written(folder, edit=None):
    return Results(write_study(folder, full_config(), edit=edit, sets=True, validation=True))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return written(tmp_path_factory.mktemp("everything"))


@pytest.fixture(scope="module")
def text(results):
    return assembled(results.folder).replace(SPACE, " ").replace("\\", "")


@pytest.mark.parametrize("maker", SHOWN)
def test_a_changed_value_changes_its_table(results, tmp_path, maker):
    arguments, *change = SHOWN[maker]
    before = TABLES[maker](results, *arguments)
    assert len(before.splitlines()) > 2
    assert not re.search(r"\bnan\b|\bNone\b|(?<![\w-])-\d", "\n".join(before.splitlines()[2:]))
    assert TABLES[maker](written(tmp_path, halved(*change)), *arguments) != before


@pytest.mark.parametrize("sentence", SAID)
def test_a_changed_value_changes_its_sentence(results, tmp_path, sentence):
    arguments, *change = SAID[sentence]
    say = getattr(reading_networks, sentence)
    assert say(results, *arguments)
    assert say(written(tmp_path, halved(*change)), *arguments) != say(results, *arguments)


@pytest.mark.parametrize(
    "label",
    [
        "chosen",
        "ranking-1",
        "tradeoff",
        "tradeoff-cost",
        "fairness-arms-1",
        "ranking-2",
        "scores",
        "score-gaps",
        "errors",
        "effective",
        "placebo",
        "validated",
        "files",
    ],
)
def test_a_study_with_everything_shows_it_and_another_does_not(text, tmp_path, label):
    assert f"{{#tbl-{label}}}" in text
    if label != "files":
        study = study_config(arms=[{"name": "theirs", "predictions": "theirs.csv"}], audit={"contrasts": []})
        plain = assembled(write_study(tmp_path, study, training=False, edit=without_probabilities))
        assert f"tbl-{label}" not in plain


def without_probabilities(found):
    found["calibration_metrics"] = found["calibration_metrics"].iloc[:0]


def test_networks_on_faces_of_their_own_are_left_to_their_ranking(results):
    assert results.ranked_alone == set(GRID)
    assert results.arms == ["baseline", "child_oversampled", "placebo"]
    for maker in ("accuracy", "groups", "gaps", "tests", "effects", "decomposition", "models", "models_compared"):
        assert not any(re.search(r"b\d+\\?_", line) for line in TABLES[maker](results).splitlines()), maker
    shown = TABLES["networks"](results, FAMILY)
    assert all(name.replace("_", "\\_") in shown for name in GRID)


def test_a_best_arm_that_others_equal_is_not_called_alone(tmp_path):
    def edit(found):
        found["ranking"]["indistinguishable"] = 1

    said = reading_networks.networks(written(tmp_path, edit), FAMILY)
    assert "2]" in said
    assert "others are not distinguishable from it" in said
    assert "times as much" in said


def test_the_placebo_is_told_by_its_verdict(results, text):
    rows = results.table("beyond_placebo")
    assert len(rows) == 2
    assert all(verdict in text for verdict in rows["verdict"])
    abstract = text[: text.index("# Data")]
    assert "A change beyond that of a placebo" in abstract
    assert "A placebo (placebo) is an arm" in text
    assert "none (placebo)" in TABLES["arms"](results)
    assert "A placebo shows the chance of one training once" in Document(results.folder).limitations()


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        (["beyond the placebo", "not shown beyond the placebo"], r"is shown for female.*and is not shown for child"),
        (["beyond the placebo"] * 2, r"\[is shown for female . male and child . adult\]"),
        (["not shown beyond the placebo"] * 2, r"\[is not shown for female . male and child . adult\]"),
    ],
)
def test_the_abstract_says_which_changes_are_the_intervention_s(tmp_path, verdicts, said):
    def edit(found):
        found["beyond_placebo"]["verdict"] = verdicts

    text = reading_networks.placebo_summary(written(tmp_path, edit)).replace(SPACE, " ")
    assert re.search(said, text)


def test_one_split_is_told_with_its_shares(text):
    assert text.count("one split into a training part of 70 %") == 1
    whole = methods.protocol(study_config(folds={"split": [0.7, 0.15, 0.15]})).replace(SPACE, " ")
    assert "a test part of 15 %, the only faces that are reported" in whole
    assert "cross-validation" not in whole
    assert "one split" not in methods.protocol(study_config())


def test_no_row_is_shown_twice(results):
    for maker in ("changes", "gap_changes", "models", "gaps", "gap_change_methods", "effective"):
        lines = TABLES[maker](results).splitlines()[2:]
        keys = [re.sub(r"(?<= )[−+\d].*", "", line) for line in lines]
        assert len(lines) == len(set(lines)), maker
        assert len(keys) == len(lines)
    assert len(TABLES["changes"](results).splitlines()) == 2 + 5  # all faces and four groups


def test_tests_that_are_adjusted_twice_are_counted_once(results):
    table = results.table("multiplicity")
    assert (table["method"] == "by").any()
    assert "Benjamini–Yekutieli" in TABLES["ledger"](results)
    exploratory = int(re.search(r"Another \[([\d,]+)\]", reading_sensitivity.ledger(results))[1].replace(",", ""))
    confirmatory = int(re.search(r"Of \[([\d,]+)\]", reading_sensitivity.ledger(results))[1])
    assert exploratory + confirmatory == (table["method"] != "by").sum()


def test_a_gap_whose_interval_turns_with_sets_is_named(tmp_path, results):
    before = reading_networks.effective(results)
    assert "design effect" not in before

    def edit(found):
        gaps = found["gaps"]
        own = (gaps["method"] == "newcombe, effective n") & (gaps["arm"] == "baseline") & (gaps["group"] == "child")
        gaps.loc[own, ["ci_low", "ci_high"]] = [-0.3, 0.1]

    said = reading_networks.effective(written(tmp_path, edit))
    assert "turns for" in said
    assert said != before


def test_every_table_of_numbers_is_listed(results):
    stages = {name for folder, names in FOLDERS.items() for name in names if folder in ("faces", "people", "training")}
    assert set(FILES) == set(NAMES) | stages - set(PER_FACE)
    assert set(FILES) <= set(COLUMNS)
    listed = TABLES["files"](results)
    assert {table for table in FILES if f"| {name(relative(table))} |" not in listed} == {"answers"}  # asked in words
