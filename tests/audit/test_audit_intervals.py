"""Studentized bootstrap, Tango, Kitagawa's errors, class-adjusted changes, small cells, adjusted p, many groups."""

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from oracle_cases import DATASETS, answers, audited, faces, people_of, predictions_of
from scipy.optimize import brentq, minimize_scalar
from scipy.special import xlogy
from scipy.stats import bootstrap as scipy_bootstrap
from scipy.stats import boschloo_exact, chi2, norm
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.proportion import proportion_confint

from fergap.audit import adjustment, audit, paired, pairwise, proportions
from fergap.audit.bootstrap import bootstrap, mean_variance
from fergap.audit.boschloo import boschloo, searchable
from fergap.audit.class_adjusted import cells_of, robust_slope
from fergap.audit.classification import accuracy
from fergap.audit.counts import Split
from fergap.audit.joint import Patterns, cluster_patterns, joint_bootstrap, plain_patterns
from fergap.audit.multiplicity import adjust
from fergap.audit.resampling import change_worth
from fergap.audit.settings import Settings
from fergap.audit.stratified import Strata, chi_square, two_by_two

GROUPS = {"gender": ("female", "male"), "age": ("child", "adult")}
SETTINGS = Settings(0.05, 0.95, 200, 10, 1, ())


def mean(t: np.ndarray) -> np.ndarray:
    return accuracy(t)[..., None]


def two_groups(n1: int, x1: int, n0: int, x0: int) -> np.ndarray:
    """Two groups of one class: right answers on the diagonal."""
    return np.array([[[x1, n1 - x1], [0, 0]], [[x0, n0 - x0], [0, 0]]])


# studentized bootstrap


def test_studentized_interval_equals_a_loop_over_faces():
    first, second = np.repeat([1.0, 0.0], [52, 18]), np.repeat([1.0, 0.0], [150, 30])
    gap = first.mean() - second.mean()
    rng, ratios = np.random.default_rng(1), []
    for _ in range(20_000):
        one, other = (rng.choice(a, len(a)) for a in (first, second))
        ratios.append((one.mean() - other.mean() - gap) / math.sqrt(one.var() / len(one) + other.var() / len(other)))
    se = math.sqrt(first.var() / len(first) + second.var() / len(second))
    expected = gap - se * np.quantile(ratios, [0.975, 0.025])
    parts = [
        bootstrap(t, mean, 100_000, np.random.default_rng(i), np.eye(2))
        for i, t in enumerate(two_groups(70, 52, 180, 150))
    ]
    both = parts[0] - parts[1]
    assert math.sqrt(both.variance[0]) == pytest.approx(se, rel=1e-12)
    assert both.studentized(0, 0.95) == pytest.approx(tuple(expected), abs=0.006)
    low, high = both.monte_carlo_error("studentized", 0, 0.95)
    assert 0 < low < 0.002
    assert 0 < high < 0.002


def test_studentized_ratio_comes_from_scipys_resamples_too():
    # scipy resamples the t statistic itself; its percentiles are those of the pivot
    first, second = np.repeat([1.0, 0.0], [52, 18]), np.repeat([1.0, 0.0], [150, 30])
    gap = first.mean() - second.mean()

    def pivot(a: np.ndarray, b: np.ndarray, axis: int = -1) -> np.ndarray:
        se = np.sqrt(a.var(axis) / a.shape[axis] + b.var(axis) / b.shape[axis])
        return (a.mean(axis) - b.mean(axis) - gap) / se

    found = scipy_bootstrap((first, second), pivot, n_resamples=9_999, rng=3, method="percentile").confidence_interval
    parts = [
        bootstrap(t, mean, 50_000, np.random.default_rng(i), np.eye(2))
        for i, t in enumerate(two_groups(70, 52, 180, 150))
    ]
    both = parts[0] - parts[1]
    low, high = both.studentized(0, 0.95)
    se = math.sqrt(both.variance[0])
    assert ((gap - high) / se, (gap - low) / se) == pytest.approx((found.low, found.high), abs=0.13)


