"""How far raters agree: published examples, hand calculations, invariants, rows of the audit."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa

from fergap.audit.agreement import agreement, agreement_confusion, kappa, nominal_alpha
from fergap.audit.engine import as_table
from fergap.audit.inputs import make_sample
from fergap.audit.settings import Settings

SETTINGS = Settings(0.03, 0.95, 500, 5, 1, ())


def units(*observers):
    """Counts of answers by unit from each observer's line of answers, a dot where there is none."""
    values = sorted(set("".join(observers)) - {"."})
    return np.array([[sum(o[i] == v for o in observers) for v in values] for i in range(len(observers[0]))])


# Each number to three digits is the one printed; all its digits are those of the package krippendorff 0.9.0:
# krippendorff.alpha(reliability_data=rows with nan where there is a dot, level_of_measurement="nominal")
@pytest.mark.parametrize(
    ("observers", "alpha"),
    [
        # Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability": A, binary, two observers, 0.095
        (("0100000010", "1110010000"), 0.09523809523809534),
        # B, nominal, two observers, 0.692
        (("aabbdcccedda", "babbbccceddd"), 0.6919642857142858),
        # C, any number of observers and missing answers, nominal metric, 0.743
        (("123321412...", "1233224125.3", ".3332342251.", "12332441251."), 0.743421052631579),
        # three observers, en.wikipedia.org/wiki/Krippendorff's_alpha, "A computational example", 0.691
        ((".....34121133.3", "1.213343.......", "..21344.21133.4"), 0.691358024691358),
        # five who answer at random, and not always
        (
            (
                "..baaaaaa.baa...aababa.ab.a..ababaaa.aab",
                "abaabbbaa.a.a.a.babbbaababbabaababb..b.a",
                "b.aba.aaaab..a.a.aaa..abaaba.aaaaaa..aab",
                ".ababbbbbaaaaaaab.aaabb.aba.a.bbbaaaaba.",
                "ababbbbababba.b.aaaaaa.abaaabbbaaa.abaaa",
            ),
            -0.07577279321504293,
        ),
    ],
)
def test_alpha_of_published_examples_and_as_a_package_has_it(observers, alpha):
    assert nominal_alpha(units(*observers))[0] == pytest.approx(alpha, abs=1e-12)


def test_kappa_by_hand():
    # (Po − Pe)/(1 − Pe) with Po = 35/50 and Pe = (25·30 + 25·20)/50²
    estimate, low, high = kappa(np.array([[20, 5], [10, 15]]), 0.95)
    assert estimate == pytest.approx((0.7 - 0.5) / 0.5)
    # Fleiss, Cohen and Everitt (1969): P = .4 .1 / .2 .3, rows .5 .5, columns .6 .4, kappa .4
    k, p, rows, columns = 0.4, np.array([[0.4, 0.1], [0.2, 0.3]]), (0.5, 0.5), (0.6, 0.4)
    a = sum(p[i, i] * (1 - (rows[i] + columns[i]) * (1 - k)) ** 2 for i in (0, 1))
    b = (1 - k) ** 2 * sum(p[i, j] * (columns[i] + rows[j]) ** 2 for i, j in ((0, 1), (1, 0)))
    se = np.sqrt((a + b - (k - 0.5 * (1 - k)) ** 2) / (50 * (1 - 0.5) ** 2))
    assert (high - low) / 2 == pytest.approx(1.959964 * se, rel=1e-6)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=9, max_size=9))
def test_kappa_is_that_of_statsmodels_or_one_rater_gave_one_answer(counts):
    table = np.array(counts).reshape(3, 3)
    found = kappa(table, 0.95)
    if (table.sum(1) == table.sum()).any() or (table.sum(0) == table.sum()).any():
        assert np.isnan(found).all()
        return
    # statsmodels warns where rounding makes a variance of nothing negative
    with np.errstate(all="ignore"):
        other = cohens_kappa(table)
    half = 1.959964 * np.sqrt(max(0, other.var_kappa))
    expected = (other.kappa, max(-1, other.kappa - half), min(1, other.kappa + half))
    assert found == pytest.approx(expected, abs=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(*[st.sampled_from("ab.")] * 3), min_size=2, max_size=30), st.randoms())
