"""Each formula against R on every two-by-two table of the oracle (README of tests/oracle: functions and tolerances)."""

import math

import numpy as np
import pingouin
import pytest
from oracle_cases import ARMS, DATASETS, answers, faces
from scipy.stats import ttest_ind

from fergap.audit import paired, power, proportions, stratified
from fergap.audit.boschloo import small_sample


def two_by_two() -> list:
    """Every table of two groups with its answers: all data sets, arms and attributes, and seven fixed ones."""
    tables = [
        pytest.param(answers()["datasets"][d][arm][a]["two_proportion"], id=f"{d}-{arm}-{a}")
        for d in DATASETS
        for arm in ARMS
        for a in ("gender", "age")
    ]
    return tables + [pytest.param(t, id=f"fixed-{i}") for i, t in enumerate(answers()["fixed"]["two_by_two"])]


def stratifications() -> list:
    return [pytest.param(d, arm, a, id=f"{d}-{arm}-{a}") for d in DATASETS for arm in ARMS for a in ("gender", "age")]


def strata_of(name: str, arm: str, attribute: str) -> stratified.Strata:
    frame = faces(name)
    groups = {"gender": ("female", "male"), "age": ("child", "adult")}[attribute]
    right = frame["true"] == frame[f"pred_{arm}"]
    classes = answers()["datasets"][name]["classes"]
    out = []
    for group in groups:
        own = frame[attribute] == group
        out.append([int((own & right & (frame["true"] == c)).sum()) for c in classes])
        out.append([int((own & (frame["true"] == c)).sum()) for c in classes])
    return stratified.Strata(*map(np.array, out))


@pytest.mark.parametrize("r", two_by_two())
def test_proportions_equal_r(r):
    counts = r["x1"], r["n1"], r["x0"], r["n0"]
    # prop.test(x, n, correct = FALSE)$conf.int, binom.test(x, n)$conf.int
    assert proportions.wilson(*counts[:2], 0.95) == pytest.approx(r["wilson1"], abs=1e-9)
    assert proportions.wilson(*counts[2:], 0.95) == pytest.approx(r["wilson0"], abs=1e-9)
    assert proportions.clopper_pearson(*counts[:2], 0.95) == pytest.approx(r["clopper1"], abs=1e-9)
    # written out in R: Newcombe's method 10; Miettinen and Nurminen by a root finder
    assert proportions.newcombe(*counts, 0.95) == pytest.approx(r["newcombe_formula"], abs=1e-9)
    assert proportions.newcombe(*counts, 0.9) == pytest.approx(r["newcombe90_formula"], abs=1e-9)
    for level, key in ((0.95, "miettinen_nurminen_formula"), (0.9, "miettinen_nurminen90_formula")):
        if None not in r[key]:
            assert proportions.miettinen_nurminen(*counts, level) == pytest.approx(r[key], abs=1e-6)
    for key, p in r["tost_mn_score_formula"].items():
        if isinstance(p, float):
            assert proportions.equivalence_p(*counts, int(key[1:]) / 100) == pytest.approx(p, abs=1e-7)


@pytest.mark.parametrize("r", two_by_two())
def test_tests_of_two_proportions_equal_r(r):
    table = stratified.two_by_two(r["x1"], r["n1"], r["x0"], r["n0"])
    if isinstance(r["prop_test"]["p_value"], float):  # prop.test(x, n, correct = FALSE)
        found = stratified.chi_square(table)
        assert found.statistic == pytest.approx(r["prop_test"]["statistic"], rel=1e-7)
        assert found.p_value == pytest.approx(r["prop_test"]["p_value"], rel=1e-7)
        assert stratified.least_expected(table) == pytest.approx(r["min_expected"], rel=1e-9)
    # fisher.test(table)
    assert stratified.fisher(table).p_value == pytest.approx(r["fisher"]["p_value"], rel=1e-7)
    if r.get("unconditional"):
        name, found = small_sample(table)
        assert name == "boschloo"
        assert found.p_value == pytest.approx(r["unconditional"]["boschloo_scipy_two_sided_formula"], abs=2e-4)


@pytest.mark.parametrize(("name", "arm", "attribute"), stratifications())
def test_stratified_tests_equal_r(name, arm, attribute):
    r = answers()["datasets"][name][arm][attribute]["stratified_by_class"]
    strata = strata_of(name, arm, attribute)
    # mantelhaen.test(x, correct = FALSE) and mantelhaen.test(x, exact = TRUE)
    cmh, exact = stratified.cochran_mantel_haenszel(strata), stratified.exact_conditional(strata)
    assert cmh.statistic == pytest.approx(r["mantelhaen"]["statistic"], rel=1e-7)
    assert cmh.p_value == pytest.approx(r["mantelhaen"]["p_value"], rel=1e-7)
    assert exact.p_value == pytest.approx(r["mantelhaen_exact"]["p_value"], rel=1e-7)
    # metafor::rma.mh(measure = "RD")
    gap, low, high = stratified.risk_difference(strata, 0.95)
    assert gap == pytest.approx(r["mh_rd_metafor"]["estimate"], rel=1e-7, abs=1e-12)
    assert (low, high) == pytest.approx([max(-1, min(1, x)) for x in r["mh_rd_metafor"]["ci"]], rel=1e-7, abs=1e-9)


