"""Class adjustment, crude tests and pairs of groups against R, and what must hold for any table."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle_cases import ARMS, DATASETS, answers, audited, faces
from scipy.stats import fisher_exact
from statsmodels.stats.contingency_tables import StratifiedTable

from fergap.audit import adjustment, crude, pairwise
from fergap.audit.boschloo import boschloo
from fergap.audit.stratified import Strata, chi_square, two_by_two

Z = 1.959963984540054
TABLES = [
    pytest.param(answers()["datasets"][d][arm][a]["two_proportion"], id=f"{d}-{arm}-{a}")
    for d in DATASETS
    for arm in ARMS
    for a in ("gender", "age")
] + [pytest.param(t, id=f"fixed-{i}") for i, t in enumerate(answers()["fixed"]["two_by_two"])]
CASES = [pytest.param(d, arm, a, id=f"{d}-{arm}-{a}") for d in DATASETS for arm in ARMS for a in ("gender", "age")]


def strata_of(name: str, arm: str, attribute: str) -> Strata:
    frame = faces(name)
    right = frame["true"] == frame[f"pred_{arm}"]
    out = []
    for group in {"gender": ("female", "male"), "age": ("child", "adult")}[attribute]:
        own = [(frame[attribute] == group) & (frame["true"] == c) for c in answers()["datasets"][name]["classes"]]
        out += [[int((o & right).sum()) for o in own], [int(o.sum()) for o in own]]
    return Strata(*map(np.array, out))


@st.composite
def strata(draw) -> Strata:
    """One to five classes of two groups; either may lack a class, but neither all."""
    k = draw(st.integers(1, 5))
    n1, n0 = ([draw(st.integers(0, 40)) for _ in range(k)] for _ in range(2))
    n1[0], n0[-1] = max(n1[0], 1), max(n0[-1], 1)
    x1, x0 = ([draw(st.integers(0, m)) for m in n] for n in (n1, n0))
    return Strata(*map(np.array, (x1, n1, x0, n0)))


@pytest.mark.parametrize(("name", "arm", "attribute"), CASES)
def test_adjusted_effects_equal_r(name, arm, attribute):
    r = answers()["datasets"][name][arm][attribute]["stratified_by_class"]
    own = strata_of(name, arm, attribute)
    ratio, low, high = adjustment.odds_ratio(own, 0.95)
    if isinstance(r["mantelhaen"]["estimate"], float | int) and r["mantelhaen"]["estimate"] > 0:
        # mantelhaen.test(x, correct = FALSE): Robins, Breslow and Greenland's interval
        assert ratio == pytest.approx(r["mantelhaen"]["estimate"], rel=1e-7)
        assert (low, high) == pytest.approx(r["mantelhaen"]["conf_int"], rel=1e-7)
        for tarone, statistic, p in ((False, "statistic", "p"), (True, "tarone", "p_tarone")):
            found = adjustment.breslow_day(own, tarone)
            assert found.statistic == pytest.approx(r["breslow_day_formula"][statistic], rel=1e-7, abs=1e-9)
            assert found.p_value == pytest.approx(r["breslow_day_formula"][p], rel=1e-7)
            assert found.df == r["breslow_day_formula"]["df"]
    else:
        assert math.isnan(ratio)
        assert math.isnan(adjustment.breslow_day(own, True).p_value)
    gap, low, high = adjustment.standardised_gap(own, 0.95)
    expected = r["standardised_gap_formula"]
    assert gap == pytest.approx(expected["estimate"], rel=1e-7, abs=1e-12)
    assert (low, high) == pytest.approx([gap - Z * expected["se"], gap + Z * expected["se"]], rel=1e-7)


@given(strata())
@settings(max_examples=100, deadline=None)
def test_decomposition_adds_up_and_turns_with_the_groups(own):
    crude_gap = own.x1.sum() / own.n1.sum() - own.x0.sum() / own.n0.sum()
    mix, within = adjustment.kitagawa(own)
    assert mix.sum() + within.sum() == pytest.approx(crude_gap, abs=1e-12)
    back = Strata(own.x0, own.n0, own.x1, own.n1)
    assert adjustment.kitagawa(back)[0] == pytest.approx(-mix, abs=1e-12)
    assert adjustment.expected_gap(back) == pytest.approx(-adjustment.expected_gap(own), abs=1e-12)
    assert adjustment.simpson(back) == adjustment.simpson(own)
    there, again = adjustment.breslow_day(own, True), adjustment.breslow_day(back, True)
    assert there.p_value == pytest.approx(again.p_value, abs=1e-7, nan_ok=True)
    ratio, low, high = adjustment.odds_ratio(own, 0.95)
    if not math.isnan(ratio):
        assert low <= ratio <= high
        assert adjustment.odds_ratio(back, 0.95) == pytest.approx((1 / ratio, 1 / high, 1 / low))


def test_breslow_day_equals_statsmodels_away_from_an_odds_ratio_of_1():
    own = Strata(*map(np.array, ([12, 30, 9], [20, 41, 30], [9, 25, 20], [25, 60, 41])))
    tables = [two_by_two(*counts) for counts in zip(*own, strict=True)]
    for tarone in (False, True):
        found, expected = adjustment.breslow_day(own, tarone), StratifiedTable(tables).test_equal_odds(adjust=tarone)
        assert found.statistic == pytest.approx(expected.statistic, rel=1e-9)
        assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)


def test_only_class_mix_is_flagged_as_simpsons_paradox():
    # equal recalls, other mix: all of the gap is mix
    own = Strata(*map(np.array, ([80, 10], [100, 50], [40, 40], [50, 200])))
    assert adjustment.simpson(own) == 1
    mix, within = adjustment.kitagawa(own)
    assert within == pytest.approx(0)
    assert mix.sum() == pytest.approx(adjustment.expected_gap(own))
    assert adjustment.simpson(Strata(*map(np.array, ([80, 30], [100, 50], [60, 20], [100, 50])))) == 0
    by_arm = audited("o6_simpson")["verdicts"].query("arm == 'before' and contrast.isna()").set_index("attribute")
    assert by_arm["simpson"].to_dict() == {"gender": 0, "age": 1}


@pytest.mark.parametrize("r", TABLES)
def test_crude_tests_and_intervals_equal_r(r):
    counts = r["x1"], r["n1"], r["x0"], r["n0"]
    table = two_by_two(*counts)
    both, mid = crude.fisher_and_mid_p(table)
    # fisher.test(table); phyper's point probability halved
    assert both == pytest.approx(r["fisher"]["p_value"], rel=1e-7)
    assert 0 <= mid <= both
    if isinstance(r["prop_test_cc"]["p_value"], float):  # prop.test(x, n, correct = TRUE)
        found = crude.yates(table)
        assert found.statistic == pytest.approx(r["prop_test_cc"]["statistic"], rel=1e-7, abs=1e-12)
        assert found.p_value == pytest.approx(r["prop_test_cc"]["p_value"], rel=1e-7)
    gap = r["x1"] / r["n1"] - r["x0"] / r["n0"]
    for method, key in (("agresti-caffo", "agresti_caffo_formula"), ("wald", "wald_formula")):
        low, high = crude.difference_interval(*counts, method, 0.95)
        assert low == pytest.approx(max(-1, min(r[key][0], gap)), abs=1e-9)
        assert high == pytest.approx(min(1, max(r[key][1], gap)), abs=1e-9)
    if r.get("unconditional"):
        # written out in R: supremum over 4,001 points and optimize()
        assert crude.barnard(table).p_value == pytest.approx(
            r["unconditional"]["barnard_pooled_two_sided_formula"], rel=1e-7
        )
        assert boschloo(table).p_value == pytest.approx(
            r["unconditional"]["boschloo_scipy_two_sided_formula"], abs=2e-4
        )


@given(st.tuples(*[st.integers(0, 60)] * 4).filter(lambda t: t[0] + t[1] and t[2] + t[3]))
@settings(max_examples=25, deadline=None)
def test_fisher_equals_scipy_and_barnard_never_exceeds_one(counts):
    table = np.array(counts).reshape(2, 2)
    assert crude.fisher_and_mid_p(table)[0] == pytest.approx(fisher_exact(table).pvalue, rel=1e-7)
    assert 0 < crude.barnard(table).p_value <= 1
    assert crude.barnard(table).p_value == pytest.approx(crude.barnard(table[::-1]).p_value, rel=1e-9)


@pytest.mark.parametrize("arm", ARMS)
def test_groups_of_race_equal_r(arm):
    r, out = answers()["datasets"]["o7_clustered"][arm]["race"], audited("o7_clustered")
    test = out["tests"].query("arm == @arm and attribute == 'race' and test == 'chi-square of all groups'").iloc[0]
    # prop.test of k groups; vcd::assocstats; pairwise.prop.test(correct = FALSE)
    assert test["statistic"] == pytest.approx(r["prop_test_k"]["statistic"], rel=1e-7)
    assert test["df"] == r["prop_test_k"]["df"]
    assert test["p_value"] == pytest.approx(r["prop_test_k"]["p_value"], rel=1e-7)
    effect = out["effects"].query("arm == @arm and attribute == 'race' and effect == 'cramers_v'").iloc[0]
    assert effect["estimate"] == pytest.approx(r["cramers_v_vcd"], rel=1e-7)
    pairs = {
        frozenset((p.group, p.reference)): p
        for p in out["pairwise"].query("arm == @arm and attribute == 'race'").itertuples()
    }
    assert len(pairs) == math.comb(len(r["groups"]), 2)
    for key, column in (("pairwise_none", "p_value"), ("pairwise_holm", "p_adjusted")):
        for i, row in enumerate(r[key]["rows"]):
            for j, other in enumerate(r[key]["cols"][: i + 1]):
                found = getattr(pairs[frozenset((row, other))], column)
                assert found == pytest.approx(r[key]["p"][i][j], rel=1e-7)
    for pair in pairs.values():
        assert pair.simultaneous_low < pair.ci_low < pair.estimate < pair.ci_high < pair.simultaneous_high


@given(st.tuples(*[st.integers(1, 200)] * 4))
def test_two_groups_are_a_case_of_many(counts):
    table = np.array(counts).reshape(2, 2)
    many, two = pairwise.chi_square_of_groups(table), chi_square(table)
    assert many == pytest.approx(two)


def test_every_row_beside_the_primary_ones_has_its_own_name():
    for name in DATASETS:
        out = audited(name)
        pair = ["arm", "attribute", "group", "reference"]
        assert not out["tests"].duplicated([*pair, "class", "test", "family"]).any()
        assert not out["gaps"].duplicated([*pair, "metric", "class", "average", "adjusted_for", "method"]).any()
        assert not out["effects"].duplicated([*pair, "effect"]).any()
