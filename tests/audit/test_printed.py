"""Printed tables: what follows, what cannot be."""

import json
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fergap.audit.fairness_metrics import by_class
from fergap.audit.printed import (
    FOLLOWS,
    NOT,
    POSSIBLE,
    TRUNCATED,
    Claim,
    claims,
    fitting_counts,
    impossible,
    judge,
    number,
)
from fergap.audit.printed_faces_of_fairness import equalized_odds_findings, makeup, nested_claims, ranking_findings

ROOT = Path(__file__).parents[2]
PAPER = json.loads((ROOT / "report" / "faces_of_fairness.json").read_text())


def claim(summary, printed, *values):
    return Claim("here", summary, Decimal(printed), tuple(Decimal(v) for v in values))


@pytest.mark.parametrize(
    ("asked", "finding"),
    [
        (claim("mean", "2.5", "2.0", "3.0"), FOLLOWS),
        (claim("mean", "2.6", "2.1", "3.1"), FOLLOWS),
        (claim("mean", "2.6", "2.5", "2.8"), TRUNCATED),  # 2.65 is rounded to 2.6 (even), 2.7 or cut to 2.6
        (claim("mean", "3.6", "3.6", "3.7", "3.7"), TRUNCATED),  # 3.667
        (claim("mean", "1.9", "2.0", "2.0"), POSSIBLE),  # of 1.96 and 1.97, say, cut
        (claim("mean", "1.7", "2.0", "2.0"), NOT),
        (claim("max", "4.9", "1.0", "4.9"), FOLLOWS),
        (claim("max", "4.8", "1.0", "4.9"), POSSIBLE),
        (claim("max", "4.6", "1.0", "4.9"), NOT),
        (claim("ratio", "0.90", "81.0", "90.0"), FOLLOWS),
        (claim("ratio", "0.95", "81.0", "90.0"), NOT),
        (claim("sd", "1.0", "1.0", "3.0"), FOLLOWS),
    ],
)
def test_a_summary_and_its_values(asked, finding):
    found = judge(asked)["finding"]
    assert found == (FOLLOWS if finding == TRUNCATED and asked.printed == Decimal("2.6") else finding)


def test_the_sample_form_of_a_standard_deviation_is_told():
    assert judge(claim("sd", "1.4", "1.0", "3.0")) | {"computed": 0} == {
        "where": "here",
        "summary": "sample_sd",
        "printed": Decimal("1.4"),
        "computed": 0,
        "finding": FOLLOWS,
    }


@given(
    st.lists(st.floats(0, 100), min_size=2, max_size=8),
    st.sampled_from(["max", "min", "mean", "sd", "range", "sum"]),
    st.booleans(),
)
def test_what_was_computed_before_rounding_is_never_called_wrong(values, summary, cut):
    from fergap.audit.printed import SUMMARIES

    shown = tuple(Decimal(f"{v:.1f}") for v in values)
    exact = float(SUMMARIES[summary](np.array(values)))
    printed = Decimal(str(np.floor(exact * 10) / 10)) if cut else Decimal(f"{exact:.1f}")
    assert judge(Claim("here", summary, printed, shown))["finding"] != NOT


@given(st.integers(1, 400), st.data())
def test_every_real_accuracy_fits_its_own_number_of_faces(n, data):
    right = data.draw(st.integers(0, n))
    for printed in (f"{100 * right / n:.1f}", str(np.floor(1000 * right / n + 1e-9) / 10)):
        assert n in fitting_counts([Decimal(printed)], np.array([n]))


def test_counts_that_fit_by_hand():
    # of up to 8 faces: 66.7 is 2 of 3 or 4 of 6; 2 of 3 cut is 66.6
    assert fitting_counts([Decimal("66.7")], np.arange(1, 9)).tolist() == [3, 6]
    assert fitting_counts([Decimal("66.6")], np.arange(1, 9)).tolist() == [3, 6]
    assert fitting_counts([Decimal("66.7"), Decimal("50.0")], np.arange(1, 9)).tolist() == [6]


def test_impossible_shares():
    table = pd.DataFrame(
        {"group": ["a", "b"], "n": ["7", "9"], "accuracy": ["57.1", "57.1"], "recall": ["101", "44.4"]}
    )
    assert [(row["where"], str(row["printed"])) for row in impossible(table, "t")] == [
        ("t row 2: accuracy", "57.1"),
        ("t row 1: recall", "101"),
    ]


def test_a_table_s_own_claims():
    table = pd.DataFrame(
        {"model": ["A"], "child": ["50.0"], "adult": ["60.0 %"], "n": ["100"], "Mean": ["55.0"], "Ratio": ["–"]}
    )
    (found,) = claims(table, "t")
    assert found == Claim("t A: Mean", "mean", Decimal("55.0"), (Decimal("50.0"), Decimal("60.0")))


def test_numbers_keep_their_digits():
    assert number("−3.10 %") == Decimal("-3.10")
    assert number("n/a") is None


