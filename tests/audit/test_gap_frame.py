"""GapFrame against fairlearn.metrics.MetricFrame, and its intervals."""

import doctest
import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
from fairlearn import metrics as fairlearn
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from fergap.audit import GapFrame, gap_frame
from fergap.audit.proportions import newcombe, wilson
from fergap.audit.ratios import score_ratio
from fergap.errors import UserError

BINARY = {
    "accuracy": sklearn.accuracy_score,
    "recall": partial(sklearn.recall_score, zero_division=0),
    "precision": partial(sklearn.precision_score, zero_division=0),
    "f1": partial(sklearn.f1_score, zero_division=0),
    "selection_rate": fairlearn.selection_rate,
    "true_positive_rate": fairlearn.true_positive_rate,
    "false_positive_rate": fairlearn.false_positive_rate,
    "false_negative_rate": fairlearn.false_negative_rate,
    "true_negative_rate": fairlearn.true_negative_rate,
    "zero_one_loss": sklearn.zero_one_loss,
    "count": fairlearn.count,
}
MULTICLASS = {
    "accuracy": sklearn.accuracy_score,
    "recall_macro": partial(sklearn.recall_score, average="macro", zero_division=0),
    "f1_macro": partial(sklearn.f1_score, average="macro", zero_division=0),
    "precision_weighted": partial(sklearn.precision_score, average="weighted", zero_division=0),
    "recall[b]": partial(sklearn.recall_score, labels=["b"], average="macro", zero_division=0),
}


