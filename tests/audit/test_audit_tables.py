"""The audit's tables against R on every data set of the oracle, and what they say of groups that are hard to judge."""

import numpy as np
import pandas as pd
import pytest
from oracle_cases import ARMS, DATASETS, answers, audited, faces, people_of, predictions_of

from fergap import tables
from fergap.audit import NAMES, audit
from fergap.audit.crude import fisher_and_mid_p

GROUPS = {"gender": ("female", "male"), "age": ("child", "adult")}


def rows(frame: pd.DataFrame, **wanted: str | int | None) -> pd.DataFrame:
    """The rows with these values; None asks for a missing one."""
    for column, value in wanted.items():
        frame = frame[frame[column].isna() if value is None else frame[column] == value]
    return frame


def row(frame: pd.DataFrame, **wanted: str | int | None) -> pd.Series:
    found = rows(frame, **wanted)
    assert len(found) == 1, found
    return found.iloc[0]


@pytest.mark.parametrize("name", DATASETS)
def test_every_table_keeps_its_schema_and_order_of_bounds(name, tmp_path):
    out = audited(name)
    assert tuple(out) == NAMES
    for table, frame in out.items():
        path = tmp_path / f"{table}.csv"
        tables.write(frame, path, table)
        pd.testing.assert_frame_equal(tables.read(path, table), frame, check_dtype=False, check_exact=False)
        if {"estimate", "ci_low", "ci_high"} <= set(frame):
            known = frame.dropna(subset=["estimate", "ci_low", "ci_high"])
            assert (known["ci_low"] <= known["estimate"] + 1e-12).all(), table
            assert (known["estimate"] <= known["ci_high"] + 1e-12).all(), table
        if "status" in frame:
            assert (
                not frame.loc[frame["status"].str.startswith("not"), "ci_low"].notna().any()
                if "ci_low" in frame
                else True
            )


@pytest.mark.parametrize("attribute", ["gender", "age"])
@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("name", DATASETS)
def test_group_metrics_equal_r(name, arm, attribute):
    r = answers()["datasets"][name][arm][attribute]["metrics"]
    found = rows(audited(name)["group_metrics"], arm=arm, attribute=attribute)
    for group, expected in r.items():
        own = rows(found, group=group)
        assert row(own, metric="accuracy")["estimate"] == pytest.approx(expected["accuracy"], abs=1e-12)
        for average in ("macro_all", "weighted"):
            for metric in ("precision", "recall", "f1"):
                if (metric, average) != ("recall", "weighted"):
                    value = row(own, metric=metric, average=average)["estimate"]
                    assert value == pytest.approx(expected[f"avg_{metric}"][average], abs=1e-12)
        balanced = row(own, metric="balanced_accuracy")["estimate"]
        assert balanced == pytest.approx(expected["balanced_accuracy"], abs=1e-12)
        for c, label in enumerate(answers()["datasets"][name]["classes"]):
            for metric in ("precision", "recall", "f1"):
                value = row(own, metric=metric, **{"class": label})["estimate"]
                if not np.isnan(value):  # R prints 0 for 0/0
                    assert value == pytest.approx(expected[metric][c], abs=1e-12)