def test_each_resamples_error_of_a_change_is_that_of_its_faces():
    rng = np.random.default_rng(5)
    table = rng.integers(0, 4, (3, 3, 3))
    d = change_worth(3)
    worth = np.repeat(d.ravel(), table.ravel())
    assert set(worth) <= {-1, 0, 1}
    assert d[1, 0, 1] == 1  # wrong before and right after
    assert mean_variance(table.reshape(1, -1), d.ravel())[0] == pytest.approx(worth.var() / len(worth), rel=1e-12)
    assert mean_variance(np.array([[7, 0]]), np.array([1.0, 0.0]))[0] == 0


@pytest.mark.parametrize("clustered", [False, True])
def test_errors_of_joint_resamples_equal_a_loop_over_clusters(clustered):
    rng = np.random.default_rng(8)
    group, right = rng.integers(0, 3, 120), rng.random(120) < 0.7
    clusters = rng.integers(0, 45, 120) if clustered else np.arange(120)
    cell = group * 4 + np.where(right, 0, 1)
    table = np.bincount(cell, minlength=12).reshape(3, 2, 2)
    patterns = cluster_patterns(cell, clusters, 12) if clustered else plain_patterns(table)
    made = joint_bootstrap(patterns, (3, 2, 2), [mean] * 3, 40, np.random.default_rng(2), np.eye(2), 1)
    gap = made[2] - made[1]
    drawn = np.random.default_rng(2).multinomial(patterns.counts.sum(), patterns.counts / patterns.counts.sum(), 40)
    for b, times in enumerate([patterns.counts, *drawn]):
        whole = (times @ patterns.matrix).reshape(3, 2, 2)
        rate, size = whole[:, 0, 0] / whole.sum((1, 2)), whole.sum((1, 2))
        variance = 0.0
        for k, m in zip(patterns.matrix.reshape(-1, 3, 2, 2), times, strict=True):
            u = (k[:, 0, 0] - rate * k.sum((1, 2))) / size
            variance += m * (u[2] - u[1]) ** 2
        assert gap.variance[b] == pytest.approx(variance, rel=1e-9)
    if not clustered:  # faces of their own: the binomial variances
        p, n = table[:, 0, 0] / table.sum((1, 2)), table.sum((1, 2))
        assert gap.variance[0] == pytest.approx((p * (1 - p) / n)[[1, 2]].sum(), rel=1e-12)


def test_no_studentized_interval_where_resamples_have_no_spread():
    parts = [
        bootstrap(t, mean, 2_000, np.random.default_rng(i), np.eye(2)) for i, t in enumerate(two_groups(40, 39, 40, 39))
    ]
    both = parts[0] - parts[1]  # a resample is all right in both groups with probability e⁻²
    assert both.flat() / 2_000 == pytest.approx(math.exp(-2), abs=0.03)
    assert np.isnan(both.studentized(0, 0.95)).all()


