"""Intervals of a gap for faces in clusters: Newcombe's without clusters, wider with copies, honest in simulation."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle_cases import faces, people_of, predictions_of

from fergap.audit import audit
from fergap.audit.effective_size import METHOD, clustered_newcombe, correlation, effective_size
from fergap.audit.proportions import mover, newcombe


def answers_of(x: int, n: int) -> np.ndarray:
    return np.arange(n) < x


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 300), st.integers(2, 300), st.floats(0, 1), st.floats(0, 1))
def test_single_faces_have_newcombe_s_interval(n1, n0, p1, p0):
    x1, x0 = round(p1 * n1), round(p0 * n0)
    clusters = np.arange(n1), n1 + np.arange(n0)
    found = clustered_newcombe((answers_of(x1, n1), answers_of(x0, n0)), clusters, 0.95)
    assert found == pytest.approx(newcombe(x1, n1, x0, n0, 0.95), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_an_interval_holds_its_gap_and_swapping_groups_turns_it(seed):
    rng = np.random.default_rng(seed)
    right = tuple(rng.random(n) < 0.8 for n in (40, 90))
    clusters = rng.integers(30, size=40), rng.integers(20, 60, size=90)
    low, high = clustered_newcombe(right, clusters, 0.95)
    assert -1 <= low <= right[0].mean() - right[1].mean() <= high <= 1
    assert clustered_newcombe(right[::-1], clusters[::-1], 0.95) == pytest.approx((-high, -low))


def test_copies_count_once():
    right, clusters = answers_of(140, 200), np.arange(200)
    copied = effective_size(np.tile(right, 3), np.tile(clusters, 3), 0.95)
    # 600 faces, design effect 3, t with 599 for t with 199 degrees of freedom
    assert copied == pytest.approx(200, rel=0.01)
    assert copied < 200
    assert effective_size(np.ones(12, bool), np.repeat(np.arange(4), 3), 0.95) < 12 / 3


def test_a_single_cluster_is_one_face_and_opposite_answers_never_add_faces():
    assert effective_size(answers_of(3, 9), np.zeros(9, int), 0.95) == 1
    # a right and a wrong answer in each cluster: design effect 0
    assert effective_size(np.tile([True, False], 500), np.repeat(np.arange(500), 2), 0.95) <= 1000


def test_shared_clusters_make_accuracies_correlate():
    right = answers_of(30, 50)
    assert correlation(right, right, (np.arange(50), np.arange(50))) == pytest.approx(1)
    assert correlation(right, right, (np.arange(50), 50 + np.arange(50))) == 0
    ends = (0.5, 0.8), (0.4, 0.7)
    assert mover(0.7, ends[0], 0.6, ends[1], 1.0) == pytest.approx((0.0, 0.2))
    assert mover(0.7, ends[0], 0.6, ends[1], 0.5)[0] > mover(0.7, ends[0], 0.6, ends[1])[0]


def test_coverage_with_near_duplicates():
    rng, truth, hits = np.random.default_rng(3), -0.06, {"plain": 0, "clustered": 0}
    for _ in range(600):
        right, clusters = [], []
        for p, count in ((0.71, 120), (0.77, 400)):
            own = np.repeat(np.arange(count), rng.choice([1, 2, 4], count))
            alike = rng.random(count) < 0.85
            right.append(np.where(alike[own], (rng.random(count) < p)[own], rng.random(len(own)) < p))
            clusters.append(own + 1000 * len(clusters))
        (a, b), both = right, tuple(clusters)
        low, high = newcombe(int(a.sum()), len(a), int(b.sum()), len(b), 0.95)
        hits["plain"] += low <= truth <= high
        low, high = clustered_newcombe((a, b), both, 0.95)
        hits["clustered"] += low <= truth <= high
    assert hits["plain"] < 0.88 * 600
    assert hits["clustered"] == pytest.approx(0.95 * 600, abs=3.3 * np.sqrt(600 * 0.95 * 0.05))


def test_the_row_stands_beside_the_primary_one():
    frame = faces("o7_clustered")
    out = audit(
        predictions_of(frame),
        people_of(frame),
        attributes=["gender", "age"],
        reference={"gender": "male", "age": "adult"},
        clusters=frame.set_index("image_id")["cluster_id"],
        resamples=100,
    )
    own = out["gaps"].query("method == @METHOD").set_index(["arm", "attribute", "group"])
    plain = out["gaps"].query("method == 'newcombe' and metric == 'accuracy'").set_index(["arm", "attribute", "group"])
    known = out["clusters"].query("quantity == 'gap'").set_index(["arm", "attribute", "group"])
    assert METHOD == "newcombe, effective n"
    assert len(own) == 4
    assert (own["primary"] == 0).all()
    assert (plain["primary"] == 1).all()
    pd.testing.assert_series_equal(own["design_effect"], known["design_effect"], check_like=True)
    pd.testing.assert_series_equal(own["estimate"], plain["estimate"], check_like=True)
    width, narrower = (t["ci_high"] - t["ci_low"] for t in (own, plain))
    assert (width > narrower).all()
    look = out["checks"].query("check == 'independent faces'")
    assert (look["verdict"] == "look").all()
    assert len(look) == 4


def test_without_clusters_there_is_no_such_row():
    frame = faces("o5_gap_zero")
    out = audit(predictions_of(frame), people_of(frame), attributes=["gender"], resamples=100)
    assert METHOD not in set(out["gaps"]["method"])
