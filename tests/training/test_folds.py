import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fergap.errors import UserError
from fergap.training.folds import LEFT_OUT, duplicate_sets, roles, roles_without, split_folds, split_once, strata
from fergap.training.groups import wide_groups

from .examples import pictures


def faces_of(labels, sets):
    count = len(labels)
    return pd.DataFrame(
        {
            "image_id": [f"f{i}" for i in range(count)],
            "label": labels,
            "exact_set": sets,
            "duplicate_set": np.asarray(sets) // 2,
        }
    )


def people_of(faces, groups):
    return pd.DataFrame({"image_id": faces["image_id"], "attribute": "age", "group": groups})


@st.composite
def studies(draw):
    count = draw(st.integers(40, 120))
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    # classes and groups of any balance, sets of any size up to 6 or so
    label = random.choice(["a", "b", "c"], count, p=random.dirichlet([2, 2, 2]))
    faces = faces_of(label, random.integers(0, count, count))
    group = random.choice(np.array(["child", "adult", None], object), count, p=random.dirichlet([1, 3, 1]))
    return faces, people_of(faces, group), draw(st.sampled_from([[], ["exact"], ["exact", "near"]])), seed


@settings(max_examples=25, deadline=None)
@given(studies())
def test_no_set_is_separated_and_every_face_tests_once(study):
    faces, people, keep, seed = study
    sets = duplicate_sets(faces, keep)
    try:
        folds = split_folds(faces, people, seed, count=3, repeats=2, keep_together=keep)
    except UserError:
        first = faces.loc[~pd.Series(sets).duplicated()]
        assert first["label"].value_counts().reindex(faces["label"].unique(), fill_value=0).min() < 3
        return
    for repeat, part in folds.groupby("repeat"):
        assert part["image_id"].tolist() == faces["image_id"].tolist()
        assert part["fold"].groupby(sets).nunique().max() == 1
        tested = np.zeros(len(faces), int)
        for fold in range(3):
            try:
                role = roles(faces, people, folds, seed, repeat, fold, validation=0.25, keep_together=keep)
            except UserError:
                first = faces.loc[~pd.Series(sets).duplicated()]
                assert first["label"].value_counts().min() < 8  # too few for every class in a quarter of two thirds
                return
            assert pd.Series(role).groupby(sets).nunique().max() == 1
            assert set(role) == {"train", "validation", "test"}
            tested += role == "test"
        assert (tested == 1).all()


def test_labels_and_groups_are_balanced():
    _, faces, people = pictures(600)
    folds = split_folds(faces, people, 1, count=5, repeats=1, keep_together=[])
    joined = folds.merge(faces, on="image_id").merge(people, on="image_id")
    counts = joined.fillna({"group": "?"}).groupby(["label", "group", "fold"]).size().groupby(["label", "group"])
    assert (counts.max() - counts.min()).max() <= 1


def test_the_validation_part_has_the_asked_size_and_is_another_in_every_fold():
    _, faces, people = pictures(600)
    folds = split_folds(faces, people, 1, count=5, repeats=1, keep_together=["exact"])
    cuts = [
        roles(faces, people, folds, 1, 0, fold, validation=0.1, keep_together=["exact"]) == "validation"
        for fold in range(2)
    ]
    assert 40 <= cuts[0].sum() <= 56
    assert (cuts[0] & cuts[1]).sum() < 20


def test_the_same_seed_splits_the_same_way_and_another_does_not():
    _, faces, people = pictures(200)
    split = [
        split_folds(faces, people, seed, count=4, repeats=2, keep_together=["exact"])["fold"] for seed in (1, 1, 2)
    ]
    assert split[0].equals(split[1])
    assert not split[0].equals(split[2])
    assert not np.array_equal(split[0][:200], split[0][200:])


def test_small_strata_join_their_label():
    labels = np.array(["a"] * 9 + ["b"] * 6, object)
    group = ["x"] * 5 + ["y"] * 2 + ["z"] * 2 + ["x"] * 5 + ["y"]
    cells = strata(labels, pd.DataFrame({"g": group}), 4)
    # a-x stays, a-y and a-z make 4 together, and the single b-y goes to b-x
    assert pd.Series(cells).value_counts(sort=False).tolist() == [5, 4, 6]
    assert len(set(cells[:5])) == len(set(cells[5:9])) == len(set(cells[9:])) == 1


