"""Log-loss, Brier score and calibration error against scikit-learn, SciPy and plain loops over faces."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp, ttest_ind
from sklearn.metrics import brier_score_loss, log_loss

from fergap import tables
from fergap.audit import audit
from fergap.audit.calibration_metrics import BINS, CELLS, cells_of

CLASSES = ["angry", "bored", "happy"]


def made(n: int, seed: int = 0, sharpness: float = 1.5) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predictions with probabilities and people; higher sharpness is more overconfident."""
    rng = np.random.default_rng(seed)
    true = rng.integers(3, size=n)
    z = rng.normal(size=(n, 3))
    z[np.arange(n), true] += 1.2
    p = np.exp(sharpness * z)
    p /= p.sum(1, keepdims=True)
    frame = pd.DataFrame({"image_id": [f"face{i}" for i in range(n)], "true": np.array(CLASSES)[true]})
    frame = frame.assign(predicted=np.array(CLASSES)[p.argmax(1)], **{f"p_{c}": p[:, i] for i, c in enumerate(CLASSES)})
    people = frame[["image_id"]].assign(attribute="age", group=np.where(rng.random(n) < 0.3, "child", "adult"))
    return frame, people


def found(frame: pd.DataFrame, people: pd.DataFrame, **more) -> pd.DataFrame:
    return audit(frame, people, attributes=["age"], reference={"age": "adult"}, **({"resamples": 200} | more))[
        "calibration_metrics"
    ]


def cell(table: pd.DataFrame, group: str, metric: str, method: str, gap: bool = False) -> pd.Series:
    own = table[(table["group"] == group) & (table["metric"] == metric) & (table["method"] == method)]
    return own[own["reference"].notna() == gap].iloc[0]


def looped_error(p: np.ndarray, right: np.ndarray, bins: int = BINS) -> float:
    """Guo et al. (2017), equation 3, bin by bin."""
    error = 0.0
    for b in range(bins):
        own = (p > b / bins) & (p <= (b + 1) / bins)
        if own.any():
            error += own.sum() / len(p) * abs(right[own].mean() - p[own].mean())
    return error


@pytest.mark.parametrize("n", [300, 2000])
def test_estimates_equal_scikit_learn_and_loops(n):
    frame, people = made(n)
    table = found(frame, people)
    groups = {"all": np.ones(n, bool), "child": (people["group"] == "child").to_numpy()}
    for group, own in groups.items():
        part = frame[own]
        p, true = part[[f"p_{c}" for c in CLASSES]].to_numpy(), part["true"].to_numpy()
        right, confidence = (part["true"] == part["predicted"]).to_numpy(), p.max(1)
        assert cell(table, group, "log_loss", "t")["estimate"] == pytest.approx(log_loss(true, p, labels=CLASSES))
        expected = brier_score_loss(true, p, labels=CLASSES, scale_by_half=False)
        assert cell(table, group, "brier", "t")["estimate"] == pytest.approx(expected)
        error = cell(table, group, "ece", "bootstrap bca")
        assert error["estimate"] == pytest.approx(looped_error(confidence, right))
        over = confidence - right
        assert cell(table, group, "overconfidence", "t")["estimate"] == pytest.approx(over.mean())
        interval = ttest_1samp(over, 0).confidence_interval(0.95)
        assert cell(table, group, "overconfidence", "t")[["ci_low", "ci_high"]].tolist() == pytest.approx(interval)


def test_gaps_equal_welch():
    frame, people = made(900)
    loss = -np.log([row[f"p_{row['true']}"] for _, row in frame.iterrows()])
    child = (people["group"] == "child").to_numpy()
    row = cell(found(frame, people), "child", "log_loss", "welch", gap=True)
    assert row["estimate"] == pytest.approx(loss[child].mean() - loss[~child].mean())
    interval = ttest_ind(loss[child], loss[~child], equal_var=False).confidence_interval(0.95)
    assert row[["ci_low", "ci_high"]].tolist() == pytest.approx(interval)
    assert (row["n"], row["n_reference"]) == (child.sum(), (~child).sum())


