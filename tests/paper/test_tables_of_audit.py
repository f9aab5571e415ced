"""The paper's tables and sentences of the audit: each shows its own rows, and says where its numbers come from."""

import re

import pandas as pd
import pytest
from made_up import study_config, write_study

from fergap.paper import reading, reading_sensitivity
from fergap.paper.cells import FEW, faces, told
from fergap.paper.numbers import points
from fergap.paper.results import Results
from fergap.paper.tables import TABLES
from fergap.tables import TABLES as COLUMNS

SPACE = "\N{NO-BREAK SPACE}"
# table of the paper: its arguments, the audit's table that it shows, a column of it and the rows to change
SHOWN = {
    "effects": ((), "effects", "estimate", "effect == 'risk_ratio'"),
    "size_matched": ((), "size_matched", "matched_mean", "metric == 'f1'"),
    "adjusted": ((), "decomposition", "estimate", "component == 'expected_from_mix'"),
    "adjusted_tests": ((), "tests", "p_value", "test == 'cmh'"),
    "decomposition": ((), "decomposition", "estimate", "component == 'within_class'"),
    "class_gaps": (("baseline",), "multiplicity", "p_adjusted", "family == 'per class and combinations'"),
    "models": ((), "models", "estimate", "quantity == 'odds ratio'"),
    "interactions": ((), "models", "statistic", "quantity == 'likelihood ratio'"),
    "clusters": ((), "clusters", "design_effect", "quantity == 'gap'"),
    "fairness": (("age",), "fairness", "expected_without_gap", "metric == 'accuracy_difference'"),
    "equivalence": ((), "equivalence", "p_value", "arm == 'child_oversampled'"),
    "models_compared": ((), "models_compared", "lost", "test == 'mcnemar mid-p'"),
    "models_over_folds": ((), "models_compared", "statistic", "test == 'nadeau-bengio t'"),
    "detectable": ((), "power", "gap", "question == 'minimum detectable gap'"),
    "needed": ((), "power", "n_group", "question == 'faces needed for gap'"),
    "label_noise": ((), "label_noise", "estimate", "scenario == 'grid'"),
    "sensitivity": ((), "sensitivity", "estimate", "choice == 'label confidence'"),
    "ledger": ((), "multiplicity", "m", "family == 'gap'"),
    "confirmatory": ((), "multiplicity", "p_adjusted", "family == 'gap'"),
    "calibration": ((), "calibration", "estimate", "quantity == 'coverage of the accuracy gap'"),
    "false_verdicts": ((), "calibration", "estimate", "quantity == 'rate of the verdict gap'"),
}
SAID = {
    "effects": (reading.effects, "gaps", "estimate", "method == 'newcombe'"),
    "adjusted": (reading.adjusted, "decomposition", "estimate", "component == 'expected_from_mix'"),
    "models": (reading.models, "models", "estimate", "quantity == 'average marginal effect'"),
    "size_matched": (reading.size_matched, "size_matched", "gap", "metric == 'f1'"),
    "models_compared": (reading_sensitivity.models_compared, "models_compared", "gained", "test == 'mcnemar mid-p'"),
    "label_noise": (reading_sensitivity.label_noise, "label_noise", "estimate", "scenario == 'grid'"),
    "sensitivity": (reading_sensitivity.sensitivity, "sensitivity", "estimate", "choice == 'label confidence'"),
    "power": (reading_sensitivity.power, "power", "power", "question == 'power at gap'"),
    "calibration": (reading_sensitivity.calibration, "calibration", "estimate", "primary == 1"),
}


def cluster_table(found):
    """Give the study what near copies cost: the simulated faces have none."""
    keys = found["gaps"].query("method == 'newcombe' and metric == 'accuracy'")[
        ["arm", "attribute", "group", "reference"]
    ]
    more = {"status": "ok", "quantity": "gap", "n": 1500, "clusters": 1400, "largest": 4, "note": None}
    errors = {"se_independent": 0.02, "se_clustered": 0.022, "design_effect": 1.21, "effective_n": 1240.0}
    found["clusters"] = keys.assign(**more, **errors)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return Results(write_study(tmp_path_factory.mktemp("study"), edit=cluster_table))


def changed(folder, table, column, query):
    """The study with halved numbers in some rows of one table."""

    def edit(found):
        cluster_table(found)
        rows = found[table].query(query).index
        assert len(rows)
        half = found[table].loc[rows, column] / 2
        found[table].loc[rows, column] = half.round() if COLUMNS[table].columns[column].kind == "integer" else half

    return Results(write_study(folder, edit=edit))


