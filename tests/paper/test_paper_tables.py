"""Tables of the paper: numbers as printed, and every row's n."""

import math
import re

import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from made_up import ROOT, study_config, write_study

from fergap.audit.checks import LEARNED
from fergap.paper import methods, numbers
from fergap.paper.markdown import name, pipe, sentence
from fergap.paper.results import Results
from fergap.paper.tables import TABLES

MAKERS = {
    "dropped": "dropped",
    "overlaps": "overlaps",
    "labels": "labels",
    "annotators": "annotators",
    "composition": "composition",
    "accuracy": "group_metrics",
    "groups": "group_metrics",
    "gaps": "gaps",
    "tests": "verdicts",
    "changes": "changes",
    "gap_changes": "gap_changes",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("study"))


@pytest.fixture
def results(folder):
    return Results(folder)


def cells(text):
    """The rows of a pipe table below its heading, as lists of cells."""
    return [[c.strip() for c in line.strip("| ").split(" | ")] for line in text.splitlines()[2:]]


@pytest.mark.parametrize(
    ("value", "text"),
    [(-0.0409, "−4.1"), (0.0071, "+0.7"), (0.0, "0.0"), (-0.0001, "0.0"), (math.nan, "–"), (None, "–")],
)
def test_points(value, text):
    assert numbers.points(value) == text


@pytest.mark.parametrize(("p", "text"), [(0.0371, "0.037"), (0.0004, "< 0.001"), (1.0, "> 0.999"), (math.nan, "–")])
def test_p_values(p, text):
    assert numbers.p_value(p).replace("\N{NO-BREAK SPACE}", " ") == text


@given(st.floats(-1, 1), st.floats(0, 0.5), st.floats(0, 0.5))
def test_the_printed_interval_contains_the_printed_estimate(estimate, below, above):
    def number(text):
        return float(text.replace("−", "-"))

    low, high = map(
        number, numbers.interval(estimate - below, estimate + above).strip("[]").split(",\N{NO-BREAK SPACE}")
    )
    assert low <= number(numbers.points(estimate)) <= high
    assert number(numbers.points(estimate)) == pytest.approx(100 * estimate, abs=0.0501)


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1))
def test_names_keep_their_letters(text):
    bare = re.sub(r"\\([\\`*_\[\]<>#|$@~^])", r"\1", name(text)).replace("\N{ZERO WIDTH SPACE}", "")
    assert bare == text


@given(st.lists(st.lists(st.text("ab c|", max_size=40), min_size=3, max_size=3), max_size=5))
def test_pipe_tables_have_equal_rows_and_dashes_for_the_longest_word(rows):
    escaped = [[name(c.strip()) for c in row] for row in rows]
    lines = pipe(["one", "two words", "three"], escaped, "lrc").splitlines()
    assert len(lines) == 2 + len(rows)
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    dashes = [d.count("-") for d in lines[1].strip("| ").split(" | ")]
    for i, length in enumerate(dashes):
        assert all(len(word) <= length for row in rows for word in row[i].split())


@pytest.mark.parametrize("maker", MAKERS)
def test_a_changed_value_changes_the_table(folder, tmp_path, maker):
    before = TABLES[maker](Results(folder))
    table = MAKERS[maker]
    column = {"verdicts": "p_value", "dropped": "count", "overlaps": "count", "labels": "assigned", "annotators": "n"}
    column = column.get(table, "rows" if table == "composition" else "estimate")

    def edit(found):
        found[table][column] = (
            found[table][column] / 2 if column in ("estimate", "p_value") else found[table][column] + 9
        )

    assert TABLES[maker](Results(write_study(tmp_path, edit=edit))) != before


@pytest.mark.parametrize("maker", ["accuracy", "groups", "gaps", "tests", "changes", "gap_changes"])
def test_n_is_in_every_row_and_minus_signs_are_true(results, maker):
    text = TABLES[maker](results)
    head = [c.strip() for c in text.splitlines()[0].strip("| ").split(" | ")]
    n = [row[head.index("faces")] for row in cells(text)]
    assert all(re.fullmatch(r"[\d,]+(\N{NO-BREAK SPACE}/\N{NO-BREAK SPACE}[\d,]+)?", value) for value in n), n
    assert not re.search(r"(?<![\w-])-\d", "\n".join(text.splitlines()[2:]))


def test_pictures_left_out_are_named(results):
    assert cells(TABLES["dropped"](results))[0] == [name("NF > 0"), "50", "a, b"]


def test_gaps_are_the_table_s_own_numbers(results):
    shown = cells(TABLES["gaps"](results))
    for row, line in zip(results.gaps().itertuples(), shown, strict=True):
        low, high = (f"{100 * v:.1f}".replace("-", "−") for v in (row.ci_low, row.ci_high))
        assert f"[{low}, {high}]" in line[3].replace("\N{NO-BREAK SPACE}", " ")
        assert f"{row.n_group:,} / {row.n_reference:,}" == line[2].replace("\N{NO-BREAK SPACE}", " ")


def test_what_cannot_be_estimated_is_said(tmp_path):
    results = Results(write_study(tmp_path, study_config(audit={"minimum_faces": 400})))
    for maker in ("groups", "gaps", "tests", "changes", "gap_changes"):
        assert "nan" not in TABLES[maker](results)
    assert "faces of child" in TABLES["gaps"](results)
    assert "not estimable" in TABLES["gaps"](results)


