import numpy as np
import pandas as pd
import pytest

from fergap.errors import UserError
from fergap.training.interventions import composition, intervene, oversample, undersample

GROUPS = pd.DataFrame({"age": ["child"] * 3 + ["adult"] * 8 + ["unknown"] * 4 + ["child"] * 5})
ROWS = np.arange(15)  # 3 children, 8 adults, 4 unknown; the last five children are not in the training part


def times(rows):
    return np.bincount(rows, minlength=20)


@pytest.mark.parametrize(
    ("to", "children"),
    [
        ("parity", 8),
        (0.5, 8),
        (0.75, 24),  # 24 / (24 + 8)
        (0.1, 3),  # already more: left as it is
    ],
)
def test_counts_by_hand(to, children):
    after = oversample(ROWS, GROUPS, {"age": "child", "to": to}, np.random.default_rng(0))
    count = times(after)
    assert count[:3].sum() == children
    assert count[:3].max() - count[:3].min() <= 1
    assert (count[3:15] == 1).all()
    assert (count[15:] == 0).all()


def test_parity_is_with_the_largest_other_group():
    groups = pd.DataFrame({"age": ["child"] * 2 + ["adult"] * 5 + ["old"] * 7})
    after = oversample(np.arange(14), groups, {"age": "child"}, np.random.default_rng(0))
    assert times(after)[:2].sum() == 7


def test_composition_before_and_after():
    after = intervene(
        ROWS, GROUPS, {"oversample": {"age": "child", "to": "parity"}}, lambda name: np.random.default_rng(0)
    )
    table = composition(ROWS, after, GROUPS)
    assert table.to_numpy().tolist() == [["age", "adult", 8, 8], ["age", "child", 3, 8], ["age", "unknown", 4, 4]]


def test_an_arm_without_intervention_trains_on_each_face_once():
    assert intervene(ROWS, GROUPS, {"name": "baseline"}, lambda name: None).tolist() == ROWS.tolist()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"age": "baby"}, "no face of age 'baby'"),
        ({"gender": "male"}, "no face of gender 'male'"),
        ({"age": "child", "to": 1.5}, "to: 1.5"),
        ({"age": "child", "to": "equal"}, "to: 'equal'"),
        ({"to": "parity"}, "one attribute with its group"),
    ],
)
def test_bad_settings(settings, said):
    with pytest.raises(UserError, match=said):
        oversample(ROWS, GROUPS, settings, np.random.default_rng(0))


def test_a_group_that_the_training_part_lacks():
    with pytest.raises(UserError, match="no training face of age 'child'"):
        oversample(np.arange(3, 15), GROUPS, {"age": "child"}, np.random.default_rng(0))


CLASSES = GROUPS.assign(**{"class": ["fear", "joy", "joy"] + ["fear"] * 2 + ["joy"] * 6 + ["fear"] * 4 + ["joy"] * 5})
# fear: 1 child and 2 adults; joy: 2 children and 6 adults; and 4 unknown who fear


def counted(rows, *columns):
    return CLASSES.iloc[rows].value_counts(list(columns)).to_dict()


def test_parity_within_each_class():
    after = oversample(ROWS, CLASSES, {"age": "child", "within": "class", "to": "parity"}, np.random.default_rng(0))
    assert counted(after, "class", "age") == {
        ("fear", "child"): 2, ("fear", "adult"): 2, ("joy", "child"): 6, ("joy", "adult"): 6, ("fear", "unknown"): 4,
    }  # fmt: skip


def test_a_class_without_a_face_to_repeat_is_left_as_it_is():
    after = oversample(ROWS[1:], CLASSES, {"age": "child", "within": "class", "to": "parity"}, np.random.default_rng(0))
    assert counted(after, "class", "age")["fear", "adult"] == 2
    assert ("fear", "child") not in counted(after, "class", "age")
    assert counted(after, "class", "age")["joy", "child"] == 6


def test_group_by_class_and_class_alone():
    after = oversample(ROWS, CLASSES, {"age*class": "child*fear", "to": 0.5}, np.random.default_rng(0))
    assert counted(after, "class", "age")["fear", "child"] == 10  # as many as all others of known age
    after = oversample(ROWS, CLASSES, {"class": "fear", "to": "parity"}, np.random.default_rng(0))
    assert counted(after, "class") == {("fear",): 8, ("joy",): 8}


def test_all_groups_to_parity():
    more = oversample(ROWS, CLASSES, {"age*class": "all", "to": "parity"}, np.random.default_rng(0))
    known = {("adult", "fear"), ("adult", "joy"), ("child", "fear"), ("child", "joy")}
    assert counted(more, "age", "class") == dict.fromkeys(known, 6) | {("unknown", "fear"): 4}
    fewer = undersample(ROWS, CLASSES, {"age*class": "all", "to": "parity"}, np.random.default_rng(0))
    assert counted(fewer, "age", "class") == dict.fromkeys(known, 1) | {("unknown", "fear"): 4}


@pytest.mark.parametrize(("to", "adults"), [("parity", 3), (0.5, 3), (0.6, 4), (0.9, 8), (0.25, 1)])
def test_undersampling_by_hand(to, adults):
    after = undersample(ROWS, GROUPS, {"age": "adult", "to": to}, np.random.default_rng(0))
    assert times(after).max() == 1
    assert after.tolist() == sorted(after)
    assert times(after)[3:11].sum() == adults
    assert (times(after)[[0, 1, 2, 11, 12, 13, 14]] == 1).all()


def test_fewer_adults_are_among_more():
    many, few = (
        undersample(ROWS, GROUPS, {"age": "adult", "to": to}, np.random.default_rng(0)) for to in (0.6, "parity")
    )
    assert set(few) < set(many)


def test_undersampling_within_each_class():
    after = undersample(ROWS, CLASSES, {"age": "adult", "within": "class", "to": "parity"}, np.random.default_rng(0))
    assert counted(after, "class", "age") == {
        ("fear", "child"): 1, ("fear", "adult"): 1, ("joy", "child"): 2, ("joy", "adult"): 2, ("fear", "unknown"): 4,
    }  # fmt: skip


def test_parity_from_above_is_with_the_smallest_other_group_that_there_is():
    groups = pd.DataFrame({"age": ["child"] * 2 + ["adult"] * 7 + ["old"] * 5 + ["none"]})
    after = undersample(np.arange(14), groups, {"age": "adult"}, np.random.default_rng(0))
    assert times(after)[2:9].sum() == 2


def test_all_rows_of_one_group_are_left_as_they_are():
    groups = pd.DataFrame({"age": ["child"] * 5 + ["unknown"] * 3})
    for function in (oversample, undersample):
        for to in ("parity", 0.1):
            after = function(np.arange(8), groups, {"age": "child", "to": to}, np.random.default_rng(0))
            assert after.tolist() == list(range(8))
