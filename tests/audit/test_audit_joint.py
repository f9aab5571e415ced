"""The bootstrap of all groups together, plain and clustered, against R, a loop over clusters and hand calculations."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle_cases import answers, faces, people_of, predictions_of

from fergap.audit import audit
from fergap.audit.bootstrap import bootstrap
from fergap.audit.clusters import standard_errors
from fergap.audit.joint import cluster_patterns, joint_bootstrap, plain_patterns
from fergap.errors import UserError

REFERENCE = {"gender": "male", "age": "adult"}


def share(table: np.ndarray) -> np.ndarray:
    """Accuracy of (…, 2) counts of wrong and right answers."""
    return (table[..., 1] / np.maximum(table.sum(-1), 1))[..., None]


def audited_by(bootstrap: str, name: str = "o7_clustered", clusters: bool = True, **more) -> dict[str, pd.DataFrame]:
    frame = faces(name)
    people = people_of(frame)
    if clusters:
        people = people.merge(frame[["image_id", "cluster_id"]])
    return audit(
        predictions_of(frame),
        people,
        attributes=["gender", "age"],
        reference=REFERENCE,
        bootstrap=bootstrap,
        seed=3,
        **more,
    )


@pytest.mark.parametrize("name", ["o1_seedlike", "o7_clustered"])
@pytest.mark.parametrize("attribute", ["gender", "age"])
def test_plain_resampling_equals_r(name, attribute):
    # boot(data, statistic, R = 20000) without strata; the band is four Monte-Carlo standard deviations
    r = answers()["datasets"][name]["boot"][attribute]["plain"]["gap_before"]
    frame = faces(name)
    own = {"gender": "female", "age": "child"}[attribute]
    group = (frame[attribute] != own).to_numpy().astype(int)
    right = (frame["true"] == frame["pred_before"]).to_numpy().astype(int)
    table = np.bincount(group * 2 + right, minlength=4).reshape(2, 2)
    first, second = joint_bootstrap(plain_patterns(table), (2, 2), [share, share], 20_000, np.random.default_rng(5))
    gap = first - second
    assert gap.estimate[0] == pytest.approx(r["t0"])
    assert gap.acceleration()[0] == pytest.approx(r["a_multisample_formula"], rel=1e-6)
    for end, band in zip(gap.percentile(0, 0.95), ("low", "high"), strict=True):
        assert r["percentile_band4"][band][0] <= end <= r["percentile_band4"][band][1]
    assert gap.bca(0, 0.95) == pytest.approx(r["bca_multisample_formula"], abs=0.004)


def test_patterns_hold_every_face_once():
    cells = np.array([0, 2, 2, 1, 0, 2, 1])
    clusters = np.array([5, 5, 7, 1, 9, 9, 3])  # {0, 2} twice, {2} once, {1} twice
    found = cluster_patterns(cells, clusters, 4)
    by_hand = {(1, 0, 1, 0): 2, (0, 0, 1, 0): 1, (0, 1, 0, 0): 2}
    assert {tuple(row): n for row, n in zip(found.matrix.astype(int), found.counts, strict=True)} == by_hand


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_patterns_are_those_of_a_loop_over_clusters(seed, count):
    rng = np.random.default_rng(seed)
    cells, clusters = rng.integers(0, 4, count), rng.integers(0, 20, count)
    found = cluster_patterns(cells, clusters, 4)
    loop = pd.Series(
        [tuple(np.bincount(cells[clusters == c], minlength=4)) for c in np.unique(clusters)]
    ).value_counts()
    assert {tuple(row): n for row, n in zip(found.matrix.astype(int), found.counts, strict=True)} == loop.to_dict()
    assert (found.counts @ found.matrix).tolist() == np.bincount(cells, minlength=4).tolist()
    order = rng.permutation(count)
    again = cluster_patterns(cells[order], clusters[order] * 3 + 1, 4)
    assert sorted(map(tuple, again.matrix)) == sorted(map(tuple, found.matrix))


def test_clusters_of_one_face_are_plain_resampling():
    table = np.array([[30, 70], [50, 250]])
    cells = np.repeat(np.arange(4), table.ravel())
    one = cluster_patterns(cells, np.arange(len(cells)), 4)
    plain = plain_patterns(table)
    made = [
        joint_bootstrap(p, (2, 2), [share, share], 20_000, np.random.default_rng(seed))
        for seed, p in enumerate((one, plain))
    ]
    first, second = (groups[0] - groups[1] for groups in made)
    assert first.acceleration() == pytest.approx(second.acceleration(), abs=1e-12)
    assert first.values.std() == pytest.approx(second.values.std(), rel=0.03)
    # given the groups' sizes a plain draw is a stratified one, so the spread is nearly that one's
    apart = [bootstrap(table[g], share, 20_000, np.random.default_rng(g)) for g in (0, 1)]
    assert first.values.std() == pytest.approx((apart[0] - apart[1]).values.std(), rel=0.03)


def test_doubled_faces_in_clusters_give_the_interval_of_the_single_faces():
    table = np.array([[30, 70], [50, 250]])
    cells = np.repeat(np.arange(4), table.ravel())
    doubled = cluster_patterns(np.tile(cells, 2), np.tile(np.arange(len(cells)), 2), 4)
    single = cluster_patterns(cells, np.arange(len(cells)), 4)
    ends = []
    for patterns in (doubled, single):
        first, second = joint_bootstrap(patterns, (2, 2), [share, share], 2000, np.random.default_rng(4))
        ends.append((first - second).bca(0, 0.95))
    assert ends[0] == pytest.approx(ends[1], abs=0.01)


def test_a_resample_without_a_group_is_left_out():
    patterns = plain_patterns(np.array([[1, 1], [50, 50]]))
    first, second = joint_bootstrap(patterns, (2, 2), [share, share], 3000, np.random.default_rng(1))
    assert len(first.values) == len(second.values)
    kept = len(first.values) / 3000
    assert kept == pytest.approx(1 - (100 / 102) ** 102, abs=0.03)


def test_clustered_errors_of_the_gap_equal_the_sandwich_and_the_bootstrap():
    # statsmodels' OLS of right on group with cluster-robust covariance and no correction for few clusters; the design
    # document measured 6.35 points clustered and 5.23 with independent faces by bootstrap
    out = audited_by("clustered", resamples=4000)
    row = out["clusters"].query("arm == 'before' and attribute == 'age' and quantity == 'gap'").iloc[0]
    frame = faces("o7_clustered")
    right = (frame["true"] == frame["pred_before"]).astype(float)
    codes = pd.factorize(frame["cluster_id"])[0]
    design = sm.add_constant((frame["age"] == "child").astype(float))
    fit = sm.OLS(right, design).fit(cov_type="cluster", cov_kwds={"groups": codes, "use_correction": False})
    assert row["se_clustered"] == pytest.approx(fit.bse["age"], rel=1e-9)
    assert row["se_independent"] == pytest.approx(sm.OLS(right, design).fit(cov_type="HC0").bse["age"], rel=1e-9)
    assert (row["se_clustered"], row["se_independent"]) == pytest.approx((0.0635, 0.0523), abs=0.0005)
    assert (row["clusters"], row["n"]) == (450, 600)
    assert row["design_effect"] == pytest.approx((row["se_clustered"] / row["se_independent"]) ** 2)
    assert row["effective_n"] == pytest.approx(600 / row["design_effect"])
    ends = out["gaps"].query("arm == 'before' and attribute == 'age' and method == 'bootstrap percentile'").iloc[0]
    assert ends["ci_high"] - ends["ci_low"] == pytest.approx(2 * 1.96 * 0.0635, rel=0.06)
    assert ends["resampling"] == "clustered"


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_single_clusters_have_no_design_effect(seed):
    rng = np.random.default_rng(seed)
    right, sides = rng.random(80) < 0.7, np.where(rng.random(80) < 0.4, 1, -1)
    independent, clustered = standard_errors(right, sides, rng.permutation(80))
    assert independent == pytest.approx(clustered, abs=1e-12)
    twice = standard_errors(np.tile(right, 2), np.tile(sides, 2), np.tile(np.arange(80), 2))
    assert twice[1] == pytest.approx(independent, abs=1e-12)
    assert twice[0] == pytest.approx(independent / np.sqrt(2), abs=1e-12)


def test_endpoints_state_their_monte_carlo_error():
    table = np.array([60, 240])
    seeds = range(40)
    made = [bootstrap(table, share, 2000, np.random.default_rng(seed)) for seed in seeds]
    for method in ("percentile", "basic", "bca"):
        ends = np.array([getattr(r, method)(0, 0.95) for r in made])
        stated = np.mean([r.monte_carlo_error(method, 0, 0.95) for r in made], axis=0)
        assert stated == pytest.approx(ends.std(axis=0, ddof=1), rel=0.45)


def test_basic_and_percentile_mirror_each_other():
    out = audited_by("plain", clusters=False, resamples=1000)["gaps"]
    one = out.query("arm == 'before' and attribute == 'age' and metric == 'accuracy'").set_index("method")
    basic, percentile = one.loc["bootstrap basic"], one.loc["bootstrap percentile"]
    assert basic["ci_low"] == pytest.approx(2 * basic["estimate"] - percentile["ci_high"])
    assert basic["error_low"] == pytest.approx(percentile["error_high"])


def test_clusters_are_needed_for_clustered_resampling():
    with pytest.raises(UserError, match="no face has a cluster"):
        audited_by("clustered", clusters=False)
    with pytest.raises(UserError, match="is not allowed"):
        audited_by("jackknife")


def test_a_face_in_two_clusters_is_refused():
    frame = faces("o7_clustered")
    people = people_of(frame).merge(frame[["image_id", "cluster_id"]])
    people.loc[0, "cluster_id"] = "elsewhere"
    with pytest.raises(UserError, match="is in two clusters"):
        audit(predictions_of(frame), people, attributes=["age"], resamples=100)


def test_given_clusters_come_first_and_faces_without_one_stand_alone():
    frame = faces("o7_clustered")
    known = frame.set_index("image_id")["cluster_id"].iloc[:300]
    out = audit(predictions_of(frame), people_of(frame), attributes=["age"], clusters=known, resamples=100)["clusters"]
    gap = out.query("quantity == 'gap' and arm == 'before'").iloc[0]
    assert gap["clusters"] == known.nunique() + 300