@st.composite
def cases(draw) -> dict:
    """Labels and one or two sensitive and up to two control features, with combinations that have no face."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(6, 80))
    classes = draw(st.sampled_from([[0, 1], list("abc")]))

    def features(count: int, kind: str) -> pd.DataFrame | pd.Series | None:
        columns = {
            f"{kind}{i}": rng.choice([f"{kind}{j}" for j in range(draw(st.integers(1, 3)))], n) for i in range(count)
        }
        frame = pd.DataFrame(columns)
        return None if not count else frame.iloc[:, 0] if count == 1 and draw(st.booleans()) else frame

    return {
        "y_true": rng.choice(classes, n),
        "y_pred": rng.choice(classes, n),
        "sensitive_features": features(draw(st.integers(1, 2)), "group"),
        "control_features": features(draw(st.integers(0, 2)), "control"),
    }


def same(ours, theirs) -> None:
    """Require equal values, indices and types."""
    if isinstance(theirs, pd.DataFrame):
        pd.testing.assert_frame_equal(ours, theirs[ours.columns], check_exact=False, rtol=1e-12, atol=1e-12)
    elif isinstance(theirs, pd.Series):
        pd.testing.assert_series_equal(ours, theirs, check_exact=False, rtol=1e-12, atol=1e-12)
    else:
        assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-12, nan_ok=True)
        assert isinstance(ours, type(theirs))


def compare(ours: GapFrame, theirs: fairlearn.MetricFrame) -> None:
    same(ours.overall, theirs.overall)
    same(ours.by_group, theirs.by_group)
    same(ours.group_min(), theirs.group_min())
    same(ours.group_max(), theirs.group_max())
    for method in ("between_groups", "to_overall"):
        same(ours.difference(method=method), theirs.difference(method=method))
        same(ours.ratio(method=method), theirs.ratio(method=method))
    assert ours.control_levels == theirs.control_levels
    assert ours.sensitive_levels == theirs.sensitive_levels


@settings(max_examples=40, deadline=None)
@given(cases(), st.data())
def test_values_are_fairlearns(case: dict, data: st.DataObject):
    known = BINARY if case["y_true"].dtype.kind == "i" else MULTICLASS
    chosen = data.draw(st.lists(st.sampled_from(sorted(known)), min_size=1, max_size=3, unique=True))
    functions, names = {c: known[c] for c in chosen}, {c: c for c in chosen}
    if data.draw(st.booleans()):
        functions = {"accuracy": sklearn.accuracy_score}["accuracy"]
        names = functions
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fairlearn's division of 0 by 0
        theirs = fairlearn.MetricFrame(metrics=functions, **case)
        compare(GapFrame(metrics=functions, **case), theirs)
        compare(GapFrame(metrics=names, **case), theirs)


def binary(sizes: tuple[int, ...], seed: int = 3) -> dict:
    rng = np.random.default_rng(seed)
    group = np.repeat([f"group {g}" for g in range(len(sizes))], sizes)
    true = rng.integers(0, 2, len(group))
    predicted = np.where(rng.random(len(group)) < 0.8 - 0.1 * np.char.endswith(group, "0"), true, 1 - true)
    return {"y_true": true, "y_pred": predicted, "sensitive_features": pd.Series(group, name="group")}


def counts_of(case: dict, name: str) -> dict[str, tuple[int, int]]:
    """Right answers and faces of each group, those of class 1 alone for recall."""
    frame = pd.DataFrame({k: np.asarray(v) for k, v in case.items()})
    frame = frame[frame["y_true"] == 1] if name == "recall" else frame
    right = (frame["y_true"] == frame["y_pred"]).groupby(frame["sensitive_features"])
    return {g: (int(part.sum()), len(part)) for g, part in right}


@pytest.mark.parametrize("name", ["accuracy", "recall"])
def test_shares_have_wilsons_and_newcombes_intervals(name: str):
    case = binary((40, 70))
    counts = counts_of(case, name)
    frame = GapFrame(metrics=name, **case)
    low, high = frame.by_group_ci
    for group, (x, n) in counts.items():
        assert (low[group], high[group]) == pytest.approx(wilson(x, n, 0.95))
    whole = [sum(c) for c in zip(*counts.values(), strict=True)]
    assert frame.overall_ci == pytest.approx(wilson(*whole, 0.95))
    best, worst = sorted(counts.values(), key=lambda c: c[0] / c[1], reverse=True)
    assert frame.difference_ci() == pytest.approx(newcombe(*best, *worst, 0.95))
    assert frame.ratio_ci() == pytest.approx(score_ratio(*worst, *best, 0.95))
    share = max(1 - c[1] / whole[1] for c in counts.values())
    assert frame.difference_ci(method="to_overall") == pytest.approx([share * end for end in frame.difference_ci()])


@settings(max_examples=30, deadline=None)
@given(cases(), st.sampled_from(["between_groups", "to_overall"]))
def test_intervals_contain_the_estimate(case: dict, method: str):
    frame = GapFrame(metrics={"accuracy": "accuracy"}, **case)
    low, high = (pd.DataFrame(end) for end in frame.by_group_ci)
    there = frame.by_group.notna()
    assert ((low <= frame.by_group + 1e-12) & (frame.by_group <= high + 1e-12))[there].all(axis=None)
    for value, ends in (
        (frame.difference(method=method), frame.difference_ci(method=method)),
        (frame.ratio(method=method), frame.ratio_ci(method=method)),
    ):
        kept = ends[0].notna() & value.notna()
        assert ((ends[0] <= value + 1e-12) & (value <= ends[1] + 1e-12))[kept].all(axis=None)
        assert type(ends[0]) is type(value)
        assert ends[0].index.equals(value.index)


def test_a_pair_among_many_is_simultaneous():
    case = binary((30, 40, 50))
    counts = counts_of(case, "accuracy")
    frame = GapFrame(metrics="accuracy", **case)
    by_share = sorted(counts.values(), key=lambda c: c[0] / c[1])
    assert frame.difference_ci() == pytest.approx(newcombe(*by_share[-1], *by_share[0], 1 - 0.05 / 3))


def test_known_metrics_bootstrap_like_any_function():
    case = binary((60, 90))
    named = GapFrame(metrics={"f1": "f1", "accuracy": "accuracy"}, resamples=300, seed=1, **case)

    def own(y_true, y_pred):
        return 2 * np.sum(y_true & y_pred) / (np.sum(y_true) + np.sum(y_pred))

    def weighing(y_true, y_pred, sample_weight=None):
        return sklearn.f1_score(y_true, y_pred, sample_weight=sample_weight)

    for function in (own, weighing):
        called = GapFrame(metrics={"f1": function}, resamples=300, seed=1, **case)
        for ours, theirs in zip(named.by_group_ci, called.by_group_ci, strict=True):
            np.testing.assert_allclose(ours["f1"], theirs["f1"])
        for ours, theirs in (
            (named.overall_ci, called.overall_ci),
            (named.difference_ci(), called.difference_ci()),
            (named.ratio_ci(method="to_overall"), called.ratio_ci(method="to_overall")),
        ):
            assert [end["f1"] for end in ours] == pytest.approx([end["f1"] for end in theirs])
            assert ours[0]["f1"] < ours[1]["f1"]


def test_a_function_of_numbers():
    rng = np.random.default_rng(4)
    true = rng.normal(size=2000)
    case = {"y_true": true, "y_pred": true + rng.normal(size=2000), "sensitive_features": rng.choice(["a", "b"], 2000)}
    frame = GapFrame(metrics=sklearn.mean_absolute_error, resamples=100, **case)
    compare(frame, fairlearn.MetricFrame(metrics=sklearn.mean_absolute_error, **case))
    low, high = frame.by_group_ci
    assert ((low < frame.by_group) & (frame.by_group < high)).all()


def test_a_seed_gives_the_same_interval():
    ends = [GapFrame(metrics="f1_macro", resamples=200, seed=s, **binary((30, 40))).overall_ci for s in (1, 1, 2)]
    assert ends[0] == ends[1] != ends[2]


def test_ratio_interval_is_the_inverse_of_its_inverse():
    low, high = score_ratio(30, 40, 50, 60, 0.95)
    assert (1 / high, 1 / low) == pytest.approx(score_ratio(50, 60, 30, 40, 0.95), rel=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metrics": "accurate"}, "is no metric"),
        ({"metrics": "recall[happy]"}, "has no class 'happy'"),
        ({"metrics": lambda y_true, y_pred: y_true == y_pred}, "returns ndarray"),
        ({"y_pred": [0, 1]}, "true labels"),
        ({"y_true": [None, 1, 0]}, "has no label"),
        ({"sensitive_features": ["a", None, "b"]}, "has no value"),
        ({"sensitive_features": ["a", "b"]}, "2 values for 3 faces"),
        ({"sensitive_features": {}}, "no feature"),
        ({"control_features": {"sensitive_feature_0": ["a", "b", "c"]}}, "two features"),
        ({"confidence": 95}, "not allowed"),
        ({"resamples": 1}, "not allowed"),
    ],
)
def test_what_cannot_be_computed_is_said(change: dict, message: str):
    case = {"metrics": "accuracy", "y_true": [0, 1, 1], "y_pred": [0, 1, 0], "sensitive_features": ["a", "b", "b"]}
    with pytest.raises(UserError, match=message):
        GapFrame(**(case | change))


def test_unknown_method():
    with pytest.raises(UserError, match="between_groups"):
        GapFrame(metrics="accuracy", **binary((5, 5))).difference(method="largest")


def test_example_of_the_docstring():
    assert doctest.testmod(gap_frame).failed == 0
