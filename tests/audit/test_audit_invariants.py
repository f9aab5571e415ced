"""What must hold for any table of predictions."""

import gc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fergap.audit import audit

NUMBERS = ["estimate", "ci_low", "ci_high"]
FEW = settings(max_examples=6, deadline=None)


@pytest.fixture(autouse=True, scope="module")
def cheap_collection():
    """Spare what is already loaded from the full garbage collections that statsmodels' multipletests asks for."""
    gc.freeze()
    yield
    gc.unfreeze()


@st.composite
def studies(draw, groups: int = 2) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predictions of two arms and people in ``groups`` groups, sizes 12 … 60, two to four classes."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    classes = [f"class {c}" for c in "abcd"[: draw(st.integers(2, 4))]]
    sizes = [draw(st.integers(12, 60)) for _ in range(groups)]
    n = sum(sizes)
    true = rng.choice(classes, n)
    arms = []
    for arm in ("old", "new"):
        accuracy = draw(st.floats(0.05, 1.0))
        predicted = np.where(rng.random(n) < accuracy, true, rng.choice(classes, n))
        arms.append(
            pd.DataFrame({"arm": arm, "image_id": [f"face{i}" for i in range(n)], "true": true, "predicted": predicted})
        )
    group = np.repeat([f"group {g}" for g in range(groups)], sizes)
    people = pd.DataFrame({"image_id": arms[0]["image_id"], "attribute": "kind", "group": group})
    return pd.concat(arms, ignore_index=True), people


def run(predictions: pd.DataFrame, people: pd.DataFrame, reference: str = "group 0", **more) -> dict[str, pd.DataFrame]:
    return audit(
        predictions,
        people,
        attributes=["kind"],
        reference={"kind": reference},
        contrasts=[{"before": "old", "after": "new"}],
        resamples=200,
        **more,
    )


def exact_numbers(out: dict[str, pd.DataFrame]) -> dict[str, np.ndarray]:
    """Everything that no random number enters."""
    kept = {}
    for table in ("gaps", "gap_changes", "changes", "equivalence", "effects"):
        frame = out[table]
        kept[table] = frame[~frame["method"].fillna("").str.startswith("bootstrap")][NUMBERS].to_numpy(float)
    return kept | {"tests": out["tests"][["statistic", "p_value", "p_adjusted"]].to_numpy(float)}


@given(studies(groups=3))
@FEW
def test_bounds_enclose_the_estimate_and_p_values_are_shares(study):
    for table, frame in run(*study).items():
        if set(NUMBERS) <= set(frame):
            known = frame.dropna(subset=NUMBERS)
            assert (known["ci_low"] <= known["estimate"] + 1e-9).all(), table
            assert (known["estimate"] <= known["ci_high"] + 1e-9).all(), table
        if "p_adjusted" in frame:
            known = frame.dropna(subset="p_adjusted")
            assert (known["p_adjusted"] >= known["p_value"] - 1e-12).all()


@given(studies())
@FEW
def test_swapping_groups_flips_the_sign_and_keeps_the_width(study):
    there, back = run(*study), run(*study, reference="group 1")
    for table in ("gaps", "gap_changes", "equivalence"):
        kept = ~there[table]["method"].fillna("").str.startswith("bootstrap")
        one, other = (out[table][kept][NUMBERS].to_numpy(float) for out in (there, back))
        assert one[:, 0] == pytest.approx(-other[:, 0], abs=1e-9, nan_ok=True)
        assert one[:, 1] == pytest.approx(-other[:, 2], abs=1e-7, nan_ok=True)
    assert there["tests"]["p_value"].to_numpy() == pytest.approx(
        back["tests"]["p_value"].to_numpy(), rel=1e-6, nan_ok=True
    )
    assert there["verdicts"]["verdict"].tolist() == back["verdicts"]["verdict"].tolist()


@given(studies(groups=1))
@FEW
def test_a_group_against_its_copy_has_no_gap(study):
    predictions, people = study
    copy = {"image_id": lambda f: "copy of " + f["image_id"]}
    out = run(
        pd.concat([predictions, predictions.assign(**copy)]),
        pd.concat([people, people.assign(group="group 1", **copy)]),
    )
    for table in ("gaps", "gap_changes", "equivalence"):
        known = out[table].dropna(subset="estimate")
        assert known["estimate"].to_numpy() == pytest.approx(0, abs=1e-12)
    assert not set(out["verdicts"]["verdict"]) & {"gap", "widened", "narrowed and equivalent"}


@given(studies(), st.randoms(use_true_random=False))
@FEW
def test_order_of_rows_and_names_of_labels_do_not_matter(study, random):
    predictions, people = study
    expected = exact_numbers(run(predictions, people))
    order = list(range(len(predictions)))
    random.shuffle(order)
    # classes keep their order by name and each arm its place, so that rows of the tables correspond
    shuffled = predictions.iloc[order].sort_values("arm", key=lambda arm: arm == "new", kind="stable")
    renamed = shuffled.assign(**{c: "x" + shuffled[c] for c in ("true", "predicted")})
    found = exact_numbers(run(renamed, people.iloc[::-1].replace({"group 1": "somebody"}), reference="group 0"))
    for table, values in expected.items():
        assert found[table] == pytest.approx(values, rel=1e-9, abs=1e-12, nan_ok=True), table


@given(studies())
@FEW
def test_faces_of_no_compared_group_change_nothing(study):
    predictions, people = study
    more = predictions.groupby("arm").head(7).assign(image_id=lambda f: "other " + f["image_id"])
    expected = exact_numbers(run(predictions, people))
    found = exact_numbers(run(pd.concat([predictions, more]), people))
    for table in ("gaps", "tests", "gap_changes", "effects", "equivalence"):
        assert found[table] == pytest.approx(expected[table], nan_ok=True), table


def test_same_seed_same_tables():
    rng = np.random.default_rng(5)
    true = rng.choice(["a", "b"], 200)
    predictions = pd.DataFrame(
        {"image_id": np.arange(200).astype(str), "true": true, "predicted": rng.choice(["a", "b"], 200)}
    )
    people = pd.DataFrame(
        {"image_id": predictions["image_id"], "attribute": "kind", "group": rng.choice(["x", "y"], 200)}
    )
    first, second, other = (
        audit(predictions, people, attributes=["kind"], resamples=300, seed=seed) for seed in (1, 1, 2)
    )
    for table in first:
        pd.testing.assert_frame_equal(first[table], second[table])
    assert not first["gaps"].equals(other["gaps"])