def test_faces_of_fairness():
    found = [judge(c) for c in nested_claims(PAPER)]
    wrong = {row["where"] for row in found if row["finding"] == NOT}
    assert wrong == {"Table 6 POSTER Age: Mean", "Table 4 CLIP: STD"}
    group = [row for row in found if row["where"][:7] in {f"Table {i}" for i in (5, 6, 7, 8)}]
    maxima = Counter(row["finding"] for row in group if row["summary"] == "max")
    assert maxima == {FOLLOWS: 96}
    spread = Counter(row["finding"] for row in group if row["summary"] in {"sd", "sample_sd"})
    assert spread == {FOLLOWS: 47, TRUNCATED: 49}
    assert not any(row["summary"] == "sample_sd" for row in group)
    scores = [row["finding"] for row in found if row["where"].startswith("Table 9")]
    assert len(scores) == 96 + 24 + 8
    assert not {NOT, POSSIBLE} & set(scores)
    assert {row["finding"] for row in found if row["where"].endswith("Bias")} <= {FOLLOWS, TRUNCATED, POSSIBLE}


def test_equalized_odds_of_faces_of_fairness_are_too_small_to_hold_equal_opportunity():
    found = equalized_odds_findings(PAPER)
    assert len(found) == 2 * 168
    wrong = [row for row in found if row["finding"] == NOT]
    assert Counter(row["summary"] for row in wrong) == {
        "the least larger of two differences": 117,
        "the least mean of two differences": 80,
    }
    assert {(row["where"], float(row["printed"]), row["computed"]) for row in wrong} >= {
        ("Table 5 MobileNet Age: Neu", 4.9, 8.3),  # equal opportunity, Table 6
        ("Table 5 MobileNet Race: Sad", 7.1, 8.95),  # half of 17.9
    }


def test_any_equalized_odds_of_a_count_table_holds():
    table = np.random.default_rng(0).multinomial(300, np.full((4, 3, 3), 1 / 3))
    values = by_class(table)
    joined = {"larger": "equalized_odds_difference", "mean": "average_abs_odds_difference"}
    for name, metric in joined.items():
        printed = {
            "models": ["m"],
            "attributes": ["a"],
            "expressions": ["x", "y", "z"],
            "table5": {"m": {"a": dict(zip("xyz", np.round(100 * values[metric], 1).tolist(), strict=True))}},
            "table6": {
                "m": {
                    "a": dict(
                        zip("xyz", np.round(100 * values["equal_opportunity_difference"], 1).tolist(), strict=True)
                    )
                }
            },
        }
        found = [row for row in equalized_odds_findings(printed) if name in row["summary"]]
        assert {row["finding"] for row in found} == {FOLLOWS}


def test_what_decides_the_score_of_faces_of_fairness():
    table = makeup(PAPER).set_index("metric")
    assert table["share"].sum() == pytest.approx(1)
    assert table.loc["Tr-Eq", "share"] == pytest.approx(0.794, abs=1e-3)
    assert table.loc["Tr-Eq", ["without", "tau"]].tolist() == ["CLIP", pytest.approx(0.5)]
    assert table.loc["mean over expressions", "tau"] == pytest.approx(2 / 7)
    assert [row["finding"] for row in ranking_findings(PAPER)] == [FOLLOWS] * 7
    turned = PAPER | {"ranking": ["ResNet", "ViT"]}
    assert [row["finding"] for row in ranking_findings(turned)] == [NOT]


def test_the_published_tables_by_the_command_line():
    done = run(ROOT / "report" / "faces_of_fairness.json")
    assert done.returncode == 0, done.stderr
    assert "Table 5 MobileNet Age: Neu: 4.9 against 8.300 as the least larger of two differences" in done.stdout
    assert "… and 105 more: the least larger of two differences" in done.stdout
    assert "Tr-Eq makes 79 % of the score's variance over models; without it CLIP is most biased" in done.stdout


def run(*arguments):
    command = [sys.executable, ROOT / "scripts" / "check_printed.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_line(tmp_path):
    (tmp_path / "t.csv").write_text("model,female,male,Mean\nA,50.0,61.5,57.0\nB,42.3,50.0,46.1\n")
    done = run(tmp_path / "t.csv", "--out", tmp_path / "found.csv")
    assert done.returncode == 0, done.stderr
    assert "t A: Mean: 57.0 against 55.750 as mean of what is printed: does not follow" in done.stdout
    assert "one number of faces for all shares: 26" in done.stdout
    assert pd.read_csv(tmp_path / "found.csv")["finding"].tolist() == [NOT, TRUNCATED]


@pytest.mark.parametrize(("name", "text"), [("t.csv", ""), ("t.json", "{}"), ("t.json", "{")])
def test_a_file_that_is_no_table(name, text, tmp_path):
    (tmp_path / name).write_text(text)
    done = run(tmp_path / name)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "cannot be read" in done.stderr