def test_every_table_of_the_audit_is_tried_here_or_beside(results):
    for maker, (arguments, *_) in SHOWN.items():
        text = TABLES[maker](results, *arguments)
        assert len(text.splitlines()) > 2, maker
        assert not re.search(r"\bnan\b|\bNone\b|(?<![\w-])-\d", "\n".join(text.splitlines()[2:])), maker


@pytest.mark.parametrize("maker", SHOWN)
def test_a_changed_value_changes_its_table(results, tmp_path, maker):
    arguments, *change = SHOWN[maker]
    assert TABLES[maker](changed(tmp_path, *change), *arguments) != TABLES[maker](results, *arguments)


@pytest.mark.parametrize("sentence", SAID)
def test_a_changed_value_changes_its_sentence(results, tmp_path, sentence):
    say, *change = SAID[sentence]
    assert say(changed(tmp_path, *change)) != say(results)


def test_a_marked_number_is_the_one_of_its_line(results):
    reading.adjusted(results)
    marks = re.findall(r'\[([^\]]+)\]\{title="v\d+: audit/gaps\.csv, line (\d+), estimate', reading.adjusted(results))
    assert marks
    lines = results.path("gaps").read_text(encoding="utf-8").splitlines()
    column = lines[0].split(",").index("estimate")
    for text, line in marks:
        assert points(float(pd.read_csv(results.path("gaps")).iloc[int(line) - 2]["estimate"])) == text
        assert lines[int(line) - 1].split(",")[column]


def test_one_value_keeps_one_id(results):
    first = results.cite("7", "gaps", 0, "estimate")
    assert results.cite("7", "gaps", 0, "estimate") == first
    assert results.cite("7", "gaps", 1, "estimate") != first
    listed = results.sources.table()
    assert not listed["id"].duplicated().any()
    assert results.cite("8", "gaps", [3, 1, 2, 7], "estimate").count("line 3–5 9") == 1


def test_separation_is_said_and_coefficients_are_not_printed(tmp_path):
    def edit(found):
        models = found["models"]
        own = models["quantity"].isin(["odds ratio", "average marginal effect", "log odds ratio"])
        models.loc[own, ["estimate", "ci_low", "ci_high", "p_value"]] = None
        models.loc[own, "status"] = "not estimable: separation"

    results = Results(write_study(tmp_path, edit=edit))
    assert "separation" in TABLES["models"](results)
    assert "run off to infinity" in reading.models(results)


def test_more_than_two_groups_are_compared_two_by_two(tmp_path):
    study = study_config(audit={"attributes": ["gender", "age", "gender*age"]})
    groups = (("gender", ("male", "female")), ("age", ("adult", "teenager", "child")))
    results = Results(write_study(tmp_path, study, groups=groups, n=2000))
    pairs = TABLES["pairwise"](results, "age", "baseline").splitlines()[2:]
    assert len(pairs) == 3
    assert "Cramér's V" in reading.many_groups(results, "age")
    assert "chance alone gives" in reading.many_groups(results, "age")
    assert "most often" in reading.combinations(results)


def test_paradox_is_named(tmp_path):
    def edit(found):
        found["verdicts"].loc[0, ["simpson", "simpson_reading"]] = [1, "shifted"]
        found["verdicts"].loc[1, ["simpson", "simpson_reading"]] = [1, "within error"]

    results = Results(write_study(tmp_path, edit=edit))
    assert "turns or moves by more than half" in reading.adjusted(results)
    assert "holds within error" in reading.adjusted(results)
    assert re.search(r"\| shifted +\|", TABLES["adjusted"](results))


@pytest.mark.parametrize("few", [1, 2])
def test_one_or_two_faces_of_a_group_are_not_told(tmp_path, few):
    from test_document import assembled

    text = assembled(write_study(tmp_path, few=few, n=400)).replace(SPACE, " ").replace("\\", "")
    assert "| < 3 |" in text
    assert "fewer than 3 faces" in text
    assert not re.search(r"(?<![\d,.])[12] faces?\b(?! of a group)", text)
    child = [line for line in text.splitlines() if re.search(r"\| child +\|", line)]
    assert child
    assert not any(re.search(rf"\| {few} +\|", line) for line in child if "fewer than" not in line)


def test_few_faces():
    assert [faces(n) for n in (0, 1, 2, 3, 1234)] == ["0", FEW, FEW, "3", "1,234"]
    assert told("not estimable: 2 faces of child and 12 faces of adult") == (
        "not estimable: fewer than 3 faces of child and 12 faces of adult"
    )
