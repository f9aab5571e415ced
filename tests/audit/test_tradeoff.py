"""Accuracy and gap of arms together: regions, the Pareto front, and each arm against the baseline."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from fergap.audit import audit
from fergap.audit.multiplicity import holm
from fergap.audit.settings import Contrast
from fergap.audit.tradeoff import baselines, first_baseline, pareto_front

PAIR = ["arm", "attribute", "group", "reference"]


def made(n=3000, seed=4):
    """Arms on the same faces: a gap of 12 points that one arm halves, one closes by losing, one does not touch."""
    draw = np.random.default_rng(seed)
    true = draw.choice(["a", "b", "c"], n)
    wrong = np.where(true == "a", "b", "a")
    child = draw.random(n) < 0.25
    known = draw.random(n) < 0.9
    ids = np.array([f"{i:05d}" for i in range(n)])
    hard = draw.normal(size=n)
    tables = []
    for arm, of_adults, of_children in [
        ("baseline", 0.70, 0.58),
        ("helped", 0.70, 0.68),
        ("levelled", 0.58, 0.58),
        ("same", 0.70, 0.58),
        ("elsewhere", 0.70, 0.60),
    ]:
        noise = draw.normal(size=n)
        ease = np.where(child, of_children, of_adults)
        right = (hard + 0.3 * noise) / math.sqrt(1.09) < pd.Series(ease).map(
            {p: float(np.quantile(np.random.default_rng(0).normal(size=200_000), p)) for p in set(ease)}
        )
        table = pd.DataFrame({"image_id": ids, "true": true, "predicted": np.where(right, true, wrong), "arm": arm})
        tables.append(table[: n // 2] if arm == "elsewhere" else table)
    people = pd.DataFrame({"image_id": ids, "attribute": "age", "group": np.where(child, "child", "adult")})
    people.loc[~known, "group"] = None
    copy = tables[0].assign(arm="copy")
    return pd.concat([*tables, copy], ignore_index=True), people


def audited(predictions, people, **more):
    more = {"attributes": ["age"], "reference": {"age": "adult"}, "resamples": 2000, "margin": 0.03} | more
    return audit(predictions, people, **more)


@pytest.fixture(scope="module")
def out():
    pairs = [{"before": "baseline", "after": after} for after in ("helped", "levelled")]
    return audited(*made(), contrasts=pairs)


@pytest.fixture(scope="module")
def rows(out):
    return out["tradeoff"].set_index("arm")


def test_the_front_is_what_no_other_arm_dominates():
    accuracy = np.array([0.60, 0.65, 0.70, 0.70, 0.64, 0.60])
    size = np.array([0.00, 0.02, 0.05, 0.04, 0.02, 0.00])
    # the second beats the fifth, the fourth the third; the first and the last are equal and both stay
    assert pareto_front(accuracy, size).tolist() == [True, True, False, True, False, True]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=6))
@settings(max_examples=50, deadline=None)
def test_the_front_by_definition(arms):
    def dominates(one, other):
        return one[0] >= other[0] and one[1] <= other[1] and one != other

    expected = [not any(dominates(one, arm) for one in arms) for arm in arms]
    accuracy, size = np.array(arms, float).T / 4
    assert pareto_front(accuracy, size).tolist() == expected
    assert pareto_front(np.stack([accuracy] * 3), np.stack([size] * 3)).tolist() == [expected] * 3


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_statsmodels(p_values):
    assert holm(p_values) == pytest.approx(np.minimum(multipletests(p_values, method="holm")[1], 1), abs=1e-15)


def test_the_first_baseline_is_what_most_contrasts_start_from():
    arms = ["a", "b", "c"]
    assert first_baseline([], arms) == "a"
    assert first_baseline([Contrast("b", "a"), Contrast("c", "a"), Contrast("c", "b")], arms) == "c"


def test_each_arm_is_held_against_what_its_contrast_starts_from():
    arms = list("abcdef")
    assert baselines([], arms, "a") == dict.fromkeys(arms, "a")
    assert baselines([Contrast("a", "b")], arms, "a") == dict.fromkeys(arms, "a")  # others against the first
    families = [Contrast("a", "b"), Contrast("a", "c"), Contrast("d", "e")]
    assert baselines(families, arms, "a") == {"a": "a", "b": "a", "c": "a", "d": "d", "e": "d", "f": "a"}
    chain = [Contrast("a", "b"), Contrast("b", "c"), Contrast("a", "c")]  # of two contrasts, the more frequent start
    assert baselines(chain, list("abc"), "a") == {"a": "a", "b": "a", "c": "a"}
    circle = [Contrast("a", "b"), Contrast("b", "a")]
    assert baselines(circle, ["a", "b"], "a") == {"a": "a", "b": "a"}


def test_arms_of_two_families_are_told_as_their_own_contrasts_tell_them():
    pairs = [{"before": "baseline", "after": "helped"}, {"before": "copy", "after": "levelled"}]
    out = audited(*made(), contrasts=pairs)
    found = out["tradeoff"].set_index("arm")
    assert found["baseline"].to_dict() == {
        "baseline": "baseline",
        "helped": "baseline",
        "same": "baseline",
        "elsewhere": "baseline",
        "copy": "copy",
        "levelled": "copy",
    }
    assert set(found.index[found["verdict"] == "baseline"]) == {"baseline", "copy"}
    changes = out["gap_changes"].query("metric == 'accuracy' and primary == 1").set_index("after")
    for arm in ("helped", "levelled"):
        assert found.loc[arm, "gap_change"] == pytest.approx(changes.loc[arm, "estimate"])
        assert found.loc[arm, "sentence"].startswith((f"Against {found.loc[arm, 'baseline']}, {arm}", f"{arm} is"))
    tested = found["gap_p_value"].dropna()
    assert set(tested.index) == {"helped", "same", "levelled"}  # one family of all
    assert found.loc[tested.index, "gap_p_adjusted"].tolist() == pytest.approx(holm(tested.tolist()))


def test_the_region_is_that_of_the_binomial_counts(out, rows):
    predictions, people = made()
    groups = people.set_index("image_id")["group"].fillna("unknown")
    own = predictions[predictions["arm"] == "baseline"].set_index("image_id")
    right = (own["true"] == own["predicted"]).groupby(groups).agg(["mean", "size"])
    variance = right["mean"] * (1 - right["mean"]) / right["size"]
    share = right["size"] / right["size"].sum()
    row = rows.loc["baseline"]
    accuracy, gap = math.sqrt((share**2 * variance).sum()), math.sqrt(variance["child"] + variance["adult"])
    together = share["child"] * variance["child"] - share["adult"] * variance["adult"]
    assert row["accuracy"] == pytest.approx((share * right["mean"]).sum())
    assert row["gap"] == pytest.approx(right.loc["child", "mean"] - right.loc["adult", "mean"])
    # of 2,000 resamples: relative standard error of a standard deviation 1.6 %, of a correlation at most 0.022
    assert row["se_accuracy"] == pytest.approx(accuracy, rel=0.07)
    assert row["se_gap"] == pytest.approx(gap, rel=0.07)
    assert row["correlation"] == pytest.approx(together / (accuracy * gap), abs=0.09)
    found = out["group_metrics"].query("metric == 'accuracy' and attribute == 'all' and arm == 'baseline'")
    assert row["accuracy"] == found["estimate"].item()


def test_declared_contrasts_are_told_as_their_own_tables_tell_them(out, rows):
    changes = out["changes"].query("attribute == 'all' and primary == 1").set_index("after")
    gaps = out["gap_changes"].query("metric == 'accuracy' and primary == 1").set_index("after")
    verdicts = out["verdicts"].query("contrast == contrast").set_index("after")
    for arm in ("helped", "levelled"):
        row = rows.loc[arm]
        columns = ["accuracy_change", "accuracy_change_low", "accuracy_change_high", "accuracy_p_value"]
        assert row[columns].tolist() == changes.loc[arm, ["estimate", "ci_low", "ci_high", "p_value"]].tolist()
        columns = ["gap", "gap_change", "gap_change_low", "gap_change_high", "gap_p_value", "method"]
        other = ["gap_after", "estimate", "ci_low", "ci_high", "p_value", "method"]
        assert row[columns].tolist() == gaps.loc[arm, other].tolist()
        assert row["levelling_down"] == verdicts.loc[arm, "levelling_down"]
    assert rows["levelling_down"].loc[["helped", "levelled"]].tolist() == [0, 1]


def test_p_values_are_adjusted_over_the_arms(out, rows):
    own = rows.loc[["helped", "levelled", "same", "copy"]]
    for kind in ("accuracy", "gap"):
        expected = multipletests(own[f"{kind}_p_value"], method="holm")[1]
        assert own[f"{kind}_p_adjusted"].tolist() == pytest.approx(np.minimum(expected, 1))
    ledger = out["multiplicity"].query("table == 'tradeoff'")
    assert ledger.groupby("family")["m"].agg(["size", "max"]).to_dict("index") == {
        "accuracy against the baseline": {"size": 4, "max": 4},
        "gap against the baseline, child − adult": {"size": 4, "max": 4},
    }


def test_what_is_not_shown_to_differ_is_called_indistinguishable(rows):
    assert rows.loc["copy", ["accuracy_change", "gap_change"]].tolist() == [0, 0]
    assert rows.loc["copy", ["accuracy_p_adjusted", "gap_p_adjusted"]].tolist() == [1, 1]
    assert rows.loc[["same", "copy"], "indistinguishable"].tolist() == [1, 1]
    assert rows.loc[["helped", "levelled"], "indistinguishable"].tolist() == [0, 0]
    assert rows.loc["copy", "verdict"] == "indistinguishable from the baseline"
    assert "copy is indistinguishable from baseline in accuracy" in rows.loc["copy", "sentence"]
    assert rows.loc["helped", "verdict"].startswith("gap: narrowed")
    assert rows.loc["levelled", "verdict"] == "gap: narrowed; accuracy: lower"
    assert "levelling down, adult faces lost" in rows.loc["levelled", "sentence"]
    assert math.isnan(rows.loc["baseline", "indistinguishable"])


def test_a_gap_that_changed_sign_is_a_change():
    # children 79 % and adults 81 % before; 89 % and 81 % after
    counts = {"child": (3900, 50, 550, 500), "adult": (8000, 100, 100, 1800)}
    right = np.concatenate([np.repeat([[1, 1], [1, 0], [0, 1], [0, 0]], n, axis=0) for n in counts.values()])
    group = np.repeat(list(counts), [sum(n) for n in counts.values()])
    ids = [f"{i:05d}" for i in range(len(group))]
    tables = [
        pd.DataFrame({"image_id": ids, "arm": arm, "true": "a", "predicted": np.where(right[:, i], "a", "b")})
        for i, arm in enumerate(("baseline", "turned"))
    ]
    people = pd.DataFrame({"image_id": ids, "attribute": "age", "group": group})
    row = audited(pd.concat(tables), people)["tradeoff"].set_index("arm").loc["turned"]
    assert (row["verdict"], row["indistinguishable"]) == ("gap: reversed; accuracy: higher", 0)
    assert "turned changed the sign of the gap between child faces and adult faces" in row["sentence"]


def test_the_front_and_how_sure_it_is(rows):
    own = rows[rows["status"] == "ok"]
    assert own["front"].tolist() == pareto_front(own["accuracy"].to_numpy(), own["gap"].abs().to_numpy()).tolist()
    assert own["front_share"].between(0, 1).all()
    assert own["front_share"].sum() >= 1
    # a copy stands and falls with its original
    assert own.loc["copy", "front_share"] == own.loc["baseline", "front_share"]
    assert own.loc["helped", "front_share"] > 0.9 > own.loc["baseline", "front_share"]


def test_an_arm_on_other_faces_is_not_estimable(out, rows):
    assert rows.loc["elsewhere", "status"].startswith("not estimable: other faces")
    assert rows.loc["elsewhere", ["accuracy", "gap", "front"]].isna().all()
    told = out["not_estimable"].query("table == 'tradeoff'")
    assert told[["arm", "group", "reference"]].to_numpy().tolist() == [["elsewhere", "child", "adult"]]


def test_few_faces_have_no_region_and_fewer_no_row():
    predictions, people = made(n=200)
    few = people.assign(group=np.where(np.arange(len(people)) < 20, "child", "adult"))
    found = audited(predictions, few)["tradeoff"].set_index("arm")
    assert found.loc["baseline", "status"] == "interval not estimable: fewer than 30 faces"
    assert found.loc["baseline", ["se_gap", "front_share"]].isna().all()
    assert found.loc["helped", ["gap_change", "gap_p_adjusted", "front"]].notna().all()
    few = people.assign(group=np.where(np.arange(len(people)) < 4, "child", "adult"))
    found = audited(predictions, few)["tradeoff"]
    assert set(found["verdict"]) == {"not estimable"}
    assert found.loc[0, "status"] == "not estimable: 4 faces of child"


def test_copies_of_a_face_widen_the_region_only_where_they_are_drawn_together():
    predictions, people = made(n=400)
    parts, groups = [], []
    for i, copy in itertools.product([0], range(4)):
        parts.append(predictions.assign(image_id=predictions["image_id"] + f"-{i}{copy}"))
        groups.append(people.assign(image_id=people["image_id"] + f"-{i}{copy}", cluster_id=people["image_id"]))
    predictions, people = pd.concat(parts), pd.concat(groups)
    found = {b: audited(predictions, people, bootstrap=b)["tradeoff"] for b in ("stratified", "plain", "clustered")}
    se = {b: frame.set_index("arm").loc["baseline", ["se_accuracy", "se_gap"]] for b, frame in found.items()}
    assert (se["plain"] / se["stratified"]).astype(float).between(0.9, 1.15).all()
    assert (se["clustered"] / se["plain"]).astype(float).between(1.8, 2.2).all()


def test_one_arm_is_compared_with_nothing():
    predictions, people = made(n=200)
    assert audited(predictions[predictions["arm"] == "same"], people)["tradeoff"].empty
