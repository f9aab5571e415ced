"""Each mistake of the user ends in one message that says what was found where."""

import numpy as np
import pandas as pd
import pytest
from oracle_cases import faces, people_of, predictions_of

from fergap.audit import audit
from fergap.errors import UserError


def run(change=None, people=None, **more):
    frame = faces("o3_tiny3")
    predictions = predictions_of(frame)
    if change is not None:
        predictions = change(predictions)
    people = people_of(frame) if people is None else people
    options = {"attributes": ["gender"], "resamples": 200, "contrasts": [{"before": "before", "after": "after"}]}
    return audit(predictions, people, **(options | more))


def changed(column: str, value, row: int = 0):
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame[column] = frame[column].astype(object)
        frame.loc[row, column] = value
        return frame

    return change


def with_probabilities(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(**{f"p_{c}": 0.4 for c in sorted(set(frame["true"]) | set(frame["predicted"]))})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="true"), "column 'true' is missing"),
        (lambda f: f.iloc[:0], "there is no row"),
        (changed("predicted", np.nan), "face 'img00001': its 'predicted' is empty"),
        (changed("role", "exam"), "face 'img00001': its role is unknown"),
        (changed("image_id", "img00002"), "face 'img00002': it is predicted twice by one arm in one repeat"),
        (lambda f: f[f["arm"] == "before"], "there is no prediction by arm 'after'"),
        (
            lambda f: f.drop(index=0),
            "do not predict the same faces: 1 are predicted by one alone, such as 'img00001' by",
        ),
        (
            changed("true", "angry"),
            "face 'img00001' is 'angry' in arm 'before' and 'bored' in arm 'after' (1 faces in all)",
        ),
        (lambda f: f.assign(role="train"), "arm 'before' has no out-of-fold prediction"),
        (with_probabilities, "face 'img00001': its probabilities do not sum to 1"),
        (
            lambda f: with_probabilities(f).assign(p_angry=1.2, p_bored=-1.0),
            "face 'img00001': one of its probabilities is none",
        ),
        (changed("true", np.nan), "face 'img00001': its 'true' is empty"),
        (
            lambda f: f.assign(image_id=f["image_id"].replace("img00001", "nobody")),
            "face 'nobody': it is predicted, and nobody says who it shows (2 rows in all)",
        ),
    ],
)
def test_predictions(change, message):
    with pytest.raises(UserError) as error:
        run(change)
    assert message in str(error.value)


def test_classes_outside_the_declared_ones():
    with pytest.raises(UserError, match="its 'true' is no declared class"):
        run(classes=["angry", "focused", "neutral"])
    with pytest.raises(UserError, match="its 'predicted' is no declared class"):
        run(changed("predicted", "glad"), classes=["angry", "bored", "focused", "neutral"])


def test_a_class_that_no_face_has_may_have_a_probability():
    frame = predictions_of(faces("o3_tiny3"))
    shares = {f"p_{c}": (frame["predicted"] == c).astype(float) for c in sorted(set(frame["true"]))}
    out = run(lambda f: f.assign(**shares, p_surprised=0.0))
    assert "surprised" in set(out["confusion"]["true"])
    assert set(out["checks"].query("check == 'probabilities'")["verdict"]) == {"ok"}


def test_a_declared_group_without_a_face_is_shown_and_not_compared():
    out = run(groups={"gender": ["female", "male", "other"]}, reference={"gender": "male"})
    accuracy = out["group_metrics"].query("arm == 'before' and attribute == 'gender' and metric == 'accuracy'")
    assert accuracy.set_index("group")["n"].to_dict()["other"] == 0
    verdicts = out["verdicts"].query("group == 'other'")
    assert len(verdicts) == 3
    assert set(verdicts["status"]) == {"not estimable: 0 faces of other"}


def test_one_group_alone_is_nothing_to_compare():
    with pytest.raises(UserError, match="there is nothing to compare: every gender is 'female'"):
        run(people=people_of(faces("o3_tiny3")).assign(group="female"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"margin": 0}, "audit.margin: 0 is not allowed"),
        ({"margin": 3}, "audit.margin: 3 is not allowed"),
        ({"confidence": 95}, "audit.confidence: 95 is not allowed"),
        ({"resamples": 0}, "audit.resamples: 0 is not allowed"),
        ({"attributes": ["race"]}, "nobody's 'race' is given (attributes there: age, gender)"),
        ({"attributes": ["gender*race"]}, "nobody's 'race' is given"),
        ({"reference": {"gender": "other"}}, "gender has no group 'other'"),
        ({"contrasts": [{"before": "before", "after": "later"}]}, "there is no prediction by arm 'later'"),
        ({"arms": ["before", "after", "later"]}, "there is no prediction by arm 'later'"),
    ],
)
def test_options(options, message):
    with pytest.raises(UserError) as error:
        run(**options)
    assert message in str(error.value)


def test_people():
    people = people_of(faces("o3_tiny3"))
    with pytest.raises(UserError, match="every face's gender is unknown"):
        run(people=people.assign(group=None))
    with pytest.raises(UserError, match="no predicted face has a known gender"):
        run(people=people.assign(image_id="x" + people["image_id"]))
    with pytest.raises(UserError, match="its gender is given twice"):
        run(people=pd.concat([people, people.iloc[:1]]))
    with pytest.raises(UserError, match="column 'group' is missing"):
        run(people=people.drop(columns="group"))
