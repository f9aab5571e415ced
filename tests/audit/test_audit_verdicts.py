"""Verdicts and sentences on tables whose answer is known."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_ind

from fergap.audit import audit
from fergap.audit.paired import Pairs, mean_gap, welch
from fergap.audit.sentences import gap_sentence, interval, p_value, percent, points, whole_percent
from fergap.audit.verdicts import judged_change


def study(child: tuple[int, int, int, int], adult: tuple[int, int, int, int], **more) -> dict[str, pd.DataFrame]:
    """Audit faces of one class and one other, from the counts n11, n10, n01, n00 of each group."""
    right = np.array([[1, 1], [1, 0], [0, 1], [0, 0]]).repeat
    pairs = np.concatenate([right(child, 0), right(adult, 0)])
    ids = [f"face{i}" for i in range(len(pairs))]
    true = np.where(np.arange(len(pairs)) % 2, "calm", "angry")
    other = np.where(true == "calm", "angry", "calm")
    arms = [
        pd.DataFrame({"arm": arm, "image_id": ids, "true": true, "predicted": np.where(pairs[:, i] == 1, true, other)})
        for i, arm in enumerate(("baseline", "treated"))
    ]
    group = np.repeat(["child", "adult"], [sum(child), sum(adult)])
    people = pd.DataFrame({"image_id": ids, "attribute": "age", "group": group})
    options = {"attributes": ["age"], "reference": {"age": "adult"}, "margin": 0.05, "resamples": 200} | more
    return audit(pd.concat(arms), people, contrasts=[{"before": "baseline", "after": "treated"}], **options)


@pytest.mark.parametrize(
    ("child", "adult", "verdict", "levelling"),
    [
        ((600, 10, 150, 240), (1600, 20, 20, 360), "narrowed, not shown equivalent", 0),
        ((3000, 50, 950, 1000), (8000, 100, 100, 1800), "narrowed and equivalent", 0),
        ((4000, 40, 40, 920), (8000, 100, 100, 1800), "equivalent, change not shown", 0),
        ((60, 6, 8, 26), (160, 12, 11, 17), "no change shown", 0),
        ((3500, 500, 30, 970), (8000, 100, 100, 1800), "widened", 0),
        ((3900, 50, 550, 500), (8000, 100, 100, 1800), "reversed", 0),  # and wider, on the other side
        ((810, 10, 80, 100), (1600, 30, 30, 340), "widened", 0),  # from half a point that is not shown
        ((750, 10, 80, 160), (1600, 30, 30, 340), "moved", 0),  # from −5.5 to 1.5
        ((750, 10, 115, 125), (1600, 30, 30, 340), "reversed", 0),  # from −5.5 to 5.0
        ((600, 10, 12, 378), (1100, 500, 20, 380), "narrowed, not shown equivalent", 1),
    ],
)
def test_verdict_on_a_change(child, adult, verdict, levelling):
    found = study(child, adult)["verdicts"].iloc[-1]
    assert found["contrast"] == "baseline to treated"
    assert found["verdict"] == verdict
    assert found["levelling_down"] == levelling
    if levelling:
        assert found["lost"] == "adult"
        assert "levelling down, adult faces lost" in found["sentence"]


def test_a_gap_that_is_not_shown_to_have_changed_is_not_levelled_down():
    found = study((1560, 80, 12, 348), (1640, 100, 12, 248), minimum_faces=10)["verdicts"].iloc[-1]
    assert abs(found["gap_after"]) < abs(found["gap_before"])
    assert found["verdict"] == "no change shown"
    assert found["lost"] == "child; adult"
    assert found["levelling_down"] == 0
    assert "levelling down" not in found["sentence"]


def test_a_change_that_no_face_took_part_in_is_told_as_that():
    found = study((75, 0, 0, 25), (160, 0, 0, 40))["verdicts"].iloc[-1]  # as under a temperature: labels stay
    assert (found["estimate"], found["verdict"]) == (0, "no change shown")
    assert np.isnan(found["minimum_detectable_gap"])
    assert found["sentence"].endswith("for adult faces: no face of theirs became right or wrong.")
    assert "could have shown" in study((75, 1, 0, 24), (160, 0, 0, 40))["verdicts"].iloc[-1]["sentence"]


@pytest.mark.parametrize(
    ("child", "adult", "verdict"),
    [
        ((600, 0, 0, 400), (1600, 0, 0, 400), "gap"),
        ((3900, 0, 0, 1100), (8000, 0, 0, 2000), "equivalent"),  # significant, and inside the margin
        ((75, 0, 0, 25), (160, 0, 0, 40), "undecided"),
        ((4, 0, 0, 3), (160, 0, 0, 40), "not estimable"),
        ((20, 0, 0, 0), (200, 0, 0, 0), "undecided"),  # all right in both, and too few to certify the margin
    ],
)
def test_verdict_on_a_gap(child, adult, verdict):
    out = study(child, adult)
    found = out["verdicts"].iloc[0]
    assert found["verdict"] == verdict
    if verdict == "equivalent":
        assert found["p_value"] < 0.05


def test_a_gap_that_is_not_significant_is_never_called_absent():
    for row in study((75, 3, 4, 18), (160, 5, 6, 29))["verdicts"].itertuples():
        assert "no difference" not in row.sentence
        assert "no gap" not in row.sentence


def test_sentences_carry_the_numbers_of_their_row():
    out = study((600, 10, 150, 240), (1600, 20, 20, 360))["verdicts"]
    assert out["sentence"][0] == (
        "With baseline, child faces were recognised 20.0 points less often than adult faces "
        "(61.0 % against 81.0 %, n 1,000 and 2,000; 95 % CI 16.5 to 23.5; class-stratified exact test, "
        "Holm-adjusted p < 0.001): a gap. "
        "The smallest gap this sample could have shown at 80 % power is 4.4 points."
    )
    assert out["sentence"].iloc[-1] == (
        "From baseline to treated, the gap between child faces and adult faces went from −20.0 to −6.0 points "
        "(change 14.0, 95 % CI 11.6 to 16.4; Welch test, Holm-adjusted p < 0.001): it narrowed, but equivalence is "
        "not shown (the smallest margin that the data certify is 8.7 points). Accuracy rose by 14.0 points for child "
        "faces and stayed the same for adult faces. The smallest change of the gap this sample could have shown at "
        "80 % power is 3.4 points."
    )


@pytest.mark.parametrize(
    ("verdict", "ci_high", "said"),
    [
        ("gap", 0.002, " The Holm-adjusted test within classes rejects; the interval, of the difference over all"),
        ("undecided", -0.002, " The interval, of the difference over all faces, leaves 0 out; the Holm-adjusted test"),
        ("gap", -0.002, " The smallest gap"),
        ("undecided", 0.002, " The smallest gap"),
        ("equivalent", -0.002, " The smallest gap"),
    ],
)
def test_where_interval_and_test_differ_the_sentence_says_so(verdict, ci_high, said):
    row = study((600, 10, 150, 240), (1600, 20, 20, 360))["verdicts"].iloc[0].to_dict()
    sentence = gap_sentence(row | {"verdict": verdict, "ci_high": ci_high})
    _, rest = sentence.split(". ", maxsplit=1)
    assert f" {rest}".startswith(said)


def test_numbers_as_printed():
    assert points(-0.0412) == "−4.1"
    assert points(-0.0001) == "0.0"
    assert points(-0.0412, signed=False) == "4.1"
    assert percent(0.516) == "51.6 %"
    assert whole_percent(0.95) == "95 %"
    assert whole_percent(0.975) == "97.5 %"
    assert interval(-0.0655, 0.016) == "−6.6 to 1.6"
    assert [p_value(p) for p in (0.0009, 0.037, 0.0005, 1.0, 0.9994)] == [
        "p < 0.001",
        "p = 0.037",
        "p < 0.001",
        "p > 0.999",
        "p = 0.999",
    ]


def test_the_mean_of_two_gaps_is_near_welch_s_in_large_groups():
    group, reference = Pairs(6000, 600, 800, 2600), Pairs(16000, 1200, 1100, 1700)
    faces = [np.repeat([1.0, 0.5, 0.5, 0.0], pairs) for pairs in (group, reference)]
    expected = ttest_ind(*faces, equal_var=False).confidence_interval(0.95)
    found = mean_gap(group, reference, 0.95)
    assert found[0] == pytest.approx(faces[0].mean() - faces[1].mean())
    assert found[1:] == pytest.approx(expected, abs=2e-4)
    # all right in both arms: no proof of 0, and not less sure than one arm alone is
    estimate, low, high = mean_gap(Pairs(10, 0, 0, 0), Pairs(20, 0, 0, 0), 0.95)
    assert estimate == 0
    assert low == pytest.approx(-wilson_reach(10), abs=0.08)
    assert high == pytest.approx(wilson_reach(20), abs=0.05)


def wilson_reach(n):
    """How far below 1 Wilson's interval of n faces that are all right reaches: z²/(n + z²)."""
    return 1.96**2 / (n + 1.96**2)


