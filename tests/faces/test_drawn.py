"""The embedded source: drawn faces, their votes and their files."""

import csv

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from fergap.errors import UserError
from fergap.faces import taggers
from fergap.faces.cues import ADULT, CUES, EXPRESSIONS, SHARES, move, table
from fergap.faces.drawn import FER2013_CODES, FILES, USAGES, contact_sheet, correlation, draw, reencode, write
from fergap.faces.looks import looks
from fergap.faces.sketch import clutter, sketch

COUNT = 1200
EVEN = {"child_strength": 1.0, "child_style": 0.0, "gender_strength": 1.0}


@pytest.fixture(scope="module")
def settings_(config):
    return config["drawn"] | {"count": COUNT}


@pytest.fixture(scope="module")
def drawn(settings_):
    return draw(settings_, seed=7)


@pytest.fixture(scope="module")
def folder(drawn, tmp_path_factory):
    path = tmp_path_factory.mktemp("drawn")
    write(drawn, path)
    return path


def in_bounds(hits, n, share):
    low, high = binom.interval(1 - 1e-6, n, share)
    return low <= hits <= high


def move_all(expression, n=200, truth=EVEN, child=False, female=False, strength=1.0):
    full = np.full
    where = full(n, EXPRESSIONS.index(expression))
    rng = np.random.default_rng(3)
    return move(where, full(n, strength), full(n, child), full(n, female), truth, rng)


def test_same_seed_same_bytes_other_seed_other_faces(settings_, tmp_path):
    small = settings_ | {"count": 150}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write(draw(small, seed), tmp_path / name)
    for file in FILES:
        first, second, other = ((tmp_path / name / file).read_bytes() for name in "abc")
        assert first == second
        assert first != other


def test_rows_of_each_kind_are_as_configured(drawn, settings_):
    kinds = drawn.truth["kind"].value_counts()
    assert len(drawn.pixels) == COUNT == kinds.sum()
    assert kinds["exact"] == round(COUNT * settings_["exact_duplicates"])
    assert kinds["near"] == round(COUNT * settings_["near_duplicates"])
    assert kinds["not_a_face"] == round(COUNT * settings_["not_a_face"])


def test_people_are_drawn_with_the_configured_shares(drawn, settings_):
    faces = drawn.truth[drawn.truth["kind"] == "face"]
    assert in_bounds(faces["child"].sum(), len(faces), settings_["children"])
    assert in_bounds(faces["female"].sum(), len(faces), settings_["female"])
    for expression, share in zip(EXPRESSIONS, SHARES, strict=True):
        assert in_bounds((faces["expression"] == expression).sum(), len(faces), share)
    child = faces["child"].to_numpy(dtype=bool)
    assert faces["age_years"][child].between(3, 12).all()
    assert faces["age_years"][~child].between(20, 75).all()


def test_votes_sum_to_ten_or_are_missing(drawn, settings_):
    sums = drawn.votes[list(taggers.VOTES)].sum(axis=1)
    assert set(sums) == {0, 10}
    assert (sums == 0).sum() == round(COUNT * settings_["no_votes"])
    nothing = (drawn.truth["kind"] == "not_a_face").to_numpy()
    assert (drawn.votes["NF"][nothing] >= 9).all()
    assert (drawn.votes["Image name"][nothing] == "").all()
    assert (drawn.votes["Image name"][~nothing] != "").all()


def test_most_faces_have_a_majority_label_and_it_is_the_drawn_expression(drawn):
    voted = drawn.votes[list(EXPRESSIONS)].to_numpy()
    use = ((drawn.truth["kind"] != "not_a_face") & (voted.sum(axis=1) > 0)).to_numpy()
    labelled = use & (voted.max(axis=1) > 5)
    assert 0.84 < labelled.sum() / use.sum() < 0.95
    label = np.array(EXPRESSIONS)[voted.argmax(axis=1)]
    assert np.mean(label[labelled] == drawn.truth["expression"][labelled]) > 0.98