@pytest.mark.parametrize("attribute", ["gender", "age"])
@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("name", DATASETS)
def test_gaps_effects_tests_and_equivalence_equal_r(name, arm, attribute):
    r = answers()["datasets"][name][arm][attribute]
    two, strata = r["two_proportion"], r["stratified_by_class"]
    out = {k: rows(v, arm=arm, attribute=attribute) for k, v in audited(name).items() if {"arm", "attribute"} <= set(v)}
    pair = dict(zip(("group", "reference"), GROUPS[attribute], strict=True))

    gap = row(out["gaps"], metric="accuracy", primary=1, **pair)
    assert gap[["estimate", "ci_low", "ci_high"]].tolist() == pytest.approx(
        [two["gap"], *two["newcombe_formula"]], abs=1e-9
    )
    adjusted = row(out["gaps"], adjusted_for="class", method="mantel-haenszel", **pair)
    assert adjusted["estimate"] == pytest.approx(strata["mh_rd_metafor"]["estimate"], abs=1e-9)
    for label, expected in strata["per_class"].items():
        recall = row(out["gaps"], metric="recall", **pair, **{"class": label})
        if "gap" in expected:
            assert recall["estimate"] == pytest.approx(expected["gap"], abs=1e-12)
        else:
            assert recall["status"].startswith("not estimable: 0 faces of the class")

    exact = row(out["tests"], primary=1, **pair)
    assert exact["p_value"] == pytest.approx(strata["mantelhaen_exact"]["p_value"], rel=1e-7)
    assert exact["p_adjusted"] >= exact["p_value"]
    assert row(out["tests"], test="cmh", **pair)["p_value"] == pytest.approx(strata["mantelhaen"]["p_value"], rel=1e-7)

    assert row(out["effects"], effect="cohen_h")["estimate"] == pytest.approx(two["cohen_h"], rel=1e-7, abs=1e-9)
    for effect in ("risk_ratio", "odds_ratio"):
        found = row(out["effects"], effect=effect)
        expected = two[f"{effect}_formula"]
        if found["status"] == "ok" and "0.5" not in found["method"] and isinstance(expected, float):
            values = found[["estimate", "ci_low", "ci_high"]].tolist()
            assert values == pytest.approx([expected, *two[f"{effect}_log_ci_formula"]], rel=1e-7)
        elif "0.5" in found["method"]:
            assert found["estimate"] == pytest.approx(two["odds_ratio_haldane_formula"], rel=1e-7)

    equivalence = row(out["equivalence"], **pair)
    assert equivalence["p_value"] == pytest.approx(two["tost_mn_score_formula"]["m05"], abs=1e-7)
    assert equivalence["smallest_margin"] == pytest.approx(max(map(abs, two["newcombe90_formula"])), abs=1e-9)


def test_small_p_values_come_from_the_right_test():
    out = audited("o3_tiny3")["tests"]
    assert set(rows(out, attribute="age", **{"class": None})["test"]) >= {"class-stratified exact", "boschloo", "cmh"}


@pytest.mark.parametrize("name", DATASETS)
def test_changes_equal_r(name):
    r = answers()["datasets"][name]["paired"]
    out = audited(name)
    for attribute, groups in GROUPS.items():
        for group in groups:
            found = rows(out["changes"], attribute=attribute, group=group)
            expected = r[attribute][group]
            midp, exact = row(found, test="mcnemar mid-p"), row(found, test="mcnemar exact")
            assert midp["estimate"] == pytest.approx(expected["change"], abs=1e-12)
            assert midp["p_value"] == pytest.approx(expected["midp_formula"], rel=1e-7)
            assert exact["p_value"] == pytest.approx(expected["exact_binom_p"], rel=1e-7)
        change = row(out["gap_changes"], attribute=attribute, metric="accuracy", primary=1)
        assert change["estimate"] == pytest.approx(r[attribute]["did_formula"]["estimate"], abs=1e-12)
        assert change["gap_after"] - change["gap_before"] == pytest.approx(change["estimate"], abs=1e-12)
        counts = [r[attribute][g][k] for g in groups for k in ("n10", "n01")]
        assert change["method"] == ("mover bonett-price" if min(counts) < 5 else "welch")
    everyone = row(out["changes"], attribute="all", test="mcnemar mid-p")
    assert everyone["p_value"] == pytest.approx(r["overall"]["midp_formula"], rel=1e-7)


def test_holm_runs_over_the_attributes_of_an_arm():
    out = rows(audited("o1_seedlike")["tests"], primary=1, arm="before")
    p = dict(zip(out["attribute"], out["p_value"], strict=True))
    adjusted = dict(zip(out["attribute"], out["p_adjusted"], strict=True))
    assert adjusted["gender"] == pytest.approx(2 * p["gender"])
    assert adjusted["age"] == pytest.approx(p["age"])


