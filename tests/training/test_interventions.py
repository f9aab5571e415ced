import numpy as np
import pandas as pd
import pytest

from fergap.errors import UserError
from fergap.training.interventions import composition, intervene, oversample

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