def test_every_class_of_both_schemes_has_faces(drawn):
    v = drawn.votes
    for expression in EXPRESSIONS:
        assert (v[expression] > 5).sum() > 20
    others = v[[e for e in EXPRESSIONS if e != "neutral"]].max(axis=1)
    assert (v["anger"] > 2).sum() > 20
    assert ((v["sadness"] == 0) & (v["anger"] == 0) & (v["neutral"] > others)).sum() > 20
    assert ((v["neutral"] > 6) & (v["sadness"] + v["anger"] > 0)).sum() > 20
    bored = (v["happiness"] == 0) & (v["fear"] == 0) & (v["sadness"] > v["anger"] + 2) & (v["neutral"] > 0)
    assert (bored & (v["neutral"] <= 6)).sum() > 20


def test_a_childs_votes_are_no_less_clear(settings_):
    truth = draw(settings_ | {"children": 0.5, "count": 600}, seed=1)
    voted = truth.votes[list(EXPRESSIONS)].max(axis=1)
    child = truth.truth["child"] == True  # noqa: E712 (missing where there is no face)
    adult = truth.truth["child"] == False  # noqa: E712
    assert abs(voted[child].mean() - voted[adult].mean()) < 0.5


def test_clearer_faces_get_more_of_the_right_votes():
    strength = np.linspace(0.6, 1, 9)
    for i in range(len(EXPRESSIONS)):
        chance = taggers.chances(np.full(9, i), strength)
        np.testing.assert_allclose(chance.sum(axis=1), 1)
        right = chance[:, taggers.VOTES.index(EXPRESSIONS[i])]
        assert (np.diff(right) > 0).all()
        assert (right == chance.max(axis=1)).all()


def test_duplicates_repeat_their_originals(drawn):
    truth = drawn.truth
    exact, near = (truth.index[truth["kind"] == kind] for kind in ("exact", "near"))
    origin = truth["original"].to_numpy()
    assert (truth["kind"][origin[exact]] == "face").all()
    np.testing.assert_array_equal(drawn.pixels[exact], drawn.pixels[origin[exact]])
    votes = drawn.votes[list(taggers.VOTES)].to_numpy()
    np.testing.assert_array_equal(votes[exact], votes[origin[exact]])
    r = correlation(drawn.pixels[near], drawn.pixels[origin[near]])
    assert (r > 0.94).all()
    assert (drawn.pixels[near] != drawn.pixels[origin[near]]).any(axis=(1, 2)).all()
    people = drawn.people.set_index("image_id").loc[drawn.votes["Image name"][exact]]
    same = drawn.people.set_index("image_id").loc[drawn.votes["Image name"][origin[exact]]]
    np.testing.assert_array_equal(people.to_numpy(), same.to_numpy())


def test_distinct_faces_hardly_ever_look_like_duplicates(drawn):
    x = drawn.pixels[drawn.truth["kind"] == "face"].reshape(-1, 48 * 48).astype(np.float64)
    x -= x.mean(axis=1, keepdims=True)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    r = np.triu(x @ x.T, 1)
    twins = np.unique(np.concatenate(np.nonzero(r > 0.9)))
    assert len(twins) < 0.01 * len(x)
    assert len(np.unique(x, axis=0)) == len(x)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 1))
def test_reencoded_pictures_stay_the_same_photograph(seed, blank):
    rng = np.random.default_rng(seed)
    pixels = clutter(6, rng) if blank else rng.integers(0, 256, (6, 48, 48), dtype=np.uint8)
    copy = reencode(pixels, rng)
    assert copy.dtype == np.uint8
    assert (copy != pixels).any(axis=(1, 2)).all()
    busy = pixels.std(axis=(1, 2)) > 5
    assert (correlation(pixels, copy)[busy] > 0.94).all()


