"""How biased models are: hand calculations, what group-blind models get, intervals that cover, ranks."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fergap.audit import audit
from fergap.audit.clusters import cluster_codes
from fergap.audit.confusion_bias import (
    CORRECTED,
    Moves,
    interval,
    left_out_of_treatment,
    moved,
    squares,
    sums,
    together,
)
from fergap.audit.engine import as_table
from fergap.audit.inputs import make_sample
from fergap.audit.model_bias import PUBLISHED, SCORE, model_bias, published, ratio_interval, shared_faces, weighted
from fergap.audit.model_bias_ranks import model_bias_ranks, rank_sets
from fergap.audit.settings import Settings

# two groups, two classes: recalls 0.8 and 0.5 of class 0, 0.9 and 0.9 of class 1
BY_HAND = np.array([[[8, 2], [2, 18]], [[5, 5], [1, 9]]])
BOTH = np.array([True, True])


def test_the_printed_equations_by_hand():
    found = {key: float(value) for key, value in published(BY_HAND).items()}
    # class 0: TPR .8, .5; FPR .1, .1; class 1: TPR .9, .9; FPR .2, .5; selected 10/30, 6/20; 20/30, 14/20
    assert found["equal_opportunity", "max"] == pytest.approx(0.3)
    assert found["equal_opportunity", "mean"] == pytest.approx(0.15)
    assert found["equal_opportunity", "sd"] == pytest.approx(0.15)
    assert found["equalized_odds", "max"] == pytest.approx(0.3)
    assert found["equalized_odds", "mean"] == pytest.approx(0.3)
    assert found["demographic_parity", "max"] == pytest.approx(1 / 30)
    # FNR/FPR: .2/.1, .5/.1; .1/.2, .1/.5; FN/FP: 2/2, 5/1; 2/2, 1/5
    assert found["treatment_equality_rates", "max"] == pytest.approx(3.0)
    assert found["treatment_equality_counts", "max"] == pytest.approx(4.0)
    assert found["treatment_equality_counts", "mean"] == pytest.approx((4 + 0.8) / 2)
    assert found[SCORE, ""] == pytest.approx((0.3 + 0.3 + 1 / 30 + 3) / 4)


def test_the_corrected_metrics_by_hand():
    found = squares(BY_HAND, BOTH)
    mix = np.array([20, 30]) / 50
    noise = {0: 0.8 * 0.2 / 9 + 0.5 * 0.5 / 9, 1: 0.9 * 0.1 / 19 + 0.9 * 0.1 / 9}
    assert found["equal_opportunity"] == pytest.approx(mix[0] * (0.3**2 - noise[0]) + mix[1] * (0 - noise[1]))
    # with two classes a row's two cells differ alike
    assert found["equalized_odds"] == pytest.approx(found["equal_opportunity"])
    # share predicted as class 0 at the common mix: .4 · .8 + .6 · .1 and .4 · .5 + .6 · .1
    parity = 0.12**2 - (0.4**2 * noise[0] + 0.6**2 * noise[1])
    assert found["demographic_parity"] == pytest.approx(parity)
    # misses over errors of class 0: .08/.14 and .2/.26; of class 1 the other way round
    apart = (0.08 / 0.14 - 0.2 / 0.26) ** 2
    assert sums(3 * BY_HAND, BOTH)["treatment_equality"][0] == pytest.approx(apart)

    # the errors are functions of two independent recalls r and s, .4 (1 − r) and .6 (1 − s)
    def slope(m, f, n0, n1, r, s):
        return (f * 0.4) ** 2 * r * (1 - r) / n0 + (m * 0.6) ** 2 * s * (1 - s) / n1

    variance = slope(0.08, 0.06, 29, 59, 0.8, 0.9) / 0.14**4 + slope(0.2, 0.06, 29, 29, 0.5, 0.9) / 0.26**4
    assert sums(3 * BY_HAND, BOTH)["treatment_equality"][1] == pytest.approx(variance)


def test_more_groups_are_compared_two_by_two():
    table = np.array([[[9, 1], [2, 8]], [[6, 4], [3, 7]], [[4, 6], [5, 5]]])
    recalls = np.array([[0.9, 0.8], [0.6, 0.7], [0.4, 0.5]])
    pairs = [(recalls[a] - recalls[b]) ** 2 for a, b in ((0, 1), (0, 2), (1, 2))]
    assert sums(table, BOTH)["equal_opportunity"][0] == pytest.approx(np.mean(pairs))


def test_a_class_that_is_left_out_and_one_without_errors():
    table = np.zeros((2, 3, 3), int)
    table[:, 0, 0], table[:, 1, 1], table[:, 1, 0], table[0, 2, 2] = 10, 8, 2, 9
    classes = np.array([True, True, False])
    assert squares(table, classes)["equal_opportunity"] == pytest.approx(-0.5 * 2 * 0.16 / 9)
    # 2 errors in each group are fewer than 5
    assert left_out_of_treatment(table, classes).tolist() == [True, True, False]
    assert np.isnan(squares(table, classes)["treatment_equality"])
    assert np.isnan(squares(table, np.zeros(3, bool))["equalized_odds"])


ROWS = np.array([[0.7, 0.2, 0.1], [0.2, 0.6, 0.2], [0.1, 0.3, 0.6]])
FACES = np.array([[240, 100, 60], [80, 160, 80], [40, 40, 120]])  # groups show other classes


def drawn(rows, stream, faces=FACES, size=()):
    """Tables of groups that hold these faces of each class, predicted by (groups, classes, classes) probabilities."""
    rows = np.broadcast_to(rows, (len(faces), *rows.shape[-2:]))
    return stream.multinomial(faces, rows, (*size, *faces.shape))


def test_a_group_blind_model_scores_nothing_once_corrected_and_much_as_published():
    tables = drawn(ROWS, np.random.default_rng(1), size=(8_000,))
    for metric, values in squares(tables, np.ones(3, bool)).items():
        error = values.std() / np.sqrt(len(values))
        # the delta method leaves a little to treatment equality
        assert abs(values.mean()) < 4 * error + (2e-4 if metric == "treatment_equality" else 0), metric
    values = published(tables)
    assert values["equal_opportunity", "max"].mean() > 0.1
    exact = published(np.broadcast_to(ROWS, (3, 3, 3)) * FACES[..., None])
    assert exact["equal_opportunity", "max"] == pytest.approx(0)
    assert exact["demographic_parity", "max"] > 0.2  # the labels' own difference
    assert exact["equalized_odds", "max"] > 0.03  # false alarms of a class mix the others


def moves_of(table, stream, draws=500):
    classes = np.ones(table.shape[-1], bool)
    weights = stream.standard_gamma(table, (draws, *table.shape))
    pairs = moved(table, weights, classes, table.sum(-1))
    return {name: Moves(*sums(table, classes)[name], *pair) for name, pair in pairs.items()}


def coverage(rows, studies, seed):
    """The share of intervals that hold the truth, and that have a lower end above 0, by metric."""
    stream, truth = (
        np.random.default_rng(seed),
        squares(np.broadcast_to(rows, (3, 3, 3)) * FACES[..., None] * 1e9, np.ones(3, bool)),
    )
    truth[SCORE] = np.mean(list(truth.values()))
    held, above = dict.fromkeys(truth, 0), dict.fromkeys(truth, 0)
    for _ in range(studies):
        found = moves_of(drawn(rows, stream), stream)
        found[SCORE] = together(list(found.values()))
        for metric, one in found.items():
            low, high = interval(one, 0.95)
            held[metric] += low - 1e-6 <= np.sqrt(max(truth[metric], 0)) <= high + 1e-6
            above[metric] += low > 0
    return {m: n / studies for m, n in held.items()}, {m: n / studies for m, n in above.items()}


def test_without_bias_intervals_hold_zero_as_often_as_they_say():
    held, above = coverage(ROWS, 200, 2)
    assert min(held.values()) > 0.975 - 3 * np.sqrt(0.025 * 0.975 / 200)
    assert max(above.values()) < 0.025 + 3 * np.sqrt(0.025 * 0.975 / 200)


@pytest.mark.parametrize("size", [0.08, 0.25])
def test_with_bias_intervals_hold_it(size):
    rows = np.stack([ROWS, ROWS, ROWS])
    rows[2] += size * np.array([[-1, 0.5, 0.5], [0.5, -1, 0.5], [0.5, 0.5, -1]])
    held, above = coverage(rows, 200, 3)
    assert min(held.values()) > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 200)
    assert size < 0.2 or min(above[m] for m in ("equalized_odds", "equal_opportunity", SCORE)) > 0.9


def test_weights_vary_as_the_unbiased_variance_says():
    stream, table = np.random.default_rng(4), 3 * BY_HAND
    found = moves_of(table, stream, 40_000)
    for metric in CORRECTED:
        assert found[metric].square.mean() == pytest.approx(found[metric].noise, rel=0.03), metric


def test_nothing_to_see_has_an_interval_from_zero():
    flat = Moves(0.0, 0.0, np.zeros(100), np.linspace(0, 0.01, 100))
    low, high = interval(flat, 0.95)
    assert (low, high) == (0, pytest.approx(np.sqrt(0.0095), rel=0.01))
    lucky = Moves(1e-4, 2e-3, np.zeros(1000), np.linspace(1e-3, 3e-3, 1000))
    assert interval(lucky, 0.95)[1] > 0.01


def test_an_interval_of_a_ratio_is_not_made_by_a_few_resamples():
    stream = np.random.default_rng(8)
    normal = stream.normal(3, 0.5, 4000)
    assert ratio_interval(3.0, normal, 0.95) == pytest.approx((3 - 1.96 * 0.5, 3 + 1.96 * 0.5), abs=0.08)
    ratios = 2 / stream.standard_gamma(1.0, 4000)  # without a mean
    assert ratio_interval(2.0, ratios, 0.95)[1] < 20 < 2 + 1.96 * ratios.std()


def test_weighted_tables_share_their_weights():
    cells = [np.array([0, 1, 1, -1]), np.array([0, 0, 1, 1])]
    ((one, other),) = weighted(cells, [2, 2], np.arange(4), np.array([1, 2, 3, 4]), 50, np.random.default_rng(0))
    assert one.shape == other.shape == (50, 2)
    # cells of the first: face 0, faces 1 and 2; of the second: faces 0 and 1, faces 2 and 3
    assert (other[:, 0] > one[:, 0]).all()
    assert one[:, 1].mean() == pytest.approx(5, rel=0.3)


@st.composite
def estimates(draw):
    """Numbers of 2 … 6 arms and their resamples."""
    m = draw(st.integers(2, 6))
    stream = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    spread = stream.standard_normal((200, m)) * stream.uniform(0.01, 0.3, m) + stream.standard_normal((200, 1)) * 0.1
    return stream.normal(0, 0.5, m), spread


@given(estimates(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_sets_of_ranks_hold_the_rank_and_do_not_depend_on_the_order_of_arms(found, random):
    values, deviations = found
    ranks = rank_sets(values, deviations, 0.95)
    assert (ranks.low <= ranks.rank).all()
    assert (ranks.rank <= ranks.high).all()
    order = list(range(len(values)))
    random.shuffle(order)
    turned = rank_sets(values[order], deviations[:, order], 0.95)
    for one, other in zip(ranks, turned, strict=True):
        assert one[order].tolist() == other.tolist()


@given(estimates())
@settings(max_examples=40, deadline=None)
def test_identical_arms_share_their_ranks(found):
    values, deviations = found
    twice = rank_sets(np.append(values, values[0]), np.column_stack([deviations, deviations[:, 0]]), 0.95)
    for ends in twice:
        assert ends[0] == ends[-1]


def test_ranks_by_hand():
    deviations = np.random.default_rng(0).normal(0, 0.01, (2000, 3))
    far = rank_sets(np.array([0.3, 0.9, 0.6]), deviations, 0.95)
    assert [x.tolist() for x in far] == [[3, 1, 2]] * 3
    near = rank_sets(np.array([0.3, 0.31, 0.6]), deviations, 0.95)
    assert [x.tolist() for x in near] == [[3, 2, 1], [2, 2, 1], [3, 3, 1]]
    same = rank_sets(np.array([0.3, 0.3]), np.zeros((100, 2)), 0.95)
    assert [x.tolist() for x in same] == [[1, 1], [1, 1], [2, 2]]


def test_all_sets_hold_all_true_ranks_as_often_as_they_say():
    stream, truth, held = np.random.default_rng(6), np.array([0.5, 0.5, 0.52, 0.6]), 0
    best, worst = 1 + (truth > truth[:, None]).sum(1), (truth >= truth[:, None]).sum(1)
    for _ in range(400):
        noise = stream.normal(0, 0.02, (300, 4)) + stream.normal(0, 0.05, (300, 1))
        ranks = rank_sets(truth + stream.normal(0, 0.02, 4) + stream.normal(0, 0.05), noise, 0.95)
        held += (ranks.low <= best).all() and (ranks.high >= worst).all()
    assert held / 400 > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 400)


def study(arms, n=900, seed=7, biased=("third",)):
    """Arms of rising accuracy that see who is in the picture only if they are ``biased``."""
    stream = np.random.default_rng(seed)
    ids = [f"f{i}" for i in range(n)]
    gender, age = stream.choice(["female", "male"], n), stream.choice(["child", "adult", "old"], n, p=[0.2, 0.5, 0.3])
    sad = (stream.random(n) < 0.1) & (gender == "female")
    true = np.where(sad, "sad", stream.choice(["happy", "sad", "calm"], n))
    hard, out = stream.random(n), []
    for i, arm in enumerate(arms):
        chance = 0.6 + 0.05 * i - (0.35 * (age == "child") if arm in biased else 0)
        right = 0.5 * hard + 0.5 * stream.random(n) < chance
        predicted = np.where(right, true, stream.choice(["happy", "sad", "calm"], n))
        out.append(pd.DataFrame({"arm": arm, "image_id": ids, "true": true, "predicted": predicted}))
    people = pd.concat(
        pd.DataFrame({"image_id": ids, "attribute": a, "group": g}) for a, g in (("gender", gender), ("age", age))
    )
    return pd.concat(out, ignore_index=True), people


def biased_by(predictions, people, attributes=("gender", "age", "gender*age"), arms=None, **more):
    """The two tables of a study."""
    sample = make_sample(predictions, people, attributes=attributes, reference={}, groups={}, arms=arms, classes=None)
    asked = {"margin": 0.05, "confidence": 0.95, "resamples": 500, "minimum_faces": 10, "seed": 3, "contrasts": ()}
    clusters = more.pop("clusters", None)
    sample = replace(sample, clusters=cluster_codes(sample.faces, people, clusters))
    chosen = Settings(**asked | more)
    found = shared_faces(sample, chosen)
    rows = {
        "model_bias": list(model_bias(sample, found, chosen)),
        "model_bias_ranks": list(model_bias_ranks(sample, found, chosen)),
    }
    return {name: as_table(made, name) for name, made in rows.items()}


@pytest.fixture(scope="module")
def out():
    return audit(*study(["first", "second", "third"]), attributes=["gender", "age"], resamples=500, seed=3)


def chosen(table, **values):
    for column, value in values.items():
        table = table[table[column].isna() if value is None else table[column] == value]
    return table


def test_the_planted_bias_is_found_and_no_other(out):
    table = out["model_bias"]
    assert set(table["status"]) == {"ok"}
    for arm in ("first", "second", "third"):
        for attribute in ("gender", "age"):
            (row,) = chosen(table, arm=arm, attribute=attribute, metric="equalized_odds", form="corrected").itertuples()
            planted = (arm, attribute) == ("third", "age")
            assert (row.p_adjusted < 0.02, row.ci_low > 0.1) == (planted, planted)
    (row,) = chosen(table, arm="first", attribute="age", metric=SCORE, form="published").itertuples()
    assert row.expected > 0.2
    assert row.p_value > 0.05
    assert abs(row.excess - (row.estimate - row.expected)) < 1e-12


def test_ranks_tell_the_biased_arm_and_no_other(out):
    ranks = out["model_bias_ranks"]
    own = chosen(ranks, attribute="age", metric="equalized_odds", form="corrected").set_index("arm")
    assert own.index[0] == "third"
    assert own.loc["third", ["rank_low", "rank_high", "like_least_biased"]].tolist() == [1, 1, 0]
    assert own.loc["first", ["rank_low", "rank_high", "like_most_biased"]].tolist() == [2, 3, 0]
    gender = chosen(ranks, attribute="gender", metric="equalized_odds", form="corrected")
    assert gender["like_most_biased"].all()
    assert gender["like_least_biased"].all()


def test_numbers_are_those_of_the_fairness_table(out):
    ours, theirs = out["model_bias"], out["fairness"]
    for metric, name in PUBLISHED.items():
        for row in chosen(ours, metric=metric, form="published", summary="max").itertuples():
            found = chosen(theirs, arm=row.arm, attribute=row.attribute, metric=name, **{"class": None})
            found = found[found["summary"].isin(["max", "max_defined"])].iloc[-1]
            assert row.estimate == pytest.approx(found["estimate"])
            assert row.decided_by == found["decided_by"]


def test_scores_are_means_of_their_parts(out):
    table = chosen(out["model_bias"], arm="second", form="published")
    score = chosen(table, metric=SCORE).set_index("attribute")["estimate"]
    assert score["all"] == pytest.approx((score["gender"] + score["age"]) / 2)
    four = chosen(table, attribute="age", summary="max").set_index("metric")["estimate"]
    assert score["age"] == pytest.approx(four.drop("treatment_equality_counts").mean())


def test_the_order_of_arms_does_not_matter():
    predictions, people = study(["first", "second", "third"])
    first = biased_by(predictions, people)
    turned = biased_by(predictions, people, arms=["third", "first", "second"])
    key = ["arm", "attribute", "metric", "form", "summary"]
    for table, keys in (("model_bias", key), ("model_bias_ranks", key[:4])):
        one, other = (
            o[table].drop(columns="arms", errors="ignore").fillna({"summary": ""} if "summary" in o[table] else {})
            for o in (first, turned)
        )
        pd.testing.assert_frame_equal(one.set_index(keys).sort_index(), other.set_index(keys).sort_index(), rtol=1e-9)


def test_an_arm_and_its_copy_are_not_told_apart():
    predictions, people = study(["first", "third"])
    copy = predictions[predictions["arm"] == "third"].assign(arm="copy")
    ranks = biased_by(pd.concat([predictions, copy], ignore_index=True), people)["model_bias_ranks"]
    for _, group in ranks.groupby(["attribute", "metric", "form"]):
        own = group.set_index("arm")[["rank", "rank_low", "rank_high", "estimate"]]
        assert own.loc["copy"].tolist() == pytest.approx(own.loc["third"].tolist(), abs=1e-9)


def test_arms_of_other_faces_are_ranked_on_those_that_they_share():
    predictions, people = study(["first", "third"])
    fewer = predictions[(predictions["arm"] == "first") | predictions["image_id"].str[1:].astype(int).lt(600)]
    found = biased_by(fewer, people)
    assert set(found["model_bias_ranks"]["n"]) == {600}
    whole = chosen(found["model_bias"], attribute="all").groupby("arm")["n"].first()
    assert whole.to_dict() == {"first": 900, "third": 600}


def test_clusters_widen_the_intervals():
    predictions, people = study(["third"])
    kind = predictions["true"] + people.loc[people["attribute"] == "age", "group"].to_numpy()
    kind = kind + (predictions["true"] == predictions["predicted"]).astype(str)
    cluster = kind + (kind.groupby(kind).cumcount() // 3).astype(str)  # three faces alike, all right or all wrong
    cluster = pd.Series(cluster.to_numpy(), index=predictions["image_id"])
    alone, sets = (
        chosen(
            biased_by(predictions, people, ["age"], clusters=cluster, bootstrap=b)["model_bias"],
            metric="equal_opportunity",
            form="corrected",
        ).iloc[0]
        for b in ("stratified", "clustered")
    )
    assert sets["ci_high"] - sets["ci_low"] > 1.2 * (alone["ci_high"] - alone["ci_low"])
    assert sets["estimate"] < alone["estimate"]


def test_what_cannot_be_estimated_says_why():
    predictions, people = study(["first", "third"], n=200)
    people = people.assign(group=people["group"].where(people["attribute"] == "age", "female"))
    perfect = predictions["true"].where(predictions["arm"] == "first", predictions["predicted"])
    right = predictions.assign(predicted=perfect)
    found = biased_by(right, people, ["gender", "age"])
    table = found["model_bias"]
    assert set(chosen(table, attribute="gender")["status"]) == {"not estimable: one group alone"}
    own = chosen(table, arm="first", attribute="age")
    (ratio,) = chosen(own, metric="treatment_equality_rates", summary="max").itertuples()
    assert ratio.status == "not estimable: in every class a group has no false positive"
    scores = chosen(own, metric=SCORE).set_index("form")["status"]
    assert scores["published"] == "not estimable: no treatment equality rates"
    assert scores["corrected"] == "not estimable: treatment equality: in every class a group has fewer than 5 errors"
    exact = chosen(own, metric="equal_opportunity", form="corrected").iloc[0]
    assert (exact["estimate"], exact["p_value"]) == (0, 1)
    assert exact["status"] == "interval not estimable: every resample is as what was found"
    assert exact[["ci_low", "ci_high"]].isna().all()  # few faces all right are no proof of no bias
    assert not (table["ci_high"] - table["ci_low"] < 1e-12).any()
    ranks = chosen(found["model_bias_ranks"], attribute="age", metric="treatment_equality")
    assert ranks["status"].tolist() == ["not estimable: no other arm has it"]
    few = chosen(biased_by(right, people, ["age"], minimum_faces=90)["model_bias"], attribute="age")
    assert set(few["status"]) == {"not estimable: fewer than 90 faces in all groups but one"}
    assert few["left_out"].str.startswith("child (").all()
