"""What must hold for any table of predictions."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from fergap.audit import audit
from fergap.audit.bootstrap import bootstrap
from fergap.audit.counts import Split
from fergap.audit.pairwise import chi_square_of_groups, pairwise
from fergap.audit.proportions import newcombe
from fergap.audit.settings import Settings
from fergap.audit.stratified import chi_square

NUMBERS = ["estimate", "ci_low", "ci_high"]
FEW = settings(max_examples=6, deadline=None)


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
    unknown = more[["image_id"]].drop_duplicates().assign(attribute="kind", group=None)
    found = exact_numbers(run(pd.concat([predictions, more]), pd.concat([people, unknown])))
    for table in ("gaps", "tests", "gap_changes", "effects", "equivalence"):
        assert found[table] == pytest.approx(expected[table], nan_ok=True), table


@given(studies(), st.permutations(range(4)))
@FEW
def test_the_order_of_declared_classes_and_groups_does_not_matter(study, order):
    predictions, people = study
    classes = sorted({*predictions["true"], *predictions["predicted"]})
    first = run(predictions, people, classes=classes)
    turned = [classes[i] for i in order if i < len(classes)]
    second = run(predictions, people, classes=turned, groups={"kind": ["group 1", "group 0"]})
    keys = {
        "gaps": ["arm", "group", "metric", "class", "average", "adjusted_for", "method"],
        "tests": ["arm", "group", "class", "test", "family"],
        "changes": ["contrast", "attribute", "group", "test"],
        "gap_changes": ["contrast", "group", "metric", "class", "average", "method"],
        "equivalence": ["arm", "group"],
        "group_metrics": ["arm", "attribute", "group", "metric", "class", "average"],
    }
    for table, key in keys.items():
        one, other = (
            out[table][~out[table].get("method", pd.Series("", out[table].index)).fillna("").str.startswith("boot")]
            .fillna(dict.fromkeys(key, ""))
            .set_index(key)
            .sort_index()
            for out in (first, second)
        )
        assert list(one.index) == list(other.index), table
        for column in {"estimate", "ci_low", "ci_high", "p_value"} & set(one):
            assert other[column].to_numpy(float) == pytest.approx(
                one[column].to_numpy(float), rel=1e-7, abs=1e-9, nan_ok=True
            ), (table, column)


@given(
    st.lists(st.integers(0, 30), min_size=4, max_size=7),
    st.lists(st.integers(0, 30), min_size=4, max_size=7),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=15, deadline=None)
def test_the_bootstrap_of_a_merged_table_is_the_merged_bootstrap_in_law(fine_right, fine_wrong, seed):
    """Counts of a merged cell are drawn with the mean, spread and acceleration of the sum of its cells."""
    right, wrong = np.array([1, *fine_right]), np.array([1, *fine_wrong])
    fine, k = np.concatenate([right, wrong]), len(right)
    rng = np.random.default_rng(seed)
    one = bootstrap(fine, lambda t: (t[..., :k].sum(-1) / t.sum(-1))[..., None], 4000, rng)
    other = bootstrap(np.array([right.sum(), wrong.sum()]), lambda t: (t[..., 0] / t.sum(-1))[..., None], 4000, rng)
    assert one.estimate == pytest.approx(other.estimate)
    assert one.second == pytest.approx(other.second)
    assert one.third == pytest.approx(other.third, abs=1e-15)
    n, p = fine.sum(), right.sum() / fine.sum()
    found = [np.sort(np.round(part.values[:, 0] * n).astype(int)) for part in (one, other)]
    # the exact law of both is binomial; Dvoretzky, Kiefer and Wolfowitz bound the distance at 1e-9
    for counts in found:
        steps = np.searchsorted(counts, np.arange(n + 1), side="right") / 4000
        assert np.abs(steps - binom.cdf(np.arange(n + 1), n, p)).max() < math.sqrt(math.log(2e9) / 8000)


@given(st.integers(1, 60), st.integers(1, 60), st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_the_formula_of_k_groups_is_that_of_two_for_two(n1, n0, share1, share0):
    x1, x0 = round(share1 * n1), round(share0 * n0)
    table = np.array([[x1, n1 - x1], [x0, n0 - x0]])
    assert chi_square_of_groups(table) == pytest.approx(chi_square(table), rel=1e-9, nan_ok=True)
    counts = np.array([[[x1, 0], [n1 - x1, 0]], [[x0, 0], [n0 - x0, 0]]])  # one class right, the other wrong
    two = Split("kind", ("a", "b"), 1, counts)
    three = Split("kind", ("a", "b", "c"), 1, np.concatenate([counts, np.zeros((1, 2, 2), int)]))
    options = Settings(0.05, 0.95, 100, 1 + 1, 0, ())
    row = next(
        iter(
            pairwise(  # the third group is empty: the only pair is that of the first two
                "model", three, options
            )
        )
    )
    if row["status"] == "ok":
        alone = newcombe(x1, n1, x0, n0, 0.95)
        assert (row["ci_low"], row["ci_high"]) == pytest.approx(alone)
        assert (row["simultaneous_low"], row["simultaneous_high"]) == pytest.approx(alone)
    assert list(pairwise("model", two, options)) == []


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