def test_fold_metrics_hold_each_fold_the_mean_and_the_spread(results):
    metrics = results.table("fold_metrics")
    own = metrics[(metrics["arm"] == "baseline") & (metrics["metric"] == "accuracy")].set_index("fold")["estimate"]
    shown = cells(TABLES["fold_metrics"](results, "baseline"))
    assert [float(row[2]) for row in shown[:5]] == pytest.approx(list(100 * own), abs=0.051)
    assert shown[5][0] == "**mean**"
    assert float(shown[5][2].strip("*")) == pytest.approx(100 * own.mean(), abs=0.051)
    assert float(shown[6][2]) == pytest.approx(100 * own.std(ddof=1), abs=0.051)


def test_fold_metrics_list_further_replicates_by_their_mean(tmp_path):
    def edit(found):
        again = found["fold_metrics"].assign(seed=2)
        found["fold_metrics"] = pd.concat([found["fold_metrics"], again])

    text = TABLES["fold_metrics"](Results(write_study(tmp_path, edit=edit)), "baseline")
    assert "seed 2, repeat 0: mean" in text
    assert len(cells(text)) == 5 + 1 + 2


def test_gaps_spread_over_replicates(tmp_path):
    def edit(found):
        table = found["replicates"]
        again = table[table["fold"].isna()].assign(seed=2)
        found["replicates"] = pd.concat([table, again.assign(gap=again["gap"] + 0.02)])

    results = Results(write_study(tmp_path, edit=edit))
    gap = results.table("replicates").query("arm == 'baseline' and attribute == 'age' and fold.isna()")["gap"]
    row = next(r for r in cells(TABLES["replicates"](results)) if r[0].startswith("child") and r[1] == "baseline")
    assert row[3:] == ["2", *map(numbers.points, (gap.mean(), gap.min(), gap.max())), numbers.points(gap.std(), False)]


def test_the_published_numbers_stand_beside_ours(results):
    published = yaml.safe_load((ROOT / "report" / "published.yaml").read_text(encoding="utf-8"))
    shown = cells(TABLES["fold_metrics"](results, "baseline", published))
    assert shown[-2][0].startswith("published study")
    assert [shown[-2][2], shown[-1][2]] == ["64.2", "1.1"]
    rows = {(row[0], row[1]): row for row in cells(TABLES["printed_groups"](results, published))}
    assert rows["child", "accuracy"][3] == "70.9"
    assert rows["child", "accuracy"][5] == "75.1"
    assert rows["adult", "macro F1"][3] == "76.0"


def test_sentences_keep_their_words():
    text = "With a, x (70.5 % against 69.5 %, n 723; p = 0.03; p < 0.001; ±5.0)"
    assert sentence(text).replace("\N{NO-BREAK SPACE}", " ").replace("\\", "") == text
    assert " %" not in sentence(text)


def test_settings_follow_the_recipe():
    study = study_config()
    shown = methods.settings(study)
    assert shown["optimizer"] == "Adam"
    assert shown["epochs"] == str(study["training"]["epochs"])
    assert "0.5" in shown["flip"]


def test_networks_are_described():
    text = methods.network("b16_n8_k5")
    assert "8 residual blocks of two 5×5 convolutions with 16 channels" in text
    assert "2 fully connected layers" in text
    assert "20×20" in text


def test_a_transformer_is_told_without_pooling_and_with_its_pictures():
    text = methods.network("vit_b_16")
    assert "[@dosovitskiy2021]" in text
    assert "the class token in place of global average pooling" in text
    assert text.endswith("Every picture is brought to 224×224 pixels.")
    assert "brought to" not in methods.network("xception")


def test_what_a_network_starts_from_is_told_by_arm():
    arms = [
        {"name": "first", "network": "resnet50", "weights": "imagenet", "tuned": "last_block"},
        {"name": "second", "network": "resnet50", "weights": "imagenet", "tuned": "last_block"},
    ]
    text = methods.networks({"arms": arms}, ["first", "second"])
    assert text.startswith("Resnet50 is a residual network of 50 layers [@he2016]")
    assert "It starts from weights for ImageNet [@russakovsky2015], of which the last block and the head learn" in text
    arms.append({"name": "third", "network": "resnet50"})
    text = methods.networks({"arms": arms}, ["first", "second", "third"])
    assert text.lower().count("resnet50 is a residual network") == 1
    assert "In first and second, it starts from weights for ImageNet" in text
    assert text.endswith("In third, it starts from random weights.")
    assert "starts" not in methods.networks({"arms": [{"name": "a", "network": "pyramid"}]}, ["a"])


def test_an_arm_that_learned_nothing_is_a_limitation(results, monkeypatch):
    table = results.table("checks")
    own = table["check"] == LEARNED
    assert own.any()
    for verdict, there in (("ok", False), ("look", True)):
        monkeypatch.setitem(results.tables, "checks", table.assign(verdict=table["verdict"].mask(own, verdict)))
        assert ("its gaps say nothing" in " ".join(methods.limitations(results.study, "", [], results))) == there


def test_given_weights_are_a_limitation(results):
    said = "that they had not learned these faces cannot be checked"
    for weights, there in (("none", False), ("imagenet", False), ("w.pth", True)):
        study = results.study | {"arms": [{"name": "a", "network": "resnet50", "weights": weights}]}
        assert (said in " ".join(methods.limitations(study, [], [], results))) == there
