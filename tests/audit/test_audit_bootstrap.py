"""The table bootstrap: its law, its intervals and its acceleration."""

import numpy as np
import pytest
from oracle_cases import DATASETS, answers, faces
from scipy.stats import bootstrap as scipy_bootstrap

from fergap.audit.bootstrap import bootstrap
from fergap.audit.classification import accuracy, per_class


def tables(name: str, attribute: str, arm: str) -> list[np.ndarray]:
    frame, classes = faces(name), answers()["datasets"][name]["classes"]
    out = []
    for group in {"gender": ("female", "male"), "age": ("child", "adult")}[attribute]:
        own = frame[frame[attribute] == group]
        out.append(
            np.array([[((own["true"] == t) & (own[f"pred_{arm}"] == p)).sum() for p in classes] for t in classes])
        )
    return out


def metrics(present: list[np.ndarray]):
    """Accuracy and macro F1 over the classes that occur in a group's truth or predictions, as in the oracle."""
    return [lambda t, k=k: np.stack([accuracy(t), per_class(t)[2][..., k].mean(-1)], -1) for k in present]


@pytest.mark.parametrize("attribute", ["gender", "age"])
@pytest.mark.parametrize("name", ["o1_seedlike", "o6_simpson", "o7_clustered"])
def test_gap_intervals_lie_in_the_band_of_r(name, attribute):
    r = answers()["datasets"][name]["boot"][attribute]["stratified_by_group"]
    groups = tables(name, attribute, "before")
    present = [(t.sum(0) + t.sum(1)) > 0 for t in groups]
    parts = [
        bootstrap(t, f, 20_000, np.random.default_rng(i))
        for i, (t, f) in enumerate(zip(groups, metrics(present), strict=True))
    ]
    gap = parts[0] - parts[1]
    for column, key in enumerate(("gap_before", "f1gap_before")):
        expected = r[key]
        assert gap.estimate[column] == pytest.approx(expected["t0"], abs=1e-12)
        low, high = gap.percentile(column, 0.95)
        band = expected["percentile_band4"]
        assert band["low"][0] <= low <= band["low"][1]
        assert band["high"][0] <= high <= band["high"][1]
        assert gap.acceleration()[column] == pytest.approx(expected["a_multisample_formula"], rel=1e-6)
        spread = 6 * np.array(expected["mc_sd_percentile"]) + 1 / min(t.sum() for t in groups)
        assert np.all(np.abs(np.array(gap.bca(column, 0.95)) - expected["bca_multisample_formula"]) <= spread)


@pytest.mark.parametrize("name", DATASETS)
def test_accuracy_gap_has_the_exact_bootstrap_law(name):
    exact = answers()["datasets"][name]["boot"]["age"]["exact_formula"]["gap_before"]
    parts = [
        bootstrap(t, lambda t: accuracy(t)[..., None], 40_000, np.random.default_rng(i))
        for i, t in enumerate(tables(name, "age", "before"))
    ]
    values = (parts[0] - parts[1]).values[:, 0]
    estimate = parts[0].estimate[0] - parts[1].estimate[0]
    assert np.mean(np.round(values - estimate, 12) < 0) == pytest.approx(exact["p_less"], abs=0.012)
    assert np.mean(np.round(values - estimate, 12) == 0) == pytest.approx(exact["p_equal"], abs=0.012)
    assert values.std() == pytest.approx(exact["sd"], rel=0.02, abs=1e-9)


def test_acceleration_equals_scipy():
    answers_1, answers_0 = np.repeat([1.0, 0.0], [37, 13]), np.repeat([1.0, 0.0], [160, 40])
    expected = scipy_bootstrap(
        (answers_1, answers_0), lambda a, b, axis=-1: a.mean(axis) - b.mean(axis), n_resamples=9999, rng=1, method="BCa"
    ).confidence_interval
    parts = [
        bootstrap(np.array(c), lambda t: (t[..., 0] / t.sum(-1))[..., None], 100_000, np.random.default_rng(i))
        for i, c in enumerate(([37, 13], [160, 40]))
    ]
    low, high = (parts[0] - parts[1]).bca(0, 0.95)
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=0.011)


def test_tied_values_count_half():
    # ten against ten: 0.7 − 0.4 is not 0.3 in binary, so a naive count of values below the estimate is off
    parts = [
        bootstrap(np.array(c), lambda t: (t[..., 0] / t.sum(-1))[..., None], 50_000, np.random.default_rng(i))
        for i, c in enumerate(([7, 3], [4, 6]))
    ]
    gap = parts[0] - parts[1]
    assert gap.bca(0, 0.95)[1] == pytest.approx(0.7)


def test_a_merged_table_has_the_merged_law():
    fine, coarse = np.array([30, 5, 9, 6]), np.array([35, 15])
    first = bootstrap(fine, lambda t: (t[..., :2].sum(-1) / t.sum(-1))[..., None], 40_000, np.random.default_rng(1))
    second = bootstrap(coarse, lambda t: (t[..., 0] / t.sum(-1))[..., None], 40_000, np.random.default_rng(2))
    quantiles = np.linspace(0.02, 0.98, 25)
    difference = np.quantile(first.values[:, 0], quantiles) - np.quantile(second.values[:, 0], quantiles)
    assert np.abs(difference).max() <= 0.0201  # one face of fifty
    assert first.second == pytest.approx(second.second)
    assert first.third == pytest.approx(second.third)


def test_same_seed_same_values():
    first, second = (
        bootstrap(np.array([5, 9]), lambda t: t[..., :1], 50, np.random.default_rng(3)).values for _ in range(2)
    )
    assert np.array_equal(first, second)