def test_exact_test_of_many_faces_is_fast_and_near_the_asymptotic_one():
    n1, n0 = np.array([200_000, 150_000]), np.array([900_000, 700_000])
    strata = stratified.Strata(np.array([139_700, 90_000]), n1, np.array([630_000, 421_000]), n0)
    exact, asymptotic = stratified.exact_conditional(strata), stratified.cochran_mantel_haenszel(strata)
    assert exact.p_value == pytest.approx(asymptotic.p_value, rel=0.02)
    # far out, where the kept part of the distribution ends
    far = stratified.Strata(np.array([120_000, 60_000]), n1, strata.x0, n0)
    assert 0 <= stratified.exact_conditional(far).p_value < 1e-80


def pairs_of(name: str) -> list[paired.Pairs]:
    r = answers()["datasets"][name]["paired"]
    found = [r["overall"]] + [v for a in ("gender", "age") for v in r[a].values() if isinstance(v, dict) and "n11" in v]
    return [(paired.Pairs(*(v[k] for k in ("n11", "n10", "n01", "n00"))), v) for v in found]


@pytest.mark.parametrize("name", DATASETS)
def test_paired_changes_equal_r(name):
    for counts, r in pairs_of(name):
        assert counts.change == pytest.approx(r["change"], abs=1e-12)
        assert math.sqrt(counts.variance / counts.n) == pytest.approx(r["se_change_formula"], abs=1e-12)
        # binom.test(b, b + c)$p.value, and less dbinom(b, b + c, 1/2)
        assert paired.mcnemar_exact(counts.n10, counts.n01) == pytest.approx(r["exact_binom_p"], rel=1e-7)
        assert paired.mcnemar_midp(counts.n10, counts.n01) == pytest.approx(r["midp_formula"], rel=1e-7)
        expected = [max(-1, min(1, x)) for x in r["bonett_price_ci_formula"]]
        assert proportions.bonett_price(counts.n10, counts.n01, counts.n, 0.95) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("attribute", ["gender", "age"])
@pytest.mark.parametrize("name", DATASETS)
def test_change_of_a_gap_equals_r_scipy_and_pingouin(name, attribute):
    r = answers()["datasets"][name]["paired"][attribute]
    frame = faces(name)
    change = (frame["true"] == frame["pred_after"]).astype(int) - (frame["true"] == frame["pred_before"]).astype(int)
    groups = {"gender": ("female", "male"), "age": ("child", "adult")}[attribute]
    counts = [paired.Pairs(*(r[g][k] for k in ("n11", "n10", "n01", "n00"))) for g in groups]
    found = paired.welch(*counts, 0.95)
    assert found.estimate == pytest.approx(r["did_formula"]["estimate"], abs=1e-12)
    # sandwich::vcovHC(lm(d ~ group), "HC0") divides by n, Welch by n − 1
    hc0 = math.sqrt(sum(c.variance / c.n for c in counts))
    assert hc0 == pytest.approx(r["did_lm_HC0"]["se"], rel=1e-9)
    assert paired.mover_change(*counts, 0.95).se == pytest.approx(r["did_formula"]["se"], rel=1e-9)
    expected = ttest_ind(*(change[frame[attribute] == g] for g in groups), equal_var=False)
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-9)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert (found.ci_low, found.ci_high) == pytest.approx(tuple(expected.confidence_interval(0.95)), rel=1e-9)
    other = pingouin.ttest(*(change[frame[attribute] == g] for g in groups), correction=True).iloc[0]
    assert (found.statistic, found.df) == pytest.approx((other["T"], other["dof"]), rel=1e-9)


def test_mover_p_is_the_level_at_which_its_interval_reaches_zero():
    group, reference = paired.Pairs(20, 1, 9, 10), paired.Pairs(150, 8, 9, 40)
    found = paired.mover_change(group, reference, 0.95)
    assert found.ci_low <= found.estimate <= found.ci_high
    edge = paired.mover_change(group, reference, 1 - found.p_value)
    assert min(abs(edge.ci_low), abs(edge.ci_high)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("r", answers()["fixed"]["power"], ids=lambda r: f"{r['p1']}-{r['p2']}")
def test_power_equals_r(r):
    # power.prop.test(n = 200, p1, p2), with strict = TRUE, and its p2 for n = 500 and power 0.8
    assert power.power(r["p1"], 200, r["p2"], 200, 0.95) == pytest.approx(r["power_n200"], rel=1e-9)
    strict = power.power(r["p1"], 200, r["p2"], 200, 0.95, strict=True)
    assert strict == pytest.approx(r["power_n200_strict"], rel=1e-9)
    assert power.power(r["mde_p2_given_n500_power80"], 500, r["p1"], 500, 0.95) == pytest.approx(
        0.8, abs=1e-3
    )  # uniroot


@pytest.mark.parametrize(
    ("n1", "expected"), [(50, 0.177), (100, 0.126), (200, 0.090), (354, 0.069), (540, 0.058), (708, 0.053)]
)
def test_minimum_detectable_gap_of_the_published_size(n1, expected):
    assert power.minimum_detectable_gap(n1, 0.77, 2710 - n1, 0.95) == pytest.approx(expected, abs=5e-4)


def test_minimum_detectable_gap_looks_upward_and_may_not_exist():
    upward = power.minimum_detectable_gap(200, 0.01, 2000, 0.95)
    assert power.power(0.01 + upward, 200, 0.01, 2000, 0.95) == pytest.approx(0.8)
    assert math.isnan(power.minimum_detectable_gap(2, 0.5, 2, 0.95))
