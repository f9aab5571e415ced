"""Groups as codes, of one attribute and of several."""

import numpy as np
import pandas as pd
import pytest

from fergap.errors import UserError
from fergap.training.groups import groups_of, named_by

PEOPLE = pd.DataFrame(
    {"age": ["child", "adult", "unknown", "child"], "gender": ["male", "female", "female", "unknown"]}, dtype=object
)


def test_one_attribute():
    found = groups_of(PEOPLE, "age", "here")
    assert found.names == ("adult", "child")
    assert found.codes.tolist() == [1, 0, -1, 1]
    assert found.shares(np.array([0, 1, 2, 3, 3])) == (0.25, 0.75)


def test_a_face_unknown_in_one_part_is_unknown_in_the_combination():
    found = groups_of(PEOPLE, "gender*age", "here")
    assert found.names == ("female × adult", "male × child")
    assert found.codes.tolist() == [1, 0, -1, -1]


def test_no_face_of_a_known_group_has_no_shares():
    assert groups_of(PEOPLE, "age", "here").shares(np.array([2])) == (0.0, 0.0)


def test_an_attribute_that_there_is_not():
    with pytest.raises(UserError, match="race"):
        groups_of(PEOPLE, "gender*race", "arms: fair: by")


def test_what_options_name():
    arm = {
        "name": "a",
        "penalty": {"x": {"by": "age", "strength": 1}, "y": {"by": "gender"}},
        "reweight": {"by": ["age", "class"]},
    }
    assert named_by(arm) == ["age", "gender", "class"]
    assert named_by({"name": "a", "oversample": {"age": "child"}}) == []