def test_the_mean_of_two_gaps_is_held_in_a_small_group_nearly_all_right():
    """Welch's t, which holds 83 %, has no business here."""
    rng, held = np.random.default_rng(11), 0
    cells = np.array([[0.9585, 0.0115, 0.0215, 0.0085], [0.985, 0.005, 0.005, 0.005]])
    truth = float((cells[0] - cells[1]) @ [1, 0.5, 0.5, 0])
    for group, reference in zip(rng.multinomial(60, cells[0], 600), rng.multinomial(2000, cells[1], 600), strict=True):
        _, low, high = mean_gap(Pairs(*map(int, group)), Pairs(*map(int, reference)), 0.95)
        held += low <= truth <= high
    assert held >= 600 * 0.95 - 3 * np.sqrt(600 * 0.95 * 0.05)


def test_narrowed_is_seldom_said_of_a_gap_that_crossed_zero():
    # before and after equally large on different sides: narrowed and widened both are wrong
    rng = np.random.default_rng(3)
    drawn, said = ((500, (0.66, 0.04, 0.12, 0.18)), (1500, (0.7, 0.04, 0.04, 0.22))), []
    for _ in range(400):
        group, reference = (Pairs(*rng.multinomial(n, cells)) for n, cells in drawn)
        change = welch(group, reference, 0.95)
        row = change._asdict() | {"p_adjusted": change.p_value, "equivalent_after": False}
        said.append(judged_change(row, group, reference, 0.95)["verdict"])
    assert said.count("no change shown") < 20
    assert sum(v.startswith(("narrowed", "widened")) for v in said) / 400 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)