def test_three_groups_have_two_pairs_in_one_family():
    out = audited("o7_clustered")
    gaps = rows(out["gaps"], arm="before", attribute="race", metric="accuracy", primary=1)
    assert gaps[["group", "reference"]].to_numpy().tolist() == [["black", "asian"], ["white", "asian"]]
    r = answers()["datasets"]["o7_clustered"]["before"]["race"]
    accuracy = dict(zip(r["groups"], r["acc"], strict=True))
    assert gaps["estimate"].tolist() == pytest.approx([accuracy[g] - accuracy["asian"] for g in ("black", "white")])
    assert len(rows(out["tests"], arm="before", family="gap")) == 4


def small_audit(frame: pd.DataFrame, **more) -> dict[str, pd.DataFrame]:
    options = {"attributes": ["age"], "reference": {"age": "adult"}, "resamples": 200} | more
    return audit(predictions_of(frame), people_of(frame), **options)


def test_groups_of_a_combination_join_those_of_its_parts():
    frame = faces("o7_clustered")
    options = {"attributes": ["gender", "age", "gender*age"], "reference": {"gender": "male", "age": "adult"}}
    out = small_audit(frame, **options)
    both = rows(out["group_metrics"], arm="before", attribute="gender*age", metric="accuracy")
    own = frame[(frame["gender"] == "female") & (frame["age"] == "child")]
    found = row(both, group="female*child")
    assert found["n"] == len(own)
    assert found["count"] == (own["true"] == own["pred_before"]).sum()
    assert set(rows(out["gaps"], attribute="gender*age")["reference"]) == {"male*adult"}
    assert set(rows(out["tests"], attribute="gender*age", primary=1)["family"]) == {"intersection"}
    assert "female child faces" in " ".join(rows(out["verdicts"], attribute="gender*age")["sentence"])


def test_declared_groups_appear_without_faces():
    out = small_audit(faces("o7_clustered"), groups={"age": ["child", "adult", "elder"]})
    for table in ("group_metrics", "gaps", "tests", "effects", "equivalence", "verdicts"):
        own = rows(out[table], group="elder")
        assert len(own)
        assert own["status"].str.startswith("not estimable: 0 faces").all(), table
    assert len(rows(out["confusion"], group="elder")) == 2 * 16
    assert set(rows(out["verdicts"], group="elder")["verdict"]) == {"not estimable"}


def test_a_group_of_three_is_counted_and_not_compared():
    out = small_audit(faces("o3_tiny3"), contrasts=[{"before": "before", "after": "after"}])
    accuracy = row(out["group_metrics"], arm="before", group="child", metric="accuracy")
    # binom.test(1, 3)$conf.int
    assert (accuracy["ci_low"], accuracy["ci_high"]) == pytest.approx((0.00840375865961264, 0.905700675949754))
    assert accuracy["method"] == "clopper-pearson"
    for table in ("gaps", "effects", "tests", "equivalence", "gap_changes", "verdicts"):
        assert set(out[table]["status"]) == {"not estimable: 3 faces of child"}, table
    assert rows(out["changes"], group="child")["status"].tolist() == ["not estimable: 3 faces"] * 4


def test_a_group_of_twenty_has_no_bootstrap_interval():
    out = small_audit(faces("o4_allcorrect_group"))
    gaps = rows(out["gaps"], arm="before", class_=None) if "class_" in out["gaps"] else rows(out["gaps"], arm="before")
    bootstrap = gaps[gaps["method"].str.startswith("bootstrap")]
    assert bootstrap["ci_low"].isna().all()
    assert not (bootstrap["status"] == "ok").any()
    assert row(gaps, metric="accuracy", method="newcombe")["status"] == "ok"


def test_a_plain_table_of_true_and_predicted_classes_is_enough():
    frame = faces("o1_seedlike")
    plain = frame[["image_id", "true"]].assign(predicted=frame["pred_before"])
    out = audit(plain, people_of(frame), attributes=["age"], resamples=200)
    assert set(out["gaps"]["reference"]) == {"adult"}  # the largest
    assert out["verdicts"]["arm"].tolist() == ["model"]
    chosen = row(out["checks"], check="reference")
    assert chosen["value"] == "adult (the largest group; none is configured)"
    assert set(out["optimism"]["status"]) == {"not estimable: no predictions of training faces"}