def test_files_read_back_by_hand(drawn, folder):
    with open(folder / "fer2013.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["emotion", "pixels", "Usage"]
    pixels = np.array([row["pixels"].split(" ") for row in rows]).astype(np.int64)
    np.testing.assert_array_equal(pixels.reshape(-1, 48, 48), drawn.pixels)
    assert [int(row["emotion"]) for row in rows] == drawn.emotion.tolist()
    assert [row["Usage"] for row in rows] == drawn.usage.tolist()

    with open(folder / "fer2013new.csv", newline="") as file:
        votes = list(csv.reader(file))
    assert votes[0] == ["Usage", "Image name", *taggers.VOTES]
    assert [row[0] for row in votes[1:]] == drawn.usage.tolist()
    assert [[int(cell) for cell in row[2:]] for row in votes[1:]] == drawn.votes.iloc[:, 1:].to_numpy().tolist()
    names = [row[1] for row in votes[1:] if row[1]]
    assert names == [f"fer{i:07d}.png" for i in range(len(names))]

    people = pd.read_csv(folder / "people.csv")
    assert list(people.columns) == ["image_id", "gender", "age_years", "annotator"]
    assert people["image_id"].tolist() == names
    assert set(people["gender"]) == {"female", "male"}
    assert set(people["annotator"]) == {"drawn"}
    assert people["age_years"].between(3, 75).all()


def test_parts_follow_one_another_as_in_fer2013(drawn):
    order = [USAGES.index(usage) for usage in drawn.usage]
    assert order == sorted(order)
    assert set(order) == {0, 1, 2}


def test_fer2013_label_is_mostly_the_drawn_expression(drawn):
    face = (drawn.truth["kind"] == "face").to_numpy()
    label = np.array(FER2013_CODES)[drawn.emotion]
    assert 0.6 < np.mean(label[face] == drawn.truth["expression"][face]) < 0.9


def test_cues_of_expressions_differ():
    means = np.array([move_all(e).mean(axis=0) for e in EXPRESSIONS])
    away = np.linalg.norm(means[:, None] - means[None], axis=2)
    assert (away[~np.eye(len(EXPRESSIONS), dtype=bool)] > 0.5).all()
    np.testing.assert_allclose(means[EXPRESSIONS.index("neutral")], 0, atol=0.05)
    names = dict(zip(CUES, means[EXPRESSIONS.index("happiness")], strict=True))
    assert max(names, key=names.get) == "corner_pull"


def test_planted_parameters_scale_and_turn_the_cues():
    for expression in ADULT:
        adult = move_all(expression).mean(axis=0)
        np.testing.assert_allclose(move_all(expression, child=True).mean(axis=0), adult)
        np.testing.assert_allclose(move_all(expression, female=True).mean(axis=0), adult)
    adult = move_all("anger").mean(axis=0)
    half = move_all("anger", truth=EVEN | {"child_strength": 0.5}, child=True).mean(axis=0)
    weak = move_all("anger", truth=EVEN | {"gender_strength": 0.5}, female=True).mean(axis=0)
    np.testing.assert_array_equal(half, weak)
    assert np.linalg.norm(half) == pytest.approx(np.linalg.norm(adult) / 2, rel=0.1)
    turned = move_all("anger", truth=EVEN | {"child_style": 1.0}, child=True).mean(axis=0)
    assert np.linalg.norm(turned) == pytest.approx(np.linalg.norm(adult), rel=0.15)
    assert turned @ adult < 0.5 * np.linalg.norm(turned) * np.linalg.norm(adult)


def test_cues_move_pixels():
    n = len(EXPRESSIONS)
    person = looks(np.ones(n, dtype=bool), np.full(n, 30), np.random.default_rng(1))
    same = {name: np.repeat(values[:1], n) for name, values in person.items()}
    cues = dict(zip(CUES, table(ADULT).T, strict=True))
    # each row draws its own texture and noise, so compare with what these alone change
    rest = sketch(same | {c: np.zeros(n) for c in CUES}, np.random.default_rng(2)).astype(float)
    moved = sketch(same | cues, np.random.default_rng(2)).astype(float)
    change = np.abs(moved - rest).mean(axis=(1, 2))
    assert change[EXPRESSIONS.index("neutral")] == 0
    assert (np.delete(change, EXPRESSIONS.index("neutral")) > 1).all()


def test_contact_sheet_shows_expression_by_kind(drawn):
    sheet = contact_sheet(drawn, faces=1)
    assert sheet.shape == (7 * 48, 4 * 48)
    assert sheet.dtype == np.uint8
    truth = drawn.truth
    for row, expression in enumerate(EXPRESSIONS):
        for column, (child, female) in enumerate([(False, True), (False, False), (True, True), (True, False)]):
            cell = sheet[row * 48 : (row + 1) * 48, column * 48 : (column + 1) * 48]
            kind = (truth["kind"] == "face") & (truth["expression"] == expression)
            chosen = truth.index[kind & (truth["child"] == child) & (truth["female"] == female)]
            expected = drawn.pixels[chosen[0]] if len(chosen) else np.full((48, 48), 255)
            np.testing.assert_array_equal(cell, expected)


def test_shares_that_leave_no_face_are_told(settings_):
    with pytest.raises(UserError, match="take all pictures"):
        draw(settings_ | {"not_a_face": 0.6, "exact_duplicates": 0.4}, seed=1)


def test_no_special_rows_at_all(settings_):
    plain = settings_ | {"count": 100, "exact_duplicates": 0, "near_duplicates": 0, "not_a_face": 0, "no_votes": 0}
    faces = draw(plain | {"children": 0}, seed=1)
    assert set(faces.truth["kind"]) == {"face"}
    assert not faces.truth["child"].any()
    assert len(faces.people) == 100


def test_a_data_set_has_a_manner_of_its_own(settings_):
    plain = draw(settings_ | {"count": 300}, seed=4)
    dim = draw(settings_ | {"count": 300, "brightness": -0.2, "contrast": 0.5}, seed=4)
    rough = draw(settings_ | {"count": 300, "noise": 0.1}, seed=4)
    soft = draw(settings_ | {"count": 300, "blur": 0.9}, seed=4)
    pd.testing.assert_frame_equal(plain.votes, dim.votes)
    assert (dim.pixels.mean(axis=(1, 2)) < plain.pixels.mean(axis=(1, 2))).mean() > 0.95
    assert (dim.pixels.std(axis=(1, 2)) < plain.pixels.std(axis=(1, 2))).mean() > 0.95

    def edges(faces):
        return np.abs(np.diff(faces.pixels.astype(float), axis=2)).mean(axis=(1, 2))

    shown = (plain.truth["kind"] == "face").to_numpy()
    assert (edges(rough) > edges(plain))[shown].mean() > 0.95
    assert (edges(soft) < edges(plain))[shown].all()


def test_a_share_of_the_labels_is_wrong(settings_):
    plain, noisy = (draw(settings_ | {"label_noise": share}, seed=4) for share in (0, 0.2))
    face = (plain.truth["kind"] == "face").to_numpy()
    np.testing.assert_array_equal(plain.pixels[face], noisy.pixels[face])
    names = {e: i for i, e in enumerate(EXPRESSIONS)}
    first, second = (d.votes[list(names)].to_numpy()[face].argmax(axis=1) for d in (plain, noisy))
    truth = plain.truth["expression"][face].map(names).to_numpy()
    right = (first == truth).mean()
    assert (second == truth).mean() == pytest.approx(0.8 * right, abs=0.04)


def test_women_are_drawn_happy_in_place_of_angry(settings_):
    plain, biased = (draw(settings_ | {"stereotype": share}, seed=4).truth for share in (0, 0.75))
    women = (plain["kind"] == "face") & plain["female"].astype(bool)
    angry = women & (plain["expression"] == "anger")
    became = biased.loc[angry, "expression"].value_counts()
    assert set(became.index) == {"anger", "happiness"}
    assert in_bounds(became["happiness"], angry.sum(), 0.75)
    others = (plain["kind"] == "face") & ~angry
    pd.testing.assert_series_equal(plain.loc[others, "expression"], biased.loc[others, "expression"])
