"""What the paper says for every verdict: of a gap, of its change in each outcome, and where there is no estimate."""

import re

import pandas as pd
import pytest
from made_up import write_study

from fergap.audit.sentences import change_sentence, gap_sentence
from fergap.paper.document import Document

CHANGE = {
    "status": "ok",
    "contrast": "baseline to child_oversampled",
    "group": "child",
    "reference": "adult",
    "estimate": 0.031,
    "ci_low": 0.004,
    "ci_high": 0.058,
    "confidence": 0.95,
    "p_adjusted": 0.021,
    "adjustment": "holm",
    "test": "Welch test",
    "margin": 0.03,
    "smallest_margin": 0.047,
    "gap_before": -0.054,
    "gap_after": -0.023,
    "change_group": 0.04,
    "change_reference": 0.009,
    "levelling_down": 0,
    "lost": None,
    "minimum_detectable_gap": 0.036,
    "equivalent_after": False,
}
# verdict: what differs, what the conclusion must say, what it must not
OUTCOMES = {
    "narrowed and equivalent": (
        {"equivalent_after": True, "smallest_margin": 0.027},
        "it narrowed, and the gap after lies within ±3.0 points",
        "not shown",
    ),
    "narrowed, not shown equivalent": ({}, "it narrowed, but equivalence is not shown", "lies within"),
    "equivalent, change not shown": (
        {"equivalent_after": True, "smallest_margin": 0.027, "ci_low": -0.01, "p_adjusted": 0.2},
        "the gap after lies within ±3.0 points, but that it changed is not shown",
        "narrowed",
    ),
    "no change shown": (
        {"ci_low": -0.01, "p_adjusted": 0.2},
        "no change is shown, and equivalence is not shown",
        "narrowed",
    ),
    "widened": (
        {"estimate": -0.031, "ci_low": -0.058, "ci_high": -0.004, "gap_after": -0.085},
        "it widened, and equivalence is not shown",
        "narrowed",
    ),
    "reversed": (
        {"estimate": 0.116, "ci_low": 0.089, "ci_high": 0.143, "gap_after": 0.062},
        "it changed sign, and equivalence is not shown",
        "widened",
    ),
    "moved and equivalent": (
        {"gap_after": 0.002, "estimate": 0.056, "ci_high": 0.083, "ci_low": 0.029, "equivalent_after": True}
        | {"gap_mean": -0.026, "gap_mean_low": -0.055, "gap_mean_high": 0.003, "smallest_margin": 0.027},
        "it moved, but that it is smaller or larger than before is not shown; the gap after lies within ±3.0 points",
        "narrowed",
    ),
    "moved, not shown equivalent": (
        {"gap_after": 0.002, "estimate": 0.056, "ci_high": 0.083, "ci_low": 0.029}
        | {"gap_mean": -0.026, "gap_mean_low": -0.055, "gap_mean_high": 0.003},
        "mean of the two gaps −2.6, 95 % CI −5.5 to 0.3): it moved, but that it is smaller or larger than before is "
        "not shown, and equivalence is not shown",
        "narrowed",
    ),
}


def numbers(text):
    """The interval of a sentence and the estimate before it, as numbers."""
    found = re.search(r"change ([−\d.]+), [\d.]+ % CI ([−\d.]+) to ([−\d.]+)", text)
    return [float(v.replace("−", "-")) for v in found.groups()]


@pytest.mark.parametrize("verdict", OUTCOMES)
def test_each_outcome_of_a_contrast_is_worded(tmp_path, verdict):
    change, said, unsaid = OUTCOMES[verdict]
    text = change_sentence(CHANGE | {"verdict": verdict} | change)
    assert said in text
    assert unsaid not in text
    assert "no difference" not in text
    assert "closed" not in text
    estimate, low, high = numbers(text)
    assert low <= estimate <= high
    assert estimate == pytest.approx(100 * (CHANGE | change)["estimate"], abs=0.05)

    def edit(found):
        rows = found["verdicts"]["contrast"].notna() & (found["verdicts"]["attribute"] == "age")
        found["verdicts"].loc[rows, ["sentence", "verdict"]] = text, verdict

    document = Document(write_study(tmp_path, n=400, edit=edit))
    printed = document.abstract().replace("\N{NO-BREAK SPACE}", " ").replace("\\", "")
    assert said in printed
    assert verdict in document.results.table("verdicts")["verdict"].tolist()


def test_a_gap_widened_though_inside_the_margin():
    text = change_sentence(
        CHANGE
        | {"verdict": "widened", "equivalent_after": True, "estimate": -0.01, "gap_before": 0.0, "gap_after": -0.01}
        | {"ci_low": -0.018, "ci_high": -0.002}
    )
    assert "it widened, though the gap after lies within ±3.0 points" in text


def test_levelling_down_is_said():
    text = change_sentence(
        CHANGE
        | {"verdict": "narrowed, not shown equivalent", "levelling_down": 1, "lost": "adult", "change_reference": -0.03}
    )
    assert "fell by 3.0 points for adult faces: levelling down, adult faces lost" in text


def test_no_estimate_is_worded_for_a_gap_and_for_a_change():
    lost = {"verdict": "not estimable", "status": "not estimable: 2 faces of child", "arm": "baseline"}
    assert gap_sentence(CHANGE | lost).endswith("cannot be estimated: 2 faces of child.")
    assert "the change of the gap between child faces and adult faces cannot be estimated" in change_sentence(
        CHANGE | lost
    )


def test_no_estimate_reaches_the_abstract(tmp_path):
    document = Document(write_study(tmp_path, n=400, few=2))
    text = document.abstract().replace("\N{NO-BREAK SPACE}", " ")
    assert "the gap between child faces and adult faces cannot be estimated: fewer than 3 faces of child" in text
    assert pd.isna(document.results.gaps().query("attribute == 'age'")["estimate"]).all()


@pytest.mark.parametrize(
    ("estimate", "low", "high"), [(-0.136, -0.18, -0.093), (0.018, -0.007, 0.042), (-0.014, -0.029, 0.002)]
)
def test_the_interval_of_a_gap_has_the_sign_of_its_words(estimate, low, high):
    row = {
        "arm": "baseline",
        "group": "child",
        "reference": "adult",
        "verdict": "gap",
        "adjustment": "holm",
        "estimate": estimate,
        "ci_low": low,
        "ci_high": high,
        "confidence": 0.95,
        "n_group": 500,
        "n_reference": 4000,
        "accuracy_group": 0.7 + estimate,
        "accuracy_reference": 0.7,
        "margin": 0.03,
        "p_adjusted": 0.01,
        "test": "class-stratified exact",
        "minimum_detectable_gap": 0.05,
    }
    text = gap_sentence(row)
    shown, word = re.search(r"recognised ([\d.]+) points (\w+) often", text).groups()
    ends = [float(v.replace("−", "-")) for v in re.search(r"CI ([−\d.]+) to ([−\d.]+)", text).groups()]
    assert word == ("less" if estimate < 0 else "more")
    assert ends[0] <= float(shown) <= ends[1]
    assert ends[1] - ends[0] == pytest.approx(100 * (high - low), abs=0.11)
