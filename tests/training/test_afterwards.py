"""Arms made of other arms' predictions: averages of seeds, temperatures and thresholds fitted on validation faces."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from fergap import tables
from fergap.errors import UserError
from fergap.training.afterwards import (
    AFTERWARDS,
    GOALS,
    SHARPNESS,
    derive,
    derive_predictions,
    equal_recall,
    fit_shares,
    fit_temperature,
    likelihood,
    told,
)
from fergap.training.plan import AFTER

CLASSES = ("angry", "happy", "sad")
COLUMNS = [f"p_{c}" for c in CLASSES]
UNIT = ["seed", "repeat", "fold"]
OPTIONS = [
    {"temperature": {"by": "age"}},
    {"temperature": {}},
    *({"thresholds": {"by": "gender*age", "goal": goal, "minimum": 5}} for goal in GOALS),
]


def made(count=600, seeds=(1,), folds=2, seed=0, true_t=None, scale=1.5):
    """Predictions whose logits are T times too large for each age, every role, and who is who (a tenth unknown)."""
    draw = np.random.default_rng(seed)
    ids = np.array([f"f{i:05d}" for i in range(count)])
    age = draw.choice(["adult", "child"], count, p=[0.7, 0.3]).astype(object)
    gender = draw.choice(["female", "male"], count).astype(object)
    factor = np.array([(true_t or {}).get(a, 1.0) for a in age])
    age[draw.random(count) < 0.1] = "unknown"
    parts = []
    label = None
    for s in seeds:
        for fold in range(folds):
            logits = draw.normal(0, scale, (count, 3)) + 0.5 * (gender == "male")[:, None] * np.array([1, 0, -1])
            if label is None:
                chance = softmax(logits, axis=1).cumsum(1)
                label = (draw.random(count)[:, None] > chance).sum(1)
            p = softmax(logits * factor[:, None], axis=1)
            role = np.where(np.arange(count) % folds == fold, "test", "train").astype(object)
            role[(np.arange(count) // folds) % 3 == 0] = "validation"
            role[np.arange(count) % folds == fold] = "test"
            head = {"arm": "baseline", "image_id": ids, "seed": s, "repeat": 0, "fold": fold, "role": role}
            names = np.array(CLASSES, object)
            head |= {"true": names[label], "predicted": names[p.argmax(1)]}
            parts.append(pd.DataFrame(head | {c: p[:, i] for i, c in enumerate(COLUMNS)}))
    people = pd.DataFrame({"age": age, "gender": gender}, index=pd.Index(ids))
    return tables.check(pd.concat(parts, ignore_index=True), "predictions", "made"), people


def of(options):
    return {"name": "after", "from": "baseline"} | options


def test_the_names_of_the_options_and_their_order_are_those_of_the_plan():
    assert tuple(AFTERWARDS) == AFTER


@pytest.mark.parametrize("true", [0.5, 1.0, 2.5])
def test_the_temperature_behind_logits_is_found(true):
    draw = np.random.default_rng(1)
    logits = draw.normal(0, 1.5, (100_000, 4))
    labels = (draw.random(len(logits))[:, None] > softmax(logits, axis=1).cumsum(1)).sum(1)
    found = np.exp(fit_temperature(log_softmax(logits * true, axis=1), labels)[0])
    assert found == pytest.approx(true, rel=0.02)


def test_the_temperature_of_three_faces_by_hand():
    # two classes, log-odds 1, two of three right: softmax(1/T) = 2/3 where 1/T = log 2
    log_p = log_softmax(np.array([[1.0, 0.0]] * 3), axis=1)
    found = np.exp(fit_temperature(log_p, np.array([0, 0, 1]))[0])
    assert found == pytest.approx(1 / np.log(2), rel=1e-5)
    assert np.exp(fit_temperature(log_p, np.array([0, 0, 0]))[0]) == pytest.approx(np.exp(-3), rel=1e-3)


def test_each_group_has_its_temperature_and_the_predicted_class_stays():
    frame, people = made(12_000, true_t={"adult": 1.0, "child": 3.0}, folds=1)
    frame["role"] = np.where(np.arange(len(frame)) % 2, "validation", "test")
    out, found = derive(frame, people, of({"temperature": {"by": "age"}}))
    value = found.set_index("group")["value"]
    assert value["child"] == pytest.approx(3, rel=0.15)
    assert value["adult"] == pytest.approx(1, rel=0.15)
    assert value["adult"] < value["all"] < value["child"]
    assert (out["predicted"] == frame["predicted"]).all()
    age = people["age"].loc[frame["image_id"]].to_numpy()
    for group, name in (("child", "child"), ("unknown", "all")):
        rows = age == group
        right = softmax(np.log(frame.loc[rows, COLUMNS]) / value[name], axis=1)
        np.testing.assert_allclose(out.loc[rows, COLUMNS], right, atol=1e-12)


def test_small_groups_share_what_all_faces_have_and_the_log_says_so():
    frame, people = made(600)
    few = {"temperature": {"by": "age", "minimum": 40}, "thresholds": {"by": "age", "goal": "likelihood"}}
    _, found = derive(frame, people, of(few))
    table = tables.check(found, "adjustments", "here")
    small = table[(table["quantity"] == "temperature") & (table["group"] == "child")]
    assert small["status"].str.match(r"that of all faces: \d\d validation faces").all()
    pooled = table[(table["quantity"] == "temperature") & (table["group"] == "all")]
    assert small["value"].tolist() == pooled["value"].tolist()
    lines = told(found)
    assert len(lines) == 1
    assert lines[0].startswith("temperature of age child: that of all faces in 2 of 2 networks")


@pytest.mark.parametrize("options", OPTIONS)
def test_at_strength_0_every_bit_is_as_it_was(options):
    frame, people = made(300)
    ((name, setting),) = options.items()
    out, found = derive(frame, people, of({name: setting | {"strength": 0}}))
    assert (out[COLUMNS].to_numpy() == frame[COLUMNS].to_numpy()).all()
    pd.testing.assert_frame_equal(out, frame.assign(arm="after"), check_dtype=False)
    assert set(found["value"]) == ({1.0} if name == "temperature" else {0.0})
    moved, _ = derive(frame, people, of(options))
    assert (moved[COLUMNS] != frame[COLUMNS]).to_numpy().mean() > 0.5
    half, _ = derive(frame, people, of({name: setting | {"strength": 0.5}}))
    assert (half[COLUMNS] != moved[COLUMNS]).to_numpy().mean() > 0.5


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(OPTIONS), st.integers(0, 2**32 - 1))
def test_validation_faces_alone_are_read(options, seed):
    frame, people = made(240)
    out, found = derive(frame, people, of(options))
    draw, other = np.random.default_rng(seed), frame.copy()
    unseen = np.flatnonzero(frame["role"] != "validation")
    other.loc[unseen, "true"] = draw.choice(CLASSES, len(unseen))
    test = np.flatnonzero(frame["role"] == "test")
    other.loc[test, COLUMNS] = softmax(draw.normal(size=(len(test), 3)), axis=1)
    again, same = derive(other, people, of(options))
    pd.testing.assert_frame_equal(found, same)
    kept = frame["role"] != "test"
    assert (again.loc[kept, COLUMNS] == out.loc[kept, COLUMNS]).all(axis=None)
    assert (again.loc[kept, "predicted"] == out.loc[kept, "predicted"]).all()


@pytest.mark.parametrize("options", OPTIONS)
def test_probabilities_sum_to_one_and_the_likeliest_class_is_predicted(options):
    frame, people = made(300)
    frame.loc[3, COLUMNS] = [1.0, 0.0, 0.0]
    frame.loc[3, "predicted"] = CLASSES[0]
    out, _ = derive(frame, people, of(options))
    np.testing.assert_allclose(out[COLUMNS].sum(axis=1), 1, atol=1e-12)
    assert (np.array(CLASSES)[out[COLUMNS].to_numpy().argmax(1)] == out["predicted"]).all()


def test_folds_together_equal_each_fold_alone():
    frame, people = made(300, seeds=(1, 2))
    for options in OPTIONS:
        whole, _ = derive(frame, people, of(options))
        alone = [derive(part, people, of(options))[0] for _, part in frame.groupby(UNIT, sort=False)]
        pd.testing.assert_frame_equal(whole, pd.concat(alone, ignore_index=True))


def test_the_offsets_of_given_shares_are_where_any_other_minimiser_finds_them():
    draw = np.random.default_rng(3)
    log_p = log_softmax(draw.normal(0, 1, (400, 3)), axis=1)
    for target, sharpness in (([0.2, 0.3, 0.5], 1.0), ([0.2, 0.3, 0.5], SHARPNESS), ([0.05, 0.9, 0.05], SHARPNESS)):
        b = fit_shares(log_p, np.array(target), sharpness)
        shares = softmax((log_p + b) / sharpness, axis=1).mean(0)
        np.testing.assert_allclose(shares, target, atol=1e-6)

        def off(free, target=target, sharpness=sharpness):
            moved = softmax((log_p + np.array([0.0, *free])) / sharpness, axis=1).mean(0)
            return ((moved - target) ** 2).sum()

        other = minimize(off, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-16}).x
        np.testing.assert_allclose(b - b[0], [0, *other], atol=1e-4)


def test_equal_shares_brings_predicted_classes_together():
    frame, people = made(9000, folds=1, scale=1)
    frame["role"] = np.where(np.arange(len(frame)) % 2, "validation", "test")
    out, _ = derive(frame, people, of({"thresholds": {"by": "gender", "goal": "equal_shares"}}))
    gender = people["gender"].loc[frame["image_id"]].to_numpy()

    def gap(table, role):
        part = table["role"] == role
        shares = pd.crosstab(gender[part], table.loc[part, "predicted"], normalize="index")
        return np.abs(shares.loc["male"] - shares.loc["female"]).max()

    assert gap(frame, "validation") > 0.15
    assert gap(out, "validation") < 0.02
    assert gap(out, "test") < 0.05


def test_likelihood_makes_the_mean_probability_the_share_of_labels():
    draw = np.random.default_rng(4)
    log_p = log_softmax(draw.normal(0, 1, (500, 3)), axis=1)
    labels = draw.choice(3, 500, p=[0.6, 0.4, 0])
    b = likelihood(log_p, labels)(log_p, labels)
    wanted = (np.bincount(labels, minlength=3) + 0.5) / 501.5
    np.testing.assert_allclose(softmax(log_p + b, axis=1).mean(0), wanted, atol=1e-6)


def test_equal_recall_takes_back_a_shift_that_one_group_has():
    draw = np.random.default_rng(5)
    labels = draw.integers(0, 3, 30_000)
    log_p = log_softmax(2 * np.eye(3)[labels] + draw.normal(0, 1.2, (len(labels), 3)), axis=1)
    shift = np.array([0.8, 0.0, -0.8])
    # the group is a small part of all, so what all have is next to what they have without the shift
    whole = np.concatenate([log_p, log_softmax(log_p[:1000] + shift, axis=1)])
    known = np.concatenate([labels, labels[:1000]])
    b = equal_recall(whole, known)(whole[-1000:], known[-1000:])
    np.testing.assert_allclose(b - b.mean(), -shift, atol=0.15)
    nothing = equal_recall(whole, known)(whole, known)
    assert (nothing == 0).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_equal_recall_is_never_worse_on_its_own_faces(seed):
    draw = np.random.default_rng(seed)
    log_p = log_softmax(draw.normal(0, 2, (200, 4)), axis=1)
    labels, own = draw.integers(0, 4, 200), slice(0, 60)

    def recalls(b, rows):
        p = softmax((log_p[rows] + b) / SHARPNESS, axis=1)
        known = labels[rows]
        return np.array([p[known == c, c].mean() if (known == c).any() else 0 for c in range(4)])

    weight = np.bincount(labels[own], minlength=4) / 60
    target = recalls(np.zeros(4), slice(None))
    b = equal_recall(log_p, labels)(log_p[own], labels[own])
    before, after = (weight @ (recalls(x, own) - target) ** 2 for x in (np.zeros(4), b))
    assert after <= before + 1e-12


def test_an_ensemble_is_the_mean_over_seeds_by_hand():
    head = {"arm": "baseline", "repeat": 0, "fold": 0, "true": "happy"}
    rows = [
        head | {"image_id": "b", "seed": 5, "role": "test", "p": (0.6, 0.4, 0.0)},
        head | {"image_id": "a", "seed": 5, "role": "validation", "p": (0.5, 0.3, 0.2)},
        head | {"image_id": "a", "seed": 2, "role": "validation", "p": (0.1, 0.3, 0.6)},
        head | {"image_id": "b", "seed": 2, "role": "test", "p": (0.2, 0.7, 0.1)},
    ]
    frame = pd.DataFrame(
        [{k: v for k, v in r.items() if k != "p"} | dict(zip(COLUMNS, r["p"], strict=True)) for r in rows]
    )
    frame["predicted"] = np.array(CLASSES)[frame[COLUMNS].to_numpy().argmax(1)]
    out, found = derive(frame, pd.DataFrame(index=["a", "b"]), of({"ensemble": "seeds"}))
    assert out[["image_id", "seed", "predicted"]].to_numpy().tolist() == [["b", 5, "happy"], ["a", 5, "sad"]]
    np.testing.assert_allclose(out[COLUMNS], [[0.4, 0.55, 0.05], [0.3, 0.3, 0.4]])
    assert found[["quantity", "n", "value"]].to_numpy().tolist() == [["seeds averaged", 1, 2]]
    with pytest.raises(UserError, match="seed 2 predicts other faces, or splits them otherwise, than seed 5"):
        derive(frame.assign(role=["test", "validation", "test", "test"]), pd.DataFrame(), of({"ensemble": "seeds"}))
    with pytest.raises(UserError, match="seed 2 predicts other faces"):
        derive(frame.iloc[:3], pd.DataFrame(), of({"ensemble": "seeds"}))
    with pytest.raises(UserError, match="one seed alone"):
        derive(frame.iloc[:2], pd.DataFrame(), of({"ensemble": "seeds"}))


def test_options_together_are_one_after_the_other():
    frame, people = made(300, seeds=(3, 4))
    steps = {"ensemble": "seeds", "temperature": {"by": "age"}, "thresholds": {"by": "gender", "goal": "equal_recall"}}
    once, found = derive(frame, people, of(dict(reversed(steps.items()))))
    one_by_one = frame
    for name, setting in steps.items():
        one_by_one, _ = derive(one_by_one, people, of({name: setting}))
    pd.testing.assert_frame_equal(once, one_by_one)
    assert found["quantity"].unique().tolist() == ["seeds averaged", "temperature", "offset"]
    assert set(once["seed"]) == {3}


def test_what_cannot_be_done_is_told():
    frame, people = made(60)
    with pytest.raises(UserError, match="after: temperature: by: there is no attribute 'race'"):
        derive(frame, people, of({"temperature": {"by": "race"}}))
    with pytest.raises(UserError, match="fold 0 has no validation face"):
        derive(frame.assign(role="test"), people, of({"temperature": {}}))


def test_files(tmp_path, capsys):
    frame, wide = made(120, folds=3)
    packs = []
    for fold, part in frame.groupby("fold"):
        packs.append(tmp_path / f"{fold}.parquet")
        tables.write(part, packs[-1], "predictions")
    people = wide.rename_axis("image_id").reset_index().melt("image_id", var_name="attribute", value_name="group")
    people = people[people["group"] != "unknown"].assign(value=np.nan, confidence=1.0, annotator="made")
    tables.write(people, tmp_path / "people.parquet", "people")
    arm = of({"temperature": {"by": "age", "minimum": 20}})
    out = [tmp_path / "out.parquet", tmp_path / "adjustments.csv"]
    derive_predictions(arm, packs, tmp_path / "people.parquet", *out)
    said, found = derive(frame, wide, arm)
    pd.testing.assert_frame_equal(tables.read(out[0], "predictions"), said, check_dtype=False)
    assert len(tables.read(out[1], "adjustments")) == len(found) == 3 * 3
    assert "arm after: temperature of age child: that of all faces in 3 of 3 networks" in capsys.readouterr().err
