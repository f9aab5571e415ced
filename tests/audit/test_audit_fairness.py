"""Fairness metrics against R, Fairlearn, numbers by hand and what must hold between them, with and without a gap."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import (
    demographic_parity_difference,
    demographic_parity_ratio,
    equal_opportunity_difference,
    equalized_odds_difference,
)
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from oracle_cases import ARMS, DATASETS, answers, audited, faces
from scipy.stats import kstest, multivariate_hypergeom
from statsmodels.stats.multitest import multipletests

from fergap.audit.counts import Split, tabulate
from fergap.audit.fairness import fairness
from fergap.audit.fairness_metrics import by_class, xu_fairness
from fergap.audit.permutation import without_gap
from fergap.audit.settings import Settings

DIFFERENCES = (
    "demographic_parity_difference",
    "equal_opportunity_difference",
    "false_positive_rate_difference",
    "equalized_odds_difference",
    "average_abs_odds_difference",
)


def settings_of(resamples: int = 200, minimum_faces: int = 2, seed: int = 3) -> Settings:
    return Settings(0.05, 0.95, resamples, minimum_faces, seed, ())


def split_of(table: np.ndarray, attribute: str = "kind") -> Split:
    return Split(attribute, tuple(f"group {g}" for g in range(len(table))), 0, np.asarray(table))


def table_of(split: Split, resamples: int = 200, minimum_faces: int = 2, seed: int = 3) -> pd.DataFrame:
    classes = tuple("abcdefghij"[: split.table.shape[1]])
    frame = pd.DataFrame(fairness("model", split, classes, settings_of(resamples, minimum_faces, seed)))
    return frame.set_index(["metric", "class", "summary"]).sort_index()


def value(frame: pd.DataFrame, metric: str, label: str | float = math.nan, summary: str | float = math.nan):
    """One row, found by metric, class and summary."""
    found = frame.reset_index()
    for column, wanted in (("metric", metric), ("class", label), ("summary", summary)):
        missing = isinstance(wanted, float)
        found = found[found[column].isna() if missing else found[column] == wanted]
    assert len(found) == 1, found
    return found.iloc[0]


def random_table(rng: np.random.Generator, groups: int, classes: int, low: int = 0, high: int = 30) -> np.ndarray:
    table = rng.integers(low, high, (groups, classes, classes))
    return table + 20 * np.eye(classes, dtype=int)


def per_class(frame: pd.DataFrame, metric: str, classes: list[str]) -> list[float | None]:
    numbers = [value(frame, metric, c)["estimate"] for c in classes]
    return [None if math.isnan(number) else number for number in numbers]


def close(expected: list[float | None]) -> list:
    return [None if e is None else pytest.approx(e, abs=1e-12) for e in expected]


PER_CLASS = {
    "demographic_parity_difference": "dp_per_class",
    "demographic_parity_ratio": "di_selection_ratio_per_class",
    "equal_opportunity_difference": "eopp_per_class",
    "false_positive_rate_difference": "fpr_per_class",
    "average_abs_odds_difference": "eodds_meanabs_per_class",
    "treatment_equality_counts_difference": "treatment_diff_counts",
    "treatment_equality_rates_difference": "treatment_diff_rates_eq11",
}


def r_cases() -> list[tuple[str, str, str]]:
    return [
        (name, arm, attribute)
        for name in DATASETS
        for arm in ARMS
        for attribute in ("gender", "age", "intersection", *(["race"] if name == "o7_clustered" else []))
    ]


@pytest.mark.parametrize(("name", "arm", "attribute"), r_cases())
def test_fairness_equals_r(name, arm, attribute):
    r, classes = answers()["datasets"][name][arm][attribute], answers()["datasets"][name]["classes"]
    if attribute == "intersection":
        frame = faces(name)
        groups = (frame["gender"] + "_" + frame["age"]).to_numpy()
        table = tabulate(
            [
                np.searchsorted(r["groups"], groups),
                *(np.array([classes.index(c) for c in frame[k]]) for k in ("true", f"pred_{arm}")),
            ],
            [len(r["groups"]), len(classes), len(classes)],
            np.ones(len(frame), bool),
        )
        anyone = SimpleNamespace(minimum_faces=1, confidence=0.95, alpha=0.05, resamples=100, seed=1)  # as R
        rows = fairness(arm, Split("gender*age", tuple(r["groups"]), 0, table), tuple(classes), anyone)
        found = pd.DataFrame(rows)
    else:
        found = audited(name)["fairness"].query("arm == @arm and attribute == @attribute")
    r = r["fairness"]
    for metric, field in PER_CLASS.items():
        assert per_class(found, metric, classes) == close(r[field]), metric
    own = found[found["class"].notna()].groupby("metric")["estimate"].max()
    assert own["demographic_parity_difference"] == pytest.approx(r["dp_max"], abs=1e-12)
    if r["eopp_max_defined"] is not None:
        assert own["equal_opportunity_difference"] == pytest.approx(r["eopp_max_defined"], abs=1e-12)
    both = own[["equalized_odds_difference", "false_positive_rate_difference", "equal_opportunity_difference"]].max()
    assert both == pytest.approx(r["eodds_max_defined"], abs=1e-12)
    assert value(found, "accuracy_difference")["estimate"] == pytest.approx(r["accuracy_difference"], abs=1e-12)
    assert value(found, "accuracy_ratio")["estimate"] == pytest.approx(r["accuracy_ratio_min_over_max"], abs=1e-12)
    every = value(found, "xu_fairness", summary="all_classes")
    if r["xu_F_all_classes"] is None:
        assert math.isnan(every["estimate"])
        assert every["status"].startswith("not estimable: a group has 0 faces of")
    else:
        assert every["estimate"] == pytest.approx(r["xu_F_all_classes"], abs=1e-12)
    sets = found.query("metric == 'xu_fairness'").set_index("summary")
    widest = "common_defined" if "common_defined" in sets.index else "common_classes"
    if r["xu_F_all_classes"] is not None:
        widest = "all_classes"
    if r["xu_F_common_classes"] is not None:
        assert sets.loc[widest, "estimate"] == pytest.approx(r["xu_F_common_classes"], abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_differences_equal_fairlearn_one_class_against_the_rest(seed):
    rng = np.random.default_rng(seed)
    table = random_table(rng, int(rng.integers(2, 5)), 3)
    found = by_class(table)
    group, true, predicted = (np.repeat(i, table.ravel()) for i in np.indices(table.shape).reshape(3, -1))
    for c in range(3):
        given_to = {"sensitive_features": group}
        of_class = (true == c, predicted == c)
        for name, function, more in (
            ("demographic_parity_difference", demographic_parity_difference, {}),
            ("demographic_parity_ratio", demographic_parity_ratio, {}),
            ("equal_opportunity_difference", equal_opportunity_difference, {}),
            ("equalized_odds_difference", equalized_odds_difference, {}),
            ("average_abs_odds_difference", equalized_odds_difference, {"agg": "mean"}),
        ):
            assert found[name][c] == pytest.approx(function(*of_class, **given_to, **more), abs=1e-12), name


def test_numbers_by_hand():
    # of 10 faces of a in group 0, 8 are taken for a and 2 for b
    table = [[[8, 2], [3, 7]], [[12, 8], [2, 18]]]
    found = table_of(split_of(table))
    recall = value(found, "equal_opportunity_difference", "a")
    assert recall["estimate"] == pytest.approx(0.8 - 0.6)
    assert (recall["highest"], recall["lowest"], recall["n"]) == ("group 0", "group 1", 10)
    # Newcombe's interval of 8/10 - 12/20: Wilson (.4902, .9433) and (.3866, .7812)
    assert recall["ci_low"] == pytest.approx(0.2 - math.hypot(0.8 - 0.490162, 0.781193 - 0.6), abs=1e-5)
    assert recall["ci_high"] == pytest.approx(0.2 + math.hypot(0.943318 - 0.8, 0.6 - 0.386582), abs=1e-5)
    assert value(found, "false_positive_rate_difference", "a")["estimate"] == pytest.approx(0.3 - 0.1)
    assert value(found, "demographic_parity_difference", "a")["estimate"] == pytest.approx(11 / 20 - 14 / 40)
    assert value(found, "demographic_parity_ratio", "a")["estimate"] == pytest.approx((14 / 40) / (11 / 20))
    counts = value(found, "treatment_equality_counts_log_ratio", "a")
    assert counts["estimate"] == pytest.approx(math.log((8 / 2) / (2 / 3)))
    half = 1.959963984540054 * math.sqrt(1 / 8 + 1 / 2 + 1 / 2 + 1 / 3)
    assert counts["ci_high"] - counts["estimate"] == pytest.approx(half)
    rates = value(found, "treatment_equality_rates_difference", "a")
    assert rates["estimate"] == pytest.approx(0.4 / 0.1 - 0.2 / 0.3)
    # recalls .8, .7 and .6, .9 sum to 1.5 in both groups
    assert value(found, "xu_fairness", summary="all_classes")["estimate"] == pytest.approx(1.0)
    assert value(found, "accuracy_difference")["estimate"] == pytest.approx(0.0)
    ratio = value(found, "accuracy_ratio")
    half = 1.959963984540054 * math.sqrt(1 / 15 - 1 / 20 + 1 / 30 - 1 / 40)
    assert (ratio["ci_low"], ratio["ci_high"]) == pytest.approx((math.exp(-half), math.exp(half)))
    rule = value(found, "four_fifths_accuracy")
    assert rule["estimate"] == pytest.approx(0.75 - 0.8 * 0.75)
    z = 0.15 / math.sqrt(0.1875 / 40 + 0.64 * 0.1875 / 20)
    assert rule["statistic"] == pytest.approx(z)
    assert value(found, "accuracy_gap_allowed")["estimate"] == pytest.approx(0.15)


def test_two_readings_of_the_dominant_group():
    # group 0: recalls 1 and .2, accuracy 92/100; group 1: recalls .8 and .8, accuracy .8
    table = np.array([[[90, 0], [8, 2]], [[40, 10], [10, 40]]])
    every = np.ones(2, bool)
    assert xu_fairness(table, every) == pytest.approx(1.2 / 1.6)
    assert xu_fairness(table, every, "accuracy") == pytest.approx(1.2 / 1.2)


def test_a_class_with_few_faces_is_left_out_of_summaries_and_named():
    table = np.array([[[2, 2, 0], [1, 8, 1], [1, 1, 8]], [[30, 0, 0], [3, 20, 7], [5, 5, 20]]])
    found = table_of(split_of(table))
    most = value(found, "equal_opportunity_difference", summary="max")
    assert (most["estimate"], most["decided_by"], most["left_out"]) == (pytest.approx(2 / 15), "b", "a (4 faces)")
    assert most["n"] == 10
    every = value(found, "equal_opportunity_difference", summary="max_defined")
    assert (every["estimate"], every["decided_by"], every["n"]) == (pytest.approx(0.5), "a", 4)
    assert pd.isna(every["family"])
    assert value(found, "equal_opportunity_difference", "a")["estimate"] == pytest.approx(0.5)


def test_what_cannot_be_estimated_says_why():
    table = np.array([[[9, 1, 0], [2, 8, 0], [0, 0, 0]], [[20, 0, 0], [0, 20, 0], [3, 3, 4]]])
    found = table_of(split_of(table))
    absent = value(found, "equal_opportunity_difference", "c")
    assert absent["status"] == "not estimable: 0 faces of the class in group 0"
    status = value(found, "treatment_equality_counts_difference", "c")["status"]
    assert status == "not estimable: no false positive in group 0 and group 1"
    status = value(found, "treatment_equality_rates_log_ratio", "b")["status"]
    assert status == "not estimable: no false negative in group 1"
    ratio = value(found, "demographic_parity_ratio", "c")
    assert (ratio["estimate"], ratio["status"]) == (0, "interval not estimable: a ratio of 0")
    shortened = value(found, "equal_opportunity_difference", summary="mean")
    assert shortened["left_out"] == "c (0 faces)"


@pytest.mark.parametrize("groups", [1, 2])
def test_groups_too_small_to_compare_leave_no_number(groups):
    table = np.array([[[2, 0], [1, 1]], [[20, 0], [5, 15]]])[-groups:]
    found = table_of(split_of(table), minimum_faces=10)
    assert found["status"].str.startswith("not estimable").all()
    assert "estimate" not in found
    if groups == 2:
        assert found["left_out"].unique().tolist() == ["group 0 (4 faces)"]


def test_a_small_group_of_three_is_left_out_and_the_others_compared():
    rng = np.random.default_rng(5)
    two = random_table(rng, 2, 3)
    third = np.eye(3, dtype=int)[None]
    found, alone = (table_of(split_of(t), minimum_faces=10) for t in (np.concatenate([two, third]), two))
    assert found["left_out"].str.startswith("group 2 (3 faces)").all()
    pd.testing.assert_frame_equal(found.drop(columns="left_out"), alone.drop(columns="left_out"))


@limits(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), groups=st.integers(2, 4), classes=st.integers(2, 4))
def test_relations_between_metrics(seed, groups, classes):
    table = random_table(np.random.default_rng(seed), groups, classes)
    found = by_class(table)
    worst, mean = found["equalized_odds_difference"], found["average_abs_odds_difference"]
    recall, fpr = found["equal_opportunity_difference"], found["false_positive_rate_difference"]
    assert (worst >= recall).all()
    assert (mean >= recall / 2 - 1e-12).all()
    assert (mean <= worst + 1e-12).all()
    assert mean == pytest.approx((recall + fpr) / 2)
    # the names of classes and the order of groups say nothing
    order, names = np.random.default_rng(seed).permutation(groups), np.random.default_rng(seed).permutation(classes)
    renamed = by_class(table[order][:, names][:, :, names])
    for metric, values in found.items():
        assert renamed[metric] == pytest.approx(values[names], nan_ok=True), metric
    # a group beside its copy
    for metric, values in by_class(table[[0, 0]]).items():
        expected = 1.0 if metric.endswith("parity_ratio") else 0.0
        assert values[~np.isnan(values)] == pytest.approx(expected), metric


def test_order_of_groups_changes_no_estimate_and_p_by_chance_alone():
    table = random_table(np.random.default_rng(1), 3, 3)
    one, two = table_of(split_of(table), 2000), table_of(split_of(table[::-1]), 2000)
    assert one["estimate"].to_numpy() == pytest.approx(two["estimate"].to_numpy(), nan_ok=True)
    assert one["p_value"].to_numpy() == pytest.approx(two["p_value"].to_numpy(), abs=0.06, nan_ok=True)
    assert one["expected_without_gap"].to_numpy() == pytest.approx(
        two["expected_without_gap"].to_numpy(), abs=0.02, nan_ok=True
    )


def test_same_seed_same_table():
    table = random_table(np.random.default_rng(2), 2, 3)
    one, two, other = (table_of(split_of(table), seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, two)
    assert not one["p_value"].equals(other["p_value"])


@limits(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), groups=st.integers(1, 4))
def test_tables_without_gap_keep_their_margins(seed, groups):
    table = np.random.default_rng(seed).integers(0, 6, (groups, 3, 3))
    drawn = np.concatenate(list(without_gap(table, 50, np.random.default_rng(seed))))
    assert drawn.shape == (50, *table.shape)
    assert (drawn >= 0).all()
    assert (drawn.sum(1) == table.sum(0)).all()
    assert (drawn.sum(3) == table.sum(2)).all()


def test_tables_without_gap_follow_the_multivariate_hypergeometric_law():
    table = np.array(
        [[[2, 1, 1], [0, 0, 0], [3, 0, 2]], [[1, 3, 0], [4, 0, 0], [0, 1, 0]], [[2, 0, 2], [1, 1, 1], [1] * 3]]
    )
    draws = 40_000
    drawn = np.concatenate(list(without_gap(table, draws, np.random.default_rng(1))))
    for g in range(3):  # the last group takes what the others leave and must follow the same law
        seen, counts = np.unique(drawn[:, g, 0], axis=0, return_counts=True)
        expected = multivariate_hypergeom.pmf(seen, table[:, 0].sum(0), table[g, 0].sum())
        assert expected.sum() == pytest.approx(1, abs=1e-3)
        assert counts / draws == pytest.approx(expected, abs=4 * 0.5 / math.sqrt(draws))
    centre = table.sum(2)[..., None] * (table.sum(0) / table.sum((0, 2))[:, None])
    assert drawn.mean(0) == pytest.approx(centre, abs=0.03)


def test_without_a_gap_p_is_uniform_and_the_excess_is_0_on_average():
    rng = np.random.default_rng(11)
    rates = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.15, 0.15, 0.7]])
    rows = []
    for study in range(150):
        sizes = [[60, 50, 40], [30, 40, 20]]
        table = np.array([[rng.multinomial(n, p) for n, p in zip(s, rates, strict=True)] for s in sizes])
        found = table_of(split_of(table), 199, seed=study).reset_index()
        rows.append(found[found["metric"].isin([*DIFFERENCES, "xu_fairness"]) & found["class"].isna()])
    found = pd.concat(rows)
    for key, own in found.groupby(["metric", "summary"]):
        assert kstest(own["p_value"], "uniform").pvalue > 0.001, key
        assert (own["p_value"] <= 0.05).mean() < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 150), key
        mean, se = own["excess"].mean(), own["excess"].std() / math.sqrt(150)
        assert abs(mean) < 4 * se, key
        if key[0] in DIFFERENCES:
            assert (own["estimate"] > 0).all()  # never 0 even without a gap: the reason for all of this


def test_a_real_gap_is_found_and_named():
    good, bad = np.array([[190, 10], [10, 190]]), np.array([[150, 50], [10, 190]])
    found = table_of(split_of(np.array([good, bad])), 999)
    most = value(found, "equal_opportunity_difference", summary="max")
    assert (most["decided_by"], most["p_value"]) == ("a", 0.001)
    assert most["excess"] == pytest.approx(most["estimate"] - most["expected_without_gap"])
    assert most["excess"] > 0.15
    assert value(found, "xu_fairness", summary="all_classes")["p_value"] == 0.001
    assert value(found, "xu_fairness", summary="all_classes")["excess"] < 0


def test_p_values_are_adjusted_within_arm_and_attribute():
    found = audited("o7_clustered")["fairness"]
    for _, family in found[found["family"].notna()].groupby(["arm", "attribute"]):
        assert family["family"].nunique() == 1
        assert family["family"].iloc[0].endswith("exploratory")
        expected = multipletests(family["p_value"], method="fdr_bh")[1]
        assert family["p_adjusted"].to_numpy() == pytest.approx(expected)
        assert set(family["adjustment"]) == {"bh"}
    assert found.loc[found["family"].isna(), "p_adjusted"].isna().all()


def test_only_two_groups_have_intervals_and_no_maximum_has_one():
    found = audited("o7_clustered")["fairness"]
    assert found.loc[found["groups"] > 2, "ci_low"].isna().all()
    assert found.loc[found["summary"].notna(), "ci_low"].isna().all()
    two = found[(found["groups"] == 2) & (found["metric"] == "equal_opportunity_difference") & found["class"].notna()]
    assert two["ci_low"].notna().all()


def test_one_class_alone_leaves_demographic_parity_and_accuracy():
    found = table_of(split_of(np.array([[[20]], [[30]]])))
    assert value(found, "accuracy_difference")["estimate"] == 0
    assert value(found, "demographic_parity_difference", "a")["estimate"] == 0
    status = value(found, "false_positive_rate_difference", "a")["status"]
    assert status == "not estimable: 0 faces of other classes in group 0 and group 1"


def test_groups_that_are_never_right_have_no_ratio():
    table = np.array([[[0, 20], [20, 0]], [[0, 30], [30, 0]]])
    found = table_of(split_of(table))
    for metric, summary in (("accuracy_ratio", math.nan), ("xu_fairness", "all_classes")):
        row = value(found, metric, summary=summary)
        assert math.isnan(row["estimate"])
        assert row["status"] == "not estimable: no correct answer"


def test_large_counts_are_drawn_as_small_ones():
    table = 10_000 * random_table(np.random.default_rng(0), 2, 3)
    drawn = next(without_gap(table, 1000, np.random.default_rng(0)))
    assert (drawn.sum(1) == table.sum(0)).all()
    assert drawn.std(0).max() < 0.02 * table.sum()