def test_unknown_groups_are_counted_and_left_out():
    frame = faces("o1_seedlike")
    people = people_of(frame)
    people.loc[people.index[:100], "group"] = None
    people.loc[people.index[-50:], "group"] = None
    out = audit(predictions_of(frame), people, attributes=["gender", "age"], resamples=200)
    unknown = rows(out["checks"], check="faces of unknown group")
    assert unknown["value"].tolist() == ["100 of 2,710", "50 of 2,710"]
    assert unknown["verdict"].tolist() == ["look", "look"]
    n = rows(out["group_metrics"], arm="before", attribute="gender", metric="accuracy")["n"]
    assert n.sum() == 2610
    assert row(out["group_metrics"], arm="before", attribute="all", metric="accuracy")["n"] == 2710


def test_the_first_replicate_carries_the_tests_and_the_others_show_the_spread():
    frame = faces("o1_seedlike")
    first = predictions_of(frame)
    again = first.assign(seed=9, predicted=first["true"])
    both = (
        small_audit(frame),
        audit(
            pd.concat([first, again]), people_of(frame), attributes=["age"], reference={"age": "adult"}, resamples=200
        ),
    )
    pd.testing.assert_frame_equal(both[0]["verdicts"], both[1]["verdicts"])
    found = rows(both[1]["replicates"], arm="before", fold=None)
    assert found["seed"].tolist() == [1, 9]
    gap = answers()["datasets"]["o1_seedlike"]["before"]["age"]["two_proportion"]["gap"]
    assert found["gap"].tolist() == pytest.approx([gap, 0])
    folds = rows(both[1]["replicates"], arm="before").dropna(subset="fold")
    assert len(folds) == 10
    assert folds["n_group"].sum() == 497


def test_optimism_compares_training_faces_with_out_of_fold_ones():
    frame = faces("o1_seedlike")
    test = predictions_of(frame)
    train = test.assign(role="train", predicted=test["true"])
    out = audit(pd.concat([test, train, train.assign(fold=99)]), people_of(frame), attributes=["age"], resamples=200)
    child = row(out["optimism"], arm="before", group="child")
    assert (child["n"], child["in_sample"]) == (497, 1.0)
    assert child["out_of_fold"] == pytest.approx(366 / 497)
    assert child["optimism"] == pytest.approx(1 - 366 / 497)


def test_probabilities_are_checked():
    frame = predictions_of(faces("o7_clustered"))
    classes = sorted(frame["true"].unique())
    for c in classes:
        frame[f"p_{c}"] = np.where(frame["predicted"] == c, 0.7, 0.1)
    frame.loc[0, [f"p_{c}" for c in classes]] = [0.1 if c == frame.loc[0, "predicted"] else 0.3 for c in classes]
    out = audit(frame, people_of(faces("o7_clustered")), attributes=["age"], resamples=200)
    found = rows(out["checks"], check="probabilities")
    assert found["value"].str.extract(r"(\d+) largest")[0].tolist() == ["1", "0"]
    assert found["verdict"].tolist() == ["look", "ok"]


def test_a_sample_annotated_where_the_model_is_better_is_noticed():
    frame = faces("o1_seedlike")
    right = frame["true"] == frame["pred_before"]
    people = people_of(frame)
    people.loc[~np.tile(right | (frame.index % 3 == 0), 2), "group"] = None
    out = audit(predictions_of(frame), people, attributes=["age"], resamples=200)
    found = row(out["checks"], check="annotated faces against the rest", arm="before")
    assert found["verdict"] == "look"


@pytest.mark.parametrize("table", [[[5, 0], [7, 0]], [[0, 12], [0, 3]]])
def test_answers_that_are_all_alike_are_no_evidence_at_all(table):
    assert fisher_and_mid_p(np.array(table)) == (1.0, 1.0)
