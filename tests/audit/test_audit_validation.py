"""Gaps corrected for wrong group labels by a validation sample: by hand, in simulation, and what users get wrong."""

import numpy as np
import pandas as pd
import pytest

from fergap.audit import audit
from fergap.audit.engine import as_table
from fergap.audit.inputs import make_sample
from fergap.audit.proportions import newcombe
from fergap.audit.settings import Settings
from fergap.audit.validation import (
    DEPENDENT,
    INDEPENDENT,
    corrected_dependent,
    corrected_independent,
    validation_rows,
)
from fergap.errors import UserError


def study(labels: list[str], right: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predictions and people of faces with these labels, right or wrong."""
    ids = [f"face{i}" for i in range(len(labels))]
    frame = pd.DataFrame({"image_id": ids, "true": "happy", "predicted": np.where(right, "happy", "sad")})
    return frame, pd.DataFrame({"image_id": ids, "attribute": "age", "group": labels})


def noise(
    frame: pd.DataFrame, people: pd.DataFrame, validation: pd.DataFrame, resamples: int = 2000, seed: int = 0
) -> pd.DataFrame:
    sample = make_sample(
        frame, people, attributes=["age"], reference={"age": "adult"}, groups={}, arms=None, classes=None
    )
    rows = validation_rows(sample, validation, Settings(0.05, 0.95, resamples, 10, seed, ()))
    return as_table(list(rows), "label_noise").set_index("scenario")


@pytest.fixture
def by_hand() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    # 100 labelled child, 70 right; 300 labelled adult, 240 right
    labels = ["child"] * 100 + ["adult"] * 300
    right = np.r_[np.arange(100) < 70, np.arange(300) < 240]
    frame, people = study(labels, right)
    # validated: 40 of child (20 right: 19 true; 20 wrong: 16 true), 40 of adult (20 right: 20; 20 wrong: 18)
    chosen = {"child": (range(20), range(80, 100)), "adult": (range(100, 120), range(380, 400))}
    wrong = {0, 80, 81, 82, 83, 380, 381}
    rows = [
        (f"face{i}", "age", label, label if i not in wrong else {"child": "adult", "adult": "child"}[label])
        for label, parts in chosen.items()
        for part in parts
        for i in part
    ]
    return frame, people, pd.DataFrame(rows, columns=["image_id", "attribute", "group", "truth"])


def test_by_hand(by_hand):
    found = noise(*by_hand)
    row = found.loc[INDEPENDENT]
    assert (row["validated_group"], row["validated_reference"]) == (40, 40)
    assert (row["ppv_group"], row["ppv_reference"]) == (pytest.approx(35 / 40), pytest.approx(38 / 40))
    assert row["attenuation"] == pytest.approx(0.825)
    assert row["estimate"] == pytest.approx((0.7 - 0.8) / 0.825)
    assert row["share"] == pytest.approx((100 * 35 / 40 + 300 * 2 / 40) / 400)
    row = found.loc[DEPENDENT]
    # right: 70 labelled child of PPV .95, 240 adult of PPV 1; wrong: 30 of PPV .8, 60 of PPV .9
    child, adult = (70 * 0.95, 30 * 0.8 + 60 * 0.1), (240 + 70 * 0.05, 60 * 0.9 + 30 * 0.2)
    assert row["estimate"] == pytest.approx(child[0] / sum(child) - adult[0] / sum(adult))
    assert row["share"] == pytest.approx(sum(child) / 400)
    assert (found["ci_low"] < found["estimate"]).all()
    assert (found["estimate"] < found["ci_high"]).all()
    assert (found["status"] == "ok").all()


def test_the_label_may_be_left_to_the_people(by_hand):
    frame, people, validation = by_hand
    pd.testing.assert_frame_equal(
        noise(frame, people, validation), noise(frame, people, validation.drop(columns="group"))
    )


def test_right_labels_change_nothing_but_the_certainty(by_hand):
    frame, people, validation = by_hand
    found = noise(frame, people, validation.assign(truth=validation["group"]))
    assert found["estimate"].tolist() == pytest.approx([-0.1, -0.1])
    low, high = newcombe(70, 100, 240, 300, 0.95)
    assert (found["ci_high"] - found["ci_low"] > 0.95 * (high - low)).all()


def test_the_audit_adds_the_rows_beside_the_others(by_hand):
    frame, people, validation = by_hand
    table = audit(frame, people, attributes=["age"], reference={"age": "adult"}, resamples=100, validation=validation)[
        "label_noise"
    ]
    own = table[table["scenario"].str.startswith("validation")].set_index("scenario")
    expected = noise(frame, people, validation, resamples=100)
    pd.testing.assert_frame_equal(own, expected)
    assert {"labels as given", "grid"} < set(table["scenario"])


def test_formulas_invert_expected_counts():
    # 1,000 true children (sensitivity .8), 4,000 true adults (specificity .95); accuracies .6 and .75
    children, adults = np.array([800.0, 200.0]), np.array([200.0, 3800.0])
    n, right = children + adults, 0.6 * children + 0.75 * adults
    ppv = np.array([800 / 1000, 3800 / 4000])
    assert corrected_independent(right, n, ppv) == pytest.approx(-0.15)
    counts = np.stack([right, n - right], 1)
    within = np.stack([np.array([0.6, 0.4]) * 800, np.array([0.75, 0.25]) * 3800]) / counts
    assert corrected_dependent(counts, within) == pytest.approx(-0.15)
    assert np.isnan(corrected_independent(right, n, np.array([0.5, 0.5])))


@pytest.mark.parametrize("differential", [False, True])
def test_simulated_studies_recover_the_gap(differential):
    rng, truth, covered, found = np.random.default_rng(8), -0.12, [], []
    for seed in range(60):
        child = rng.random(3000) < 0.3
        right = rng.random(3000) < np.where(child, 0.65, 0.77)
        error = np.where(right, 0.05, 0.3) if differential else 0.1
        labelled = child ^ (rng.random(3000) < error)
        name = np.array(["adult", "child"])
        frame, people = study(list(name[labelled.astype(int)]), right)
        chosen = rng.choice(3000, 600, replace=False)
        validation = people.iloc[chosen].assign(truth=name[child[chosen].astype(int)])
        out = noise(frame, people, validation, resamples=300, seed=seed)
        covered.append(((out["ci_low"] <= truth) & (truth <= out["ci_high"])).to_numpy())
        found.append(out["estimate"].to_numpy())
    mean, share = np.mean(found, 0), np.mean(covered, 0)
    assert out.index.tolist() == [INDEPENDENT, DEPENDENT]
    assert mean[1] == pytest.approx(truth, abs=0.01)
    assert share[1] >= 0.86  # 95 % less 2.6 standard errors of 60 studies, and 300 resamples
    if differential:
        assert abs(mean[0] - truth) > 0.05
    else:
        assert mean[0] == pytest.approx(truth, abs=0.01)
        assert share[0] >= 0.86


def test_few_validated_faces_are_named(by_hand):
    frame, people, validation = by_hand
    found = noise(frame, people, pd.concat([validation.iloc[:44]]))
    assert set(found["status"]) == {"not estimable: validated faces: 4 of adult"}
    found = noise(frame, people, pd.concat([validation.iloc[:22], validation.iloc[40:]]))
    assert found.loc[INDEPENDENT, "status"] == "ok"
    assert found.loc[DEPENDENT, "status"] == "not estimable: validated faces: 2 of child read wrong"
    swapped = validation["truth"].map({"child": "adult", "adult": "child"})
    found = noise(frame, people, validation.assign(truth=swapped))
    assert found.loc[INDEPENDENT, "status"] == "not estimable: the labels say nothing about the groups"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.drop(columns="truth"), "column 'truth' is missing"),
        (lambda v: v.assign(truth="toddler"), "face 'face0': its age is none of the groups (80 rows in all)"),
        (lambda v: v.assign(group="adult"), "face 'face0': its age is labelled otherwise than among the people"),
        (lambda v: pd.concat([v, v.iloc[:1]]), "line 82 repeats image_id 'face0', attribute 'age'"),
        (lambda v: v.assign(attribute="race"), "no attribute of the audit is validated (there: race)"),
        (lambda v: v.drop(columns="group").assign(image_id="x" + v["image_id"]), "its label of age is not known"),
    ],
)
def test_mistakes_are_told(by_hand, change, message):
    frame, people, validation = by_hand
    with pytest.raises(UserError) as error:
        noise(frame, people, change(validation))
    assert message in str(error.value)