@pytest.mark.parametrize("how", ["stratified", "plain", "clustered"])
def test_every_bootstrap_row_tells_the_resamples_left_out(how):
    frame = faces("o1_seedlike")
    out = audit(
        predictions_of(frame),
        people_of(frame),
        attributes=["age"],
        reference={"age": "adult"},
        contrasts=[{"before": "before", "after": "after"}],
        resamples=200,
        bootstrap=how,
        clusters=dict(zip(frame["image_id"], frame.index // 3, strict=True)),
    )
    for table in ("gaps", "gap_changes"):
        rows = out[table][out[table]["method"].str.startswith("bootstrap") & out[table]["ci_low"].notna()]
        assert "bootstrap studentized" in set(rows["method"])
        assert (rows["resamples_left_out"] == 0).all()
        assert set(rows["resampling"]) == {how}
        assert (rows[["error_low", "error_high"]] > 0).all(axis=None)
        assert (rows["primary"] == 0)[rows["method"] == "bootstrap studentized"].all()
    adjusted = out["gap_changes"].query("adjusted_for == 'class'")["method"].tolist()
    assert adjusted == ["least squares, cluster"]


def test_resamples_without_a_group_are_counted():
    patterns = Patterns(np.eye(4), np.array([3, 0, 60, 20]))
    made = joint_bootstrap(patterns, (2, 1, 2), [lambda t: t[..., 0, :1]] * 2, 2_000, np.random.default_rng(1))
    both = made[0] - made[1]
    assert both.left_out == 2_000 - len(both.values) > 0
    assert both.left_out / 2_000 == pytest.approx((80 / 83) ** 83, abs=0.02)


# the change of a paired proportion


@pytest.mark.parametrize(
    ("lost", "gained", "n", "expected"),
    [
        # Newcombe 1998, Stat Med 17:2635, table of 36, 12, 2, 0: Tango's score interval
        (2, 12, 50, (0.0611, 0.3447)),
        # Fagerland, Lydersen & Laake 2014, Stat Med 33:2850, airway hyper-responsiveness 1, 1, 7, 12
        (7, 1, 21, (-0.517, -0.026)),
    ],
)
def test_tango_equals_published_values(lost, gained, n, expected):
    decimals = max(len(str(abs(x)).split(".")[1]) for x in expected)
    assert np.round(proportions.tango(lost, gained, n, 0.95), decimals) == pytest.approx(expected)


@pytest.mark.parametrize(("lost", "gained", "n"), [(2, 12, 50), (20, 40, 160), (0, 3, 30), (6, 6, 25), (0, 0, 12)])
def test_tango_equals_a_likelihood_maximised_by_search(lost, gained, n):
    def statistic(change: float) -> float:
        low, high = max(0.0, -change), (1 - change) / 2  # of the share lost

        def minus(q: float) -> float:
            return -float(xlogy(lost, q) + xlogy(gained, q + change) + xlogy(n - lost - gained, 1 - 2 * q - change))

        q = minimize_scalar(minus, bounds=(low, high), method="bounded", options={"xatol": 1e-13}).x
        return (gained - lost - n * change) / math.sqrt(n * (2 * q + change - change**2))

    z, (low, high) = norm.isf(0.025), proportions.tango(lost, gained, n, 0.95)
    estimate = (gained - lost) / n
    assert low == pytest.approx(brentq(lambda d: statistic(d) - z, -0.9, estimate - 1e-6), abs=1e-5)
    assert high == pytest.approx(brentq(lambda d: statistic(d) + z, estimate + 1e-6, 0.9), abs=1e-5)
    swapped = proportions.tango(gained, lost, n, 0.95)
    assert swapped == pytest.approx((-high, -low), abs=1e-9)


def test_tango_at_its_ends_and_mcnemars_statistic_at_no_change():
    assert proportions.tango(0, 9, 9, 0.95)[1] == 1
    assert proportions.tango(9, 0, 9, 0.95)[0] == -1
    expected = statsmodels_mcnemar([[5, 3], [11, 7]], exact=False, correction=False)
    assert paired.mcnemar(3, 11) == pytest.approx((expected.statistic, expected.pvalue))
    assert proportions.paired_score(3, 11, 26, 0.0) ** 2 == pytest.approx(expected.statistic)
    assert paired.mcnemar(0, 0) == (0.0, 1.0)
    assert (paired.wald_p(0, 0, 9), paired.wald_p(0, 9, 9)) == (1.0, 0.0)


@pytest.mark.parametrize("name", DATASETS)
def test_changes_of_each_group_equal_r(name):
    out = audited(name)["changes"]
    for attribute, groups in GROUPS.items():
        for group in groups:
            r = answers()["datasets"][name]["paired"][attribute][group]
            own = out[(out["attribute"] == attribute) & (out["group"] == group)].set_index("test")
            methods = own.loc[["mcnemar exact", "mcnemar", "wald"], "method"]
            assert methods.tolist() == ["bonett-price", "tango", "wald"]
            expected = [max(-1, min(1, x)) for x in r["wald_ci_formula"]]
            assert own.loc["wald", ["ci_low", "ci_high"]].tolist() == pytest.approx(expected, abs=1e-9)
            if r["mcnemar"]["p_value"] is not None:  # mcnemar.test(x, correct = FALSE)
                assert own.loc["mcnemar", "p_value"] == pytest.approx(r["mcnemar"]["p_value"], rel=1e-7)


# small cells


def test_boschloo_equals_scipy():
    rng = np.random.default_rng(4)
    for _ in range(25):
        n1, n0 = (int(n) for n in rng.integers(1, 30, 2))
        x1, x0 = int(rng.integers(0, n1 + 1)), int(rng.integers(0, n0 + 1))
        table = two_by_two(x1, n1, x0, n0)
        expected = min(1.0, boschloo_exact(table.T, n=128).pvalue) if table.sum(0).all() else 1.0
        assert boschloo(table).p_value == pytest.approx(expected, abs=2e-6)
        assert boschloo(table[::-1]).p_value == pytest.approx(expected, abs=2e-6)
    large = two_by_two(497, 500, 2_100, 2_213)
    assert boschloo(large).p_value < 1e-5
    assert searchable(large)
    assert not searchable(two_by_two(900, 1_000, 1_900_000, 2_000_000))


def test_a_group_of_20_against_thousands_gets_newcombe_and_boschloo_and_no_bootstrap():
    people = pd.DataFrame({"image_id": range(3_020), "attribute": "age", "group": ["child"] * 20 + ["adult"] * 3_000})
    right = np.r_[np.arange(20) < 14, np.arange(3_000) < 2_310]
    true = np.where(np.arange(3_020) % 2, "a", "b")
    predictions = pd.DataFrame(
        {"image_id": range(3_020), "true": true, "predicted": np.where(right, true, np.where(true == "a", "b", "a"))}
    )
    out = audit(predictions, people, attributes=["age"], resamples=200)
    tests = out["tests"][out["tests"]["class"].isna()].set_index("test")
    assert tests.loc["boschloo", "p_value"] == boschloo(two_by_two(14, 20, 2_310, 3_000)).p_value
    assert tests.loc["chi-square", "status"] == "ok"
    gaps = out["gaps"][out["gaps"]["metric"] == "accuracy"]
    drawn = gaps[gaps["method"].str.startswith("bootstrap")]
    assert drawn["ci_low"].isna().all()
    assert set(drawn["status"]) == {"interval not estimable: fewer than 30 faces"}
    listed = out["not_estimable"]
    assert "interval not estimable: fewer than 30 faces" in set(listed[listed["table"] == "gaps"]["reason"])
    parts = out["decomposition"].set_index("component")["status"]
    assert set(parts.loc["mix"]) == {"interval not estimable: fewer than 30 faces"}


def test_classes_of_few_faces_are_left_out_and_listed():
    # class b has 3 children
    children, adults = ["a"] * 40 + ["b"] * 3 + ["c"] * 40, ["a"] * 60 + ["b"] * 60 + ["c"] * 60
    true = np.array(children + adults)
    predicted = np.where(np.arange(len(true)) % 5, true, "a")
    people = pd.DataFrame({"image_id": range(len(true)), "attribute": "age", "group": ["child"] * 83 + ["adult"] * 180})
    predictions = pd.DataFrame({"image_id": range(len(true)), "true": true, "predicted": predicted})
    out = audit(predictions, people, attributes=["age"], resamples=200, classes=["a", "b", "c"])
    listed = out["not_estimable"].query("`class` == 'b' and reason.str.contains(' left out of ')")
    assert set(listed["table"]) == {"group_metrics", "gaps", "fairness"}
    fair = listed[listed["table"] == "fairness"].set_index("metric")["reason"]
    assert fair["equal_opportunity_difference"] == "class left out of the summaries: 3 faces in a group"
    assert "demographic_parity_difference" not in fair.index  # it rests on all faces
    found = out["fairness"].query("metric == 'equal_opportunity_difference'")
    per_class = found.dropna(subset="class").set_index("class")["estimate"]
    most = found[found["summary"] == "max"].iloc[0]
    assert most["estimate"] == per_class[["a", "c"]].max()


def test_small_intersections_are_said_to_be_pooled():
    frame = faces("o4_allcorrect_group")
    people = people_of(frame)
    girls = frame[(frame["gender"] == "female") & (frame["age"] == "child")]["image_id"].iloc[4:]
    out = audit(
        predictions_of(frame[~frame["image_id"].isin(girls)]),
        people,
        attributes=["gender", "age", "gender*age"],
        reference={"gender": "male", "age": "adult"},
        resamples=200,
    )
    own = out["gaps"].query("attribute == 'gender*age' and group == 'female*child'")
    assert set(own["status"]) == {"not estimable: 4 faces of female*child (pooled into the main effects)"}
    listed = out["not_estimable"].query("attribute == 'gender*age' and group == 'female*child'")
    assert {"gaps", "tests", "verdicts", "group_metrics"} <= set(listed["table"])
    assert not out["gaps"].query("attribute == 'age'")["status"].str.contains("pooled").any()


def test_a_perfect_group_has_a_score_interval():
    own = audited("o4_allcorrect_group")["group_metrics"]
    own = own.query("arm == 'before' and attribute == 'age' and group == 'child' and metric == 'accuracy'").iloc[0]
    expected = proportion_confint(20, 20, method="wilson")
    assert own[["estimate", "ci_low", "ci_high"]].tolist() == pytest.approx([1.0, expected[0], 1.0])
    assert own["method"] == "wilson"


# class mix


def kitagawa_of(counts: np.ndarray) -> np.ndarray:
    strata = Strata(counts[0, :, 0], counts[0].sum(1), counts[1, :, 0], counts[1].sum(1))
    mix, within = adjustment.kitagawa(strata)
    return np.array([*mix, mix.sum(), *within, within.sum()])


def test_errors_of_kitagawas_parts_equal_numerical_derivatives_and_a_bootstrap():
    counts = np.array([[[90, 30], [40, 45], [70, 25]], [[400, 80], [200, 210], [150, 60]]], float)
    strata = Strata(counts[0, :, 0], counts[0].sum(1), counts[1, :, 0], counts[1].sum(1))
    found = np.concatenate(adjustment.kitagawa_errors(strata))
    variance = np.zeros(8)
    for g in range(2):
        n, slopes = counts[g].sum(), []
        for cell in np.ndindex(3, 2):
            step = np.zeros_like(counts)
            step[g][cell] = 1e-4
            slopes.append((kitagawa_of(counts + step) - kitagawa_of(counts - step)) / 2e-4)
        p = counts[g].ravel() / n
        slopes = np.array(slopes)
        variance += n * (p @ slopes**2 - (p @ slopes) ** 2)
    assert found == pytest.approx(np.sqrt(variance), rel=1e-5)
    rng = np.random.default_rng(2)
    draws = [
        kitagawa_of(np.stack([rng.multinomial(c.sum(), c.ravel() / c.sum()).reshape(3, 2) for c in counts]))
        for _ in range(4_000)
    ]
    assert np.std(draws, axis=0) == pytest.approx(found, rel=0.06)


def test_a_class_of_one_group_alone_is_mix_with_an_error():
    strata = Strata(*(np.array(a) for a in ([40, 10], [60, 20], [70, 0], [100, 0])))
    mix, within = adjustment.kitagawa_errors(strata)
    assert np.isfinite([*mix, *within]).all()
    assert within[1] == 0
    assert mix[1] > 0


def changes_of(name: str, attribute: str) -> pd.DataFrame:
    frame = faces(name)
    d = (frame["true"] == frame["pred_after"]).astype(int) - (frame["true"] == frame["pred_before"]).astype(int)
    return frame.assign(d=d, g=(frame[attribute] == GROUPS[attribute][0]).astype(int))


@pytest.mark.parametrize("attribute", ["gender", "age"])
@pytest.mark.parametrize("name", ["o1_seedlike", "o2_zero_cells", "o6_simpson", "o7_clustered"])
def test_class_adjusted_change_equals_statsmodels(name, attribute):
    frame = changes_of(name, attribute)
    classes = {label: i for i, label in enumerate(answers()["datasets"][name]["classes"])}
    codes = 1 - frame["g"], frame["true"].map(classes), frame["d"] + 1
    position = np.ravel_multi_index([c.to_numpy() for c in codes], (2, len(classes), 3))
    cells = np.bincount(position, minlength=6 * len(classes)).reshape(2, -1, 3)
    model = smf.ols("d ~ g + C(true)", frame)
    expected = model.fit(cov_type="HC1", use_t=True)
    found = robust_slope(cells)
    assert (found.estimate, found.se) == pytest.approx((expected.params["g"], expected.bse["g"]), rel=1e-9)
    assert found.df == expected.df_resid
    cluster = np.arange(len(frame)) // 3 if name != "o7_clustered" else pd.factorize(frame["cluster_id"])[0]
    expected = model.fit(cov_type="cluster", cov_kwds={"groups": cluster}, use_t=True)
    found = robust_slope(cells, tuple(cluster_patterns(position, cluster, cells.size)))
    assert (found.estimate, found.se) == pytest.approx((expected.params["g"], expected.bse["g"]), rel=1e-9)
    assert found.df == expected.df_resid_inference
    row = audited(name)["gap_changes"].query("attribute == @attribute and adjusted_for == 'class'").iloc[0]
    assert row["estimate"] == pytest.approx(expected.params["g"], rel=1e-9)
    assert row["primary"] == 0


def test_changes_are_counted_by_group_and_class():
    table = np.random.default_rng(3).integers(0, 5, (2, 3, 3, 3))
    found = cells_of(table)
    for g, c, before, after in np.ndindex(2, 3, 3, 3):
        found[g, c, (after == c) - (before == c) + 1] -= table[g, c, before, after]
    assert not found.any()
    assert robust_slope(np.array([[[1, 5, 2], [0, 0, 0]], [[0, 0, 0], [2, 9, 3]]])) is None


def test_simpsons_flag_near_a_gap_of_0_is_read_as_within_error():
    def read(*counts: list[int]) -> tuple[int, str]:
        strata = Strata(*map(np.array, counts))
        return adjustment.simpson(strata), adjustment.simpson_reading(strata, 0.95)

    # 70.5 % against 70.0 %, and within classes the other way round: noise
    assert read([90, 51], [120, 80], [75, 65], [100, 100]) == (1, "within error")
    # all of a gap of 20 points is mix
    assert read([800, 100], [1_000, 500], [400, 400], [500, 2_000]) == (1, "shifted")
    # better in each class and worse in all (Charig et al. 1986, kidney stones)
    assert read([810, 1_920], [870, 2_630], [2_340, 550], [2_700, 800]) == (1, "reversed")
    assert read([80, 30], [100, 50], [60, 20], [100, 50]) == (0, "none")
    assert adjustment.simpson_reading(Strata(*map(np.array, ([5, 0], [9, 0], [0, 4], [0, 9]))), 0.95) is None


# many tests, many groups

R_NAMES = {"holm": "holm", "simes-hochberg": "hochberg", "hommel": "hommel", "fdr_bh": "BH", "fdr_by": "BY"}


def p_values() -> list:
    found = [pytest.param(r, id=f"fixed-{i}") for i, r in enumerate(answers()["fixed"]["p_adjust"])]
    return found + [
        pytest.param(answers()["datasets"][name][arm]["multiplicity_fisher_per_class"], id=f"{name}-{arm}")
        for name in DATASETS
        for arm in ("before", "after")
    ]


@pytest.mark.parametrize("r", p_values())
@pytest.mark.parametrize("method", [*R_NAMES, "bonferroni"])
def test_adjusted_p_values_equal_r(r, method):
    rows = [{"family": "one", "p_value": p} for p in np.atleast_1d(r["raw"])]
    adjust(rows, ["family"], method)
    # p.adjust(p, method)
    expected = np.atleast_1d(r[R_NAMES.get(method, method)])
    assert [row["p_adjusted"] for row in rows] == pytest.approx(expected, rel=1e-9)


def test_the_ledger_has_benjamini_yekutieli_beside_benjamini_hochberg():
    out = audited("o1_seedlike")
    own = out["multiplicity"].query("table == 'fairness' and arm == 'before' and attribute == 'age'")
    first, second = (own[own["method"] == method] for method in ("bh", "by"))
    assert first["p_value"].tolist() == second["p_value"].tolist()
    harmonic = (1 / np.arange(1, first["m"].iloc[0] + 1)).sum()
    expected = np.minimum(first["p_adjusted"].to_numpy() * harmonic, 1)
    free = first["p_adjusted"].to_numpy() < 1  # both are cut off at 1
    assert second["p_adjusted"].to_numpy()[free] == pytest.approx(expected[free])


def test_two_groups_of_a_formula_for_many_are_the_formula_for_two():
    table = np.array([[70, 30], [420, 80]])
    assert pairwise.chi_square_of_groups(table) == pytest.approx(chi_square(table))
    assert chi2.sf(chi_square(table).statistic, 1) == pytest.approx(chi_square(table).p_value)
    counts = [two_groups(100, 70, 500, 420), [[[2, 1], [0, 0]]]]
    split = Split("age", ("child", "adult", "elder"), 1, np.concatenate(counts))
    rows = [row for row in pairwise.pairwise("one", split, SETTINGS) if row["status"] == "ok"]
    assert [(row["group"], row["reference"]) for row in rows] == [("child", "adult")]
    # one pair that can be compared: its simultaneous interval is its own, at 1 − α/1
    assert (rows[0]["simultaneous_low"], rows[0]["simultaneous_high"]) == (rows[0]["ci_low"], rows[0]["ci_high"])
    assert (rows[0]["ci_low"], rows[0]["ci_high"]) == proportions.newcombe(70, 100, 420, 500, 0.95)
    assert rows[0]["p_value"] == pytest.approx(chi_square(table).p_value)
    effect = next(iter(pairwise.group_effects("one", split, SETTINGS)))
    assert effect["estimate"] == pytest.approx(math.sqrt(chi_square(table).statistic / 600))  # φ


def test_pairs_have_holms_p_and_intervals_at_a_third_of_alpha():
    out = audited("o7_clustered")["pairwise"].query("arm == 'before' and attribute == 'race'")
    assert len(out) == 3
    p = out["p_value"].sort_values().to_numpy()
    holm = np.minimum(np.maximum.accumulate(p * [3, 2, 1]), 1)
    assert out["p_adjusted"].sort_values().to_numpy() == pytest.approx(holm)
    r = answers()["datasets"]["o7_clustered"]["before"]["race"]
    counts = dict(zip(r["groups"], zip(r["x"], r["n"], strict=True), strict=True))
    for row in out.itertuples():
        expected = proportions.newcombe(*counts[row.group], *counts[row.reference], 1 - 0.05 / 3)
        assert (row.simultaneous_low, row.simultaneous_high) == pytest.approx(expected)
