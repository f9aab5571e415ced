"""Planned gaps, label noise, what is not estimable, families of tests and arms compared: R, hand and invariants."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle_cases import DATASETS, answers, audited, faces, people_of, predictions_of
from statsmodels.stats.contingency_tables import cochrans_q

from fergap.audit import audit
from fergap.audit.compared import cochran, corrected_t, iman_davenport, mean_ranks, nemenyi, patterns_of
from fergap.audit.label_noise import labelling, predictive_values
from fergap.audit.multiplicity import contrast_weights, permuted, step_down
from fergap.audit.planning import arcsine_power, equivalence_power, needed, worse
from fergap.audit.power import minimum_detectable_gap, power
from fergap.audit.size_matched import matched
from fergap.audit.stratified import Strata, cochran_mantel_haenszel, fisher, two_by_two

SHARES = st.floats(0.05, 0.95)


@pytest.mark.parametrize("case", range(4))
def test_power_equals_r(case):
    # power.prop.test(p1 =, p2 =, power = .8); the same with n = 200, strict; pwr.2p2n.test(h, 400, 2300)
    r = answers()["fixed"]["power"][case]
    p1, p2 = r["p1"], r["p2"]
    assert needed(lambda n: power(p1, n, p2, n, 0.95)) == pytest.approx(r["n_per_group_power80"], rel=1e-5)
    one_sided = needed(lambda n: power(p1, n, p2, n, 0.9), 0.9)
    assert one_sided == pytest.approx(r["n_per_group_power90_one_sided"], rel=1e-5)
    assert power(p1, 200, p2, 200, 0.95) == pytest.approx(r["power_n200"], rel=1e-7)
    assert power(p1, 200, p2, 200, 0.95, strict=True) == pytest.approx(r["power_n200_strict"], rel=1e-7)
    assert arcsine_power(p1, 400, p2, 2300, 0.95) == pytest.approx(r["pwr_2p2n_400_2300"], rel=1e-6)


@pytest.mark.parametrize(
    ("n", "child", "classes", "points"),
    [(2710, 50, 1, 17.7), (2710, 540, 1, 5.8), (2710, 540, 8, 7.5), (2710, 100, 8, 16.0), (16_000, 1600, 1, 3.2)],
)
def test_minimum_detectable_gaps_of_the_design(n, child, classes, points):
    gap = minimum_detectable_gap(child, 0.77, n - child, 1 - 0.05 / classes)
    assert 100 * gap == pytest.approx(points, abs=0.051)


@pytest.mark.parametrize(("gap", "children"), [(0.07, 381), (0.05, 733), (0.03, 1995), (0.02, 4442)])
def test_needed_children_of_the_design(gap, children):
    assert math.ceil(needed(lambda n: power(0.77 - gap, n, 0.77, 4 * n, 0.95))) == children


def test_power_to_certify_a_margin():
    of = [equivalence_power(0.77, 540, 2170, margin, 0.95) for margin in (0.02, 0.03, 0.05, 0.07)]
    assert of == pytest.approx([0, 0, 0.59, 0.93], abs=0.005)
    assert math.ceil(needed(lambda n: equivalence_power(0.77, n, 4 * n, 0.03, 0.95))) == 2107


@settings(max_examples=60, deadline=None)
@given(SHARES, st.floats(0.01, 0.4), st.integers(20, 5000), st.integers(20, 5000))
def test_power_grows_with_faces_and_gap(p0, gap, n1, n0):
    p1 = worse(p0, gap)
    assert p1 is not None
    assert power(p1, n1, p0, n0, 0.95) <= power(p1, 4 * n1, p0, 4 * n0, 0.95) + 1e-12
    assert power(p1, n1, p0, n0, 0.95) <= power(p1, n1, p0, n0, 0.95, strict=True) <= 1
    assert equivalence_power(p0, n1, n0, gap, 0.95) <= equivalence_power(p0, 2 * n1, n0, gap, 0.95)


def test_the_power_table_never_uses_the_observed_gap():
    table = audited("o1_seedlike", 1000, 10)["power"].query("attribute == 'age' and arm == 'before'")
    assert set(table["question"]) == {
        "minimum detectable gap",
        "power at gap",
        "faces needed for gap",
        "power to certify margin",
        "faces needed to certify margin",
    }
    assert set(table["gap"].round(12)[table["question"].str.contains("for gap|at gap")]) == {0.07, 0.05, 0.03, 0.02}
    mde = table[table["question"] == "minimum detectable gap"].set_index("comparisons")["gap"]
    verdict = audited("o1_seedlike", 1000, 10)["verdicts"].query(
        "attribute == 'age' and arm == 'before' and contrast.isna()"
    )
    assert mde[1] == pytest.approx(verdict["minimum_detectable_gap"].item())
    assert mde[4] > mde[1]


@pytest.mark.parametrize(
    ("share", "sensitivity", "specificity", "attenuation"),
    [(0.2, 0.9, 0.98, 0.89), (0.2, 0.7, 0.97, 0.78), (0.05, 0.7, 0.97, 0.54), (0.003, 0.3, 0.999, 0.47)],
)
def test_attenuation_of_the_design(share, sensitivity, specificity, attenuation):
    first, second = predictive_values(share, sensitivity, specificity)
    assert first + second - 1 == pytest.approx(attenuation, abs=0.005)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.02, 0.98), st.floats(0.6, 1.0), st.floats(0.6, 1.0), SHARES, SHARES)
def test_the_attenuation_is_that_of_the_expected_counts(share, sensitivity, specificity, a1, a0):
    labelled = share * sensitivity + (1 - share) * (1 - specificity)
    found = labelling(labelled, sensitivity, specificity)
    assert found.share == pytest.approx(share, abs=1e-9)
    # right answers among those labelled group, and labelled reference, counted from the four true cells
    as_group = (share * sensitivity * a1 + (1 - share) * (1 - specificity) * a0) / labelled
    as_reference = (share * (1 - sensitivity) * a1 + (1 - share) * specificity * a0) / (1 - labelled)
    assert as_group - as_reference == pytest.approx(found.attenuation * (a1 - a0), abs=1e-9)


def test_label_noise_table():
    table = audited("o1_seedlike", 1000, 10)["label_noise"].query("attribute == 'age' and arm == 'before'")
    given_ = table[table["scenario"] == "labels as given"].iloc[0]
    grid = table[(table["scenario"] == "grid") & (table["status"] == "ok")]
    assert len(grid) == 25
    assert (grid["estimate"] * grid["attenuation"]).to_numpy() == pytest.approx(given_["estimate"])
    assert (grid["ci_low"] * grid["attenuation"]).to_numpy() == pytest.approx(given_["ci_low"])
    tip = table[table["scenario"] == "tipping point: wholly beyond the margin"].iloc[0]
    margin = 0.05  # the interval's near end lies there
    assert tip["ci_high"] == pytest.approx(-margin)
    assert tip["ppv_sum"] == pytest.approx(1 + abs(given_["ci_high"]) / margin)


@pytest.mark.parametrize("name", DATASETS)
def test_what_is_not_estimable_is_listed_once_with_its_reason(name):
    out = audited(name, 1000, 10)
    listed = out["not_estimable"]
    assert listed["reason"].notna().all()
    for table, frame in out.items():
        if "status" in frame and table not in ("multiplicity", "not_estimable"):
            bad = frame[(frame["status"] != "ok") & ~frame["status"].str.startswith(("not reached", "not needed"))]
            mine = listed[(listed["table"] == table) & ~listed["reason"].str.contains(" left out of ")]
            assert sorted(mine["reason"]) == sorted(bad["status"]), table


def test_a_group_of_three_is_not_estimated_anywhere():
    listed = audited("o3_tiny3", 1000, 10)["not_estimable"]
    child = listed[(listed["group"] == "child") & (listed["arm"] == "before")]
    for table in ("gaps", "tests", "effects", "equivalence", "power", "label_noise", "size_matched"):
        assert "not estimable: 3 faces of child" in set(child.loc[child["table"] == table, "reason"])


def test_cochran_q_equals_r_and_statsmodels():
    # make_oracle.R: Q by hand, and mantelhaen.test of arm × right stratified by face
    r = answers()["fixed"]["cochran_q"]
    matrix = np.array(r["matrix"])
    found = cochran(*patterns_of(matrix))
    assert found[:3] == pytest.approx((r["Q_formula"], r["df"], r["p"]), rel=1e-9)
    assert found.statistic == pytest.approx(cochrans_q(matrix).statistic)
    assert cochran(np.array([[1, 1], [0, 0]]), np.array([3, 4])) == (0.0, 1.0, 1.0)


def test_cochran_q_of_two_arms_is_mcnemar():
    patterns, counts = np.array([[1, 0], [0, 1], [1, 1]]), np.array([5, 14, 40])
    assert cochran(patterns, counts).statistic == pytest.approx((5 - 14) ** 2 / 19)


def test_friedman_and_nemenyi_equal_r():
    # friedman.test(matrix); Iman-Davenport, qtukey(.95, 5, Inf)/sqrt(2) and ptukey by hand in make_oracle.R
    r = answers()["fixed"]["friedman"]
    scores = np.array(r["matrix_rows_folds"])
    friedman, f = iman_davenport(scores)
    assert friedman[:3] == pytest.approx((r["test"]["statistic"], r["test"]["df"], r["test"]["p_value"]), rel=1e-9)
    assert f.statistic == pytest.approx(r["iman_davenport_F_formula"], rel=1e-9)
    assert mean_ranks(scores) == pytest.approx(r["mean_rank_1_is_best"])
    critical, p = nemenyi(mean_ranks(scores), len(scores))
    assert critical == pytest.approx(r["nemenyi_cd_formula"], rel=1e-5)
    assert p == pytest.approx(np.array(r["nemenyi_p_formula"]), abs=1e-6)


def test_no_p_of_zero_where_folds_do_not_differ_or_a_statistic_is_huge():
    alike = np.array([[0.9, 0.8, 0.7], [0.95, 0.9, 0.1], [0.6, 0.5, 0.4]])  # F is infinite
    assert np.isnan(iman_davenport(alike)[1].p_value)
    assert np.isnan(corrected_t(np.full(5, 0.1), 1 / 4).p_value)
    assert corrected_t(np.zeros(5), 1 / 4).p_value == 1
    one = np.array([5]), np.array([100]), np.array([95]), np.array([100])
    assert 0 < cochran_mantel_haenszel(Strata(*one)).p_value < 1e-30


@pytest.mark.parametrize("name", DATASETS)
def test_the_corrected_t_over_folds_equals_r(name):
    r = answers()["datasets"][name]["paired"]["folds"]
    rows = audited(name)["models_compared"].query("test == 'nadeau-bengio t'").iloc[0]
    found = corrected_t(np.array(r["diff"]), 1 / 9)
    expected = r["nadeau_bengio_formula"]
    for statistic, df, p in ((found.statistic, found.df, found.p_value), rows[["statistic", "df", "p_value"]]):
        assert (statistic, df, p) == pytest.approx((expected["t"], expected["df"], expected["p"]), rel=1e-7)


def test_arms_compared_row_by_row():
    frame = faces("o1_seedlike")
    two = predictions_of(frame)
    third = two[two["arm"] == "before"].assign(arm="third")
    out = audit(
        pd.concat([two, third]), people_of(frame), attributes=["gender"], reference={"gender": "male"}, resamples=100
    )["models_compared"]
    pairs = out[out["test"] == "mcnemar mid-p"]
    assert list(zip(pairs["first"], pairs["second"], strict=True)) == list(
        itertools.combinations(("before", "after", "third"), 2)
    )
    midp = answers()["datasets"]["o1_seedlike"]["paired"]["overall"]["midp_formula"]
    assert pairs["p_value"].tolist() == pytest.approx([midp, 1.0, midp])
    assert pairs["p_adjusted"].tolist() == pytest.approx([3 * midp, 1.0, 3 * midp])
    assert set(out.loc[out["test"].isin(["friedman", "nemenyi", "mean rank"]), "note"]) == {
        "descriptive: folds share training faces"
    }


def table_of(rng: np.random.Generator, cells: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    n = rng.integers(3, 30, (cells, classes))
    return n, rng.binomial(n, 0.7)


def test_a_member_s_permutation_p_is_the_exact_test():
    # one class and equal sizes: Fisher's test, because both then order the tables alike
    rng, group = np.random.default_rng(3), np.array([True, False])
    n, x = np.array([[20], [20]]), np.array([[18], [11]])
    weights = np.stack([contrast_weights(n, group, ~group, x.sum(0))])
    observed = np.abs(np.einsum("mcy,cy->m", weights, x))
    raw, adjusted = step_down(observed, permuted(n, x.sum(0), weights, rng, 40_000))
    assert raw[0] == adjusted[0]
    assert raw[0] == pytest.approx(fisher(two_by_two(18, 20, 11, 20)).p_value, abs=0.004)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_standardised_gaps_have_mean_0_and_variance_1_under_permutation(seed):
    rng = np.random.default_rng(seed)
    n, x = table_of(rng, 5, 3)
    groups = [(np.arange(5) == i, np.arange(5) == 4) for i in range(4)]
    weights = [contrast_weights(n, g, r, x.sum(0)) for g, r in groups]
    stacked = np.stack([w for w in weights if w is not None])
    draws = permuted(n, x.sum(0), stacked, rng, 4000)
    assert (draws**2).mean(0) == pytest.approx(1, abs=0.15)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8))
def test_step_down_is_monotone_and_between_raw_and_bonferroni(seed, members):
    rng = np.random.default_rng(seed)
    draws = np.abs(rng.normal(size=(500, members)))
    observed = np.abs(rng.normal(size=members)) * 1.5
    raw, adjusted = step_down(observed, draws)
    assert (adjusted >= raw - 1e-12).all()
    assert (adjusted <= 1).all()
    assert (np.diff(adjusted[np.argsort(-observed, kind="stable")]) >= 0).all()
    order = np.argsort(-observed, kind="stable")
    by_hand = [(1 + (draws[:, order[i:]].max(1) >= observed[order[i]] - 1e-9).sum()) / 501 for i in range(members)]
    assert adjusted[order] == pytest.approx(np.maximum.accumulate(by_hand))


def test_the_ledger_holds_every_family_with_its_size():
    out = audited("o1_seedlike", 1000, 10)
    ledger = out["multiplicity"]
    assert (ledger["p_adjusted"] >= ledger["p_value"] - 1e-12).all()
    sizes = ledger.groupby(["table", "arm", "contrast", "family", "method"], dropna=False)["m"].agg(["size", "first"])
    assert (sizes["size"] == sizes["first"]).all()
    own = ledger[ledger["family"] == "per class and combinations"]
    assert set(own["m"]) == {8}
    tests = out["tests"]
    assert len(ledger[ledger["table"] == "tests"]) == tests["p_adjusted"].notna().sum()


def test_matched_draws_are_the_reference_itself_when_all_of_it_is_drawn():
    table = np.array([[30, 4], [6, 20]])
    common = np.ones(2, bool)
    whole = matched(table, 60, common, np.random.default_rng(1), 5)
    assert np.ptp(whole, axis=0) == pytest.approx(0)
    few = matched(table, 12, common, np.random.default_rng(1), 20_000)
    assert few[:, 0].mean() == pytest.approx(50 / 60, abs=0.003)  # accuracy has no bias
    assert few[:, 3].mean() < whole[0, 3] - 0.003  # macro-F1 of few faces has one, downwards


def test_size_matched_table():
    table = audited("o1_seedlike", 1000, 10)["size_matched"]
    known = table[table["status"] == "ok"]
    assert (known["gap"] - known["gap_matched"]).to_numpy() == pytest.approx(
        (known["matched_mean"] - known["value_reference"]).to_numpy()
    )
    assert known["range_low"].le(known["matched_mean"]).all()
    assert known["matched_mean"].le(known["range_high"]).all()