def test_resamples_are_those_of_a_loop_over_faces():
    # 1,500 faces share 500 cells; the loop draws single faces
    frame, people = made(1500, seed=4, sharpness=3.0)
    own = frame[(people["group"] == "adult").to_numpy()]
    assert len(own) > CELLS
    p, right = own[[f"p_{c}" for c in CLASSES]].to_numpy().max(1), (own["true"] == own["predicted"]).to_numpy()
    loss = -np.log([row[f"p_{row['true']}"] for _, row in own.iterrows()])
    rng = np.random.default_rng(1)
    drawn = rng.integers(len(p), size=(1500, len(p)))
    looped = {"ece": [looped_error(p[d], right[d]) for d in drawn], "log_loss": [loss[d].mean() for d in drawn]}
    table = found(frame, people, resamples=2000)
    for metric, values in looped.items():
        row = cell(table, "adult", metric, "bootstrap percentile")
        ends = np.quantile(values, [0.025, 0.975])
        # three Monte-Carlo errors of an endpoint (2.7 σ/√B) of each side
        error = 3 * 2.7 * np.std(values) * np.hypot(1500**-0.5, 2000**-0.5)
        assert row[["ci_low", "ci_high"]].tolist() == pytest.approx(ends, abs=error)


def test_the_expected_error_is_that_of_answers_drawn_from_their_confidence():
    frame, people = made(800)
    p = frame[[f"p_{c}" for c in CLASSES]].to_numpy().max(1)
    rng = np.random.default_rng(2)
    drawn = [looped_error(p, rng.random(len(p)) < p) for _ in range(400)]
    row = cell(found(frame, people), "all", "ece", "bootstrap bca")
    assert row["expected_if_calibrated"] == pytest.approx(np.mean(drawn), rel=0.05)
    share = np.mean(np.array(drawn) >= row["estimate"])
    assert row["p_value"] == pytest.approx(share, abs=0.06)


def test_near_calibration_there_is_no_interval_of_the_error():
    table = found(*made(1500, sharpness=1.25))
    near = table[table["metric"] == "ece"]
    assert set(near["status"]) == {"interval not estimable: less than 3 times a calibrated model's error"}
    assert near["estimate"].notna().all()
    clear = cell(found(*made(1500, sharpness=4.0)), "all", "ece", "bootstrap bca")
    assert clear["ci_low"] < clear["estimate"] < clear["ci_high"]
    assert clear["p_value"] < 0.001


def test_cells_hold_neighbours_of_one_stratum():
    stratum = np.sort(np.random.default_rng(0).integers(30, size=20_000))
    cell_of = cells_of(stratum)
    assert cell_of.max() < CELLS
    assert pd.Series(stratum).groupby(cell_of).nunique().max() == 1
    assert (cells_of(np.sort(stratum[:400])) == np.arange(400)).all()


def test_row_order_does_not_matter_and_certain_answers_have_finite_losses():
    frame, people = made(120)
    frame.loc[0, [f"p_{c}" for c in CLASSES]] = [float(c != frame["true"][0]) for c in CLASSES]
    frame.loc[0, [f"p_{c}" for c in CLASSES]] /= 2
    one = found(frame, people)
    shuffled = found(frame.sample(frac=1, random_state=0), people)
    pd.testing.assert_frame_equal(one, shuffled)
    assert np.isfinite(one["estimate"]).all()


def test_few_faces_and_no_probabilities():
    frame, people = made(200)
    people.loc[people.index[people["group"] == "child"][5:], "group"] = "adult"
    table = found(frame, people)
    assert set(table.loc[table["group"] == "child", "status"]) == {
        "not estimable: 5 faces",
        "not estimable: 5 faces of child",
    }
    few = found(*made(25), minimum_faces=2)
    assert set(few.loc[few["metric"] == "ece", "status"]) >= {"interval not estimable: fewer than 30 faces"}
    bare = found(frame[["image_id", "true", "predicted"]], people)
    assert bare.empty
    assert list(bare.columns) == list(tables.TABLES["calibration_metrics"].columns)


def test_alike_answers_have_no_interval():
    frame, people = made(200)
    frame["predicted"] = frame["true"]
    frame[[f"p_{c}" for c in CLASSES]] = pd.get_dummies(frame["true"])[CLASSES].to_numpy(float)
    table = found(frame, people)
    assert (table["estimate"] == 0).all()
    assert set(table["status"]) == {"interval not estimable: every value alike"}
