import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fergap.audit import audit
from fergap.audit.paired import mcnemar_midp
from fergap.errors import UserError


def made(n=400, seed=3, split=120):
    """Arms of known accuracy: three on all faces, three on the first ``split``, as a single split's test part."""
    draw = np.random.default_rng(seed)
    true = draw.choice(["a", "b"], n)
    other = np.where(true == "a", "b", "a")
    faces = np.array([f"{i:04d}" for i in range(n)])
    tables = []
    for arm, accuracy, tested in [
        ("baseline", 0.6, n),
        ("treated", 0.7, n),
        ("placebo", 0.6, n),
        ("b16_n4_k3", 0.5, split),
        ("b16_n8_k5", 0.8, split),
        ("b32_n8_k5", 0.79, split),
    ]:
        said = np.where(draw.random(n) < accuracy, true, other)
        table = pd.DataFrame({"image_id": faces, "true": true, "predicted": said, "arm": arm})
        tables.append(table.assign(role=np.where(np.arange(n) < tested, "test", "train")))
    people = pd.DataFrame(
        {"image_id": faces, "attribute": "age", "group": np.where(draw.random(n) < 0.4, "child", "adult")}
    )
    return pd.concat(tables, ignore_index=True), people


def audited(predictions, people, **more):
    more = {"attributes": ["age"], "reference": {"age": "adult"}, "resamples": 100} | more
    return audit(predictions, people, **more)


@pytest.fixture(scope="module")
def out():
    contrast = {"before": "baseline", "after": "treated", "placebo": "placebo"}
    return audited(*made(), contrasts=[contrast, {"before": "baseline", "after": "placebo"}])


def test_arms_are_compared_with_those_that_predict_the_same_faces(out):
    q = out["models_compared"].query("test == 'cochran q'")
    assert q[["arms", "n"]].to_numpy().tolist() == [
        ["baseline, treated, placebo", 400],
        ["b16_n4_k3, b16_n8_k5, b32_n8_k5", 120],
    ]
    pairs = out["models_compared"].query("test == 'mcnemar mid-p'")
    assert pairs.groupby("arms", sort=False).size().tolist() == [3, 3]
    ledger = out["multiplicity"].query("table == 'models_compared'")
    assert ledger["m"].tolist() == [3] * 6


def test_the_ranking_says_who_cannot_be_told_from_the_best(out):
    predictions, _ = made()
    grid = out["ranking"][out["ranking"]["arm"].str.startswith("b16") | out["ranking"]["arm"].str.startswith("b32")]
    assert grid["rank"].tolist() == [1, 2, 3]
    assert grid["arm"].iloc[-1] == "b16_n4_k3"
    assert grid["indistinguishable"].tolist() == [1, 1, 0]
    wide = predictions.query("role == 'test'").assign(right=lambda d: d["true"] == d["predicted"])
    wide = wide.pivot_table("right", "image_id", "arm", aggfunc="first")[list(grid["arm"])].dropna().astype(bool)
    assert grid["count"].tolist() == wide.sum().tolist()
    best = grid["arm"].iloc[0]
    for arm, p in zip(grid["arm"][1:], grid["p_value"][1:], strict=True):
        lost, gained = (wide[best] & ~wide[arm]).sum(), (~wide[best] & wide[arm]).sum()
        assert p == pytest.approx(mcnemar_midp(int(lost), int(gained)))


def test_beyond_the_placebo_is_the_difference_of_the_two_changes(out):
    row = out["beyond_placebo"].iloc[0]
    changes = out["gap_changes"].query("metric == 'accuracy' and method == 'welch'").set_index("contrast")["estimate"]
    assert row["change"] == pytest.approx(changes["baseline to treated"])
    assert row["change_placebo"] == pytest.approx(changes["baseline to placebo"])
    assert row["estimate"] == pytest.approx(row["change"] - row["change_placebo"])
    direct = audited(*made(), contrasts=[{"before": "placebo", "after": "treated"}])["gap_changes"]
    direct = direct.query("metric == 'accuracy' and method == 'welch'").iloc[0]
    assert row[["ci_low", "ci_high", "p_value"]].tolist() == pytest.approx(
        direct[["ci_low", "ci_high", "p_value"]].tolist()
    )
    assert row["verdict"] == "not shown beyond the placebo"


def test_a_placebo_that_predicts_other_faces_is_refused():
    contrast = {"before": "baseline", "after": "treated", "placebo": "b16_n8_k5"}
    with pytest.raises(UserError, match="'b16_n8_k5' and 'treated' do not predict the same faces"):
        audited(*made(), contrasts=[contrast])


def test_a_placebo_that_is_no_arm_is_refused():
    with pytest.raises(UserError, match="no prediction by arm 'plecebo'"):
        audited(*made(), contrasts=[{"before": "baseline", "after": "treated", "placebo": "plecebo"}])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_treatment_that_is_its_own_placebo_changes_nothing_beyond_it(seed):
    predictions, people = made(120, seed, 40)
    twin = predictions[predictions["arm"] == "treated"].assign(arm="twin")
    contrast = {"before": "baseline", "after": "treated", "placebo": "twin"}
    row = audited(pd.concat([predictions, twin]), people, contrasts=[contrast])["beyond_placebo"].iloc[0]
    assert row["estimate"] == 0
    assert row["ci_low"] <= 0 <= row["ci_high"]
    assert row["change"] == row["change_placebo"]