def test_alpha_does_not_depend_on_order_and_is_at_most_one(faces, random):
    observers = ["".join(rater) for rater in zip(*faces, strict=True)]
    table = np.array([[sum(o[i] == v for o in observers) for v in "ab"] for i in range(len(faces))])
    alpha = nominal_alpha(table)[0]
    shuffled = list(range(len(faces)))
    random.shuffle(shuffled)
    for other in (table[shuffled], table[:, ::-1], table[table.sum(1) > 1]):
        np.testing.assert_allclose(nominal_alpha(other)[0], alpha)
    assert np.isnan(alpha) or alpha <= 1 + 1e-12
    twice = nominal_alpha(table, np.array([np.full(len(table), 2)]))[0]
    np.testing.assert_allclose(nominal_alpha(np.vstack([table, table]))[0], twice)


def study(answers, true):
    """A sample of faces and the table of answers, {(annotator, time): answers, a dot where there is none}."""
    ids = [f"f{i}" for i in range(len(true))]
    predictions = pd.DataFrame({"image_id": ids, "true": true, "predicted": true})
    people = pd.DataFrame({"image_id": ids, "attribute": "age", "group": ["a", "c"] * (len(ids) // 2)})
    sample = make_sample(
        predictions, people, attributes=["age"], reference={}, groups={}, arms=None, classes=sorted(set(true))
    )
    rows = [
        {"image_id": i, "attribute": "age", "answer": said, "rater": who, "adjudication": 0, "repeat": time}
        for (who, time), line in answers.items()
        for i, said in zip(ids, line, strict=True)
        if said != "."
    ]
    return sample, pd.DataFrame(rows)


def found(answers, true, options=SETTINGS):
    sample, raters = study(answers, true)
    return as_table(list(agreement(sample, raters, options)), "agreement"), as_table(
        list(agreement_confusion(raters)), "agreement_confusion"
    )


def one(rows, metric, among="all", **values):
    rows = rows[(rows["metric"] == metric) & (rows["among"] == among)]
    for column, value in values.items():
        rows = rows[rows[column].isna() if value is None else rows[column] == value]
    assert len(rows) == 1
    return rows.iloc[0]


def test_rows_of_two_raters_and_a_repeat():
    answers = {("ann", 0): "aaaaccccac", ("bob", 0): "aaacccccc.", ("ann", 1): "aaaac....."}
    rows, confusion = found(answers, list("xxxxxyyyyy"))
    assert one(rows, "percent_agreement", first="ann", second="bob")["estimate"] == pytest.approx(7 / 9)
    assert one(rows, "percent_agreement", first="ann", second="bob")["n"] == 9
    # a: ann 5 times, bob 3 times, together 3; c: ann 4, bob 6, together 4
    own = {"first": "ann", "second": "bob"}
    assert one(rows, "specific_agreement", answer="a", **own)["estimate"] == pytest.approx(6 / 8)
    assert one(rows, "specific_agreement", answer="c", **own)["estimate"] == pytest.approx(8 / 10)
    expected = (5 * 3 + 4 * 6) / 81
    assert one(rows, "cohens_kappa", answer=None, **own)["estimate"] == pytest.approx(
        (7 / 9 - expected) / (1 - expected)
    )
    assert one(rows, "percent_agreement", among="x", **own)["estimate"] == pytest.approx(4 / 5)
    assert one(rows, "percent_agreement", among="y", **own)["status"] == "not estimable: 4 faces that both answered"
    assert one(rows, "percent_agreement", first="ann", second="ann")["estimate"] == 1
    assert one(rows, "krippendorffs_alpha")["raters"] == 2
    cells = confusion.set_index(["first", "second", "first_group", "second_group"])["count"].sort_index()
    assert cells["ann", "bob"].to_dict() == {("a", "a"): 3, ("a", "c"): 2, ("c", "a"): 0, ("c", "c"): 4}
    assert cells["ann", "ann"].sum() == 5


def test_adjudications_are_no_raters_answers_and_are_counted():
    answers = {("ann", 0): "aaaaccccac", ("bob", 0): "aaacccccc.", ("ann", 1): "c........."}
    before, confusion = found(answers, list("xxxxxyyyyy"))
    differ = one(before, "answers_differ")
    assert differ["n"] == 9
    assert differ["estimate"] == pytest.approx(3 / 9)  # one of them with herself
    assert one(before, "adjudicated")[["n", "estimate"]].tolist() == [3, 0]
    assert "suggestion_shown" not in set(before["metric"])
    sample, raters = study(answers, list("xxxxxyyyyy"))
    decided = [
        {"image_id": i, "attribute": "age", "answer": "c", "rater": who, "adjudication": 1, "repeat": 0}
        for i, who in (("f0", "ann"), ("f3", "cleo"))
    ]
    more = pd.concat([raters.assign(suggestion_shown=[1.0] * 5 + [0.0] * 15), pd.DataFrame(decided)])
    after = as_table(list(agreement(sample, more, SETTINGS)), "agreement")
    assert one(after, "adjudicated")["estimate"] == pytest.approx(2 / 3)
    assert one(after, "suggestion_shown")[["n", "estimate"]].tolist() == [20, 0.25]
    rest = after[~after["metric"].isin(["adjudicated", "suggestion_shown"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(rest, before[before["metric"] != "adjudicated"].reset_index(drop=True))
    pd.testing.assert_frame_equal(as_table(list(agreement_confusion(more)), "agreement_confusion"), confusion)


def test_a_model_beside_two_people_counts_in_pairs_alone():
    people = {("ann", 0): "aaaaccccac", ("bob", 0): "aaacccccc."}
    alone, _ = found(people, list("xxxxxyyyyy"))
    sample, raters = study(people | {("machine", 0): "cacacacaca", ("drawn", 0): "aaaaaccccc"}, list("xxxxxyyyyy"))
    rows = as_table(list(agreement(sample, raters, SETTINGS, ["machine"])), "agreement")
    for metric in ("krippendorffs_alpha", "answers_differ"):
        columns = ["n", "estimate", "raters"]
        assert one(rows, metric)[columns].tolist() == one(alone, metric)[columns].tolist()
    assert one(rows, "percent_agreement", first="ann", second="machine")["n"] == 10
    # without two people, all who answered are compared
    less = as_table(list(agreement(sample, raters, SETTINGS, ["machine", "bob"])), "agreement")
    assert one(less, "krippendorffs_alpha")["raters"] == 4


def test_simulated_raters_are_recovered():
    """Two raters who err at random in 10 % and 20 %: kappa and alpha from the shares that follow."""
    rng, n, hits = np.random.default_rng(8), 300, 0
    agree = 0.9 * 0.8 + 0.1 * 0.2
    ann, bob = (0.7 * (1 - e) + 0.3 * e for e in (0.1, 0.2))
    chance = ann * bob + (1 - ann) * (1 - bob)
    truth = (agree - chance) / (1 - chance)
    for _ in range(100):
        child = rng.random(n) < 0.3
        tables = [np.where(child ^ (rng.random(n) < e), 1, 0) for e in (0.1, 0.2)]
        table = np.bincount(2 * tables[0] + tables[1], minlength=4).reshape(2, 2)
        _, low, high = kappa(table, 0.95)
        hits += low <= truth <= high
    assert hits >= 95 - 3 * np.sqrt(100 * 0.05 * 0.95)


def test_raters_who_share_no_face_or_say_one_thing():
    rows, confusion = found({("ann", 0): "aaaaa.....", ("bob", 0): ".....ccccc"}, list("xxxxxyyyyy"))
    assert rows.empty
    assert confusion.empty
    rows, _ = found({("ann", 0): "a" * 10, ("bob", 0): "a" * 10}, list("xxxxxyyyyy"))
    assert one(rows, "percent_agreement")["estimate"] == 1
    assert one(rows, "cohens_kappa", answer=None)["status"] == "not estimable: one of the two gave one answer alone"
    assert one(rows, "krippendorffs_alpha")["status"] == "not estimable: every answer alike"


def test_raters_who_never_differ_have_no_interval_of_no_width():
    rows, _ = found({("ann", 0): "ac" * 20, ("bob", 0): "ac" * 20}, ["x"] * 40)
    for metric in ("cohens_kappa", "krippendorffs_alpha"):
        row = one(rows, metric, **({"answer": None} if metric == "cohens_kappa" else {}))
        assert row["estimate"] == 1
        assert row["status"] == "interval not estimable: no answers that differ"
        assert np.isnan(row["ci_low"])
    share = one(rows, "percent_agreement")
    assert (share["estimate"], share["ci_high"]) == (1, 1)
    assert share["ci_low"] == pytest.approx(40 / (40 + 1.96**2), abs=1e-4)  # Wilson


def test_a_rater_whose_second_answers_alone_are_there_is_compared_with_nobody():
    rows, confusion = found({("ann", 0): "aaaaaccccc", ("bob", 1): "aaaaa....."}, ["x"] * 10)
    assert set(rows["metric"]) == {"answers_differ"}
    assert confusion.empty
    rows, _ = found({("ann", 0): "aaaaa.....", ("bob", 1): ".....ccccc"}, ["x"] * 10)
    assert rows.empty