def test_strata_without_groups_are_the_labels():
    assert strata(np.array(["b", "a", "b"], object), pd.DataFrame(index=range(3)), 2).tolist() == [1, 0, 1]


def test_groups_of_faces_nobody_knows_are_unknown():
    faces = faces_of(["a", "b"], [0, 1])
    wide = wide_groups(people_of(faces, ["child", None]).iloc[:1], pd.Series(["f1", "f0"]))
    assert wide["age"].tolist() == ["unknown", "child"]


def test_too_few_faces_of_a_class():
    faces = faces_of(["a"] * 9 + ["b"] * 4, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 10])
    with pytest.raises(UserError, match="class 'b' has 2 faces that are no copies"):
        split_folds(faces, people_of(faces, None), 1, count=3, repeats=1, keep_together=["exact"])


def test_an_unknown_kind_of_duplicate():
    with pytest.raises(UserError, match="'similar'"):
        duplicate_sets(faces_of(["a"], [0]), ["similar"])


def test_folds_of_other_faces_are_refused():
    _, faces, people = pictures(60)
    folds = split_folds(faces.iloc[:50], people, 1, count=3, repeats=1, keep_together=[])
    with pytest.raises(UserError, match="10 faces have no fold"):
        roles(faces, people, folds, 1, 0, 0, validation=0.1, keep_together=[])


@settings(max_examples=25, deadline=None)
@given(studies())
def test_one_split_separates_no_set_and_has_the_asked_shares(study):
    faces, people, keep, seed = study
    sets = duplicate_sets(faces, keep)
    try:
        part = split_once(faces, people, seed, [0.6, 0.2, 0.2], keep)
    except UserError as error:
        assert "cannot be a" in str(error)  # noqa: PT017
        return
    assert pd.Series(part).groupby(sets).nunique().max() == 1
    first = part[~pd.Series(sets).duplicated()]
    for name in ("validation", "test"):
        assert (first == name).sum() == int(np.ceil(0.2 * len(first)))
        assert set(faces["label"][part == name]) == set(faces["label"])
    assert (part == split_once(faces, people, seed, [0.6, 0.2, 0.2], keep)).all()
    folds = split_folds(faces, people, seed, count=9, repeats=1, keep_together=keep, split=[0.6, 0.2, 0.2])
    assert folds["image_id"].tolist() == faces["image_id"][part == "test"].tolist()
    assert set(folds["fold"]) == {0}


def test_a_source_that_is_left_out_teaches_nothing_not_even_by_its_copies():
    _, faces, people = pictures(300)
    faces["source"] = np.where(np.arange(300) < 121, "lab", "street")
    twin = int(np.flatnonzero(faces["duplicate_set"].duplicated(keep=False) & (faces.index > 130))[0])
    faces.loc[twin, "duplicate_set"] = faces.loc[5, "duplicate_set"]
    cut = {"validation": 0.2, "keep_together": ["exact", "near"]}
    role = roles_without(faces, people, 1, "lab", **cut)
    assert ((role == "test") == (faces["source"] == "lab")).all()
    copies = faces["duplicate_set"].isin(faces.loc[role == "test", "duplicate_set"]) & (role != "test")
    assert copies[twin]
    assert ((role == LEFT_OUT) == copies).all()
    assert set(faces["label"][role == "validation"]) == set(faces["label"])
    share = (role == "validation").sum() / np.isin(role, ["train", "validation"]).sum()
    assert 0.15 < share < 0.3
    sets = faces["duplicate_set"].to_numpy()
    assert not set(sets[role == "validation"]) & set(sets[role == "train"])
    assert (roles_without(faces, people, 1, "lab", **cut) == role).all()
    alone = roles_without(faces, people, 1, "lab", validation=0.2, keep_together=[])
    assert LEFT_OUT not in alone
    with pytest.raises(UserError, match="no face that is kept comes from web"):
        roles_without(faces, people, 1, "web", **cut)
