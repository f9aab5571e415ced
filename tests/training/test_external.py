import numpy as np
import pandas as pd
import pytest

from fergap import tables
from fergap.errors import UserError
from fergap.training.collect import collect_predictions
from fergap.training.external import read_external

from .examples import pictures


@pytest.fixture
def theirs():
    _, faces, _ = pictures(8)
    share = np.linspace(0.1, 0.9, 8)
    frame = pd.DataFrame({"image_id": faces["image_id"], "true": faces["label"], "predicted": "down"})
    return faces, frame.assign(p_across=share, p_down=1 - share)


def read(frame, folder, faces=None):
    path = folder / "theirs.csv"
    frame.to_csv(path, index=False)
    return read_external(path, "theirs", 1, faces)


def test_missing_columns_get_their_defaults(theirs, tmp_path):
    faces, frame = theirs
    out, counts = read(frame.iloc[:6].drop(columns=["p_across", "p_down"]), tmp_path, faces)
    assert (out[["arm", "seed", "repeat", "fold", "role"]] == ["theirs", 1, 0, 0, "test"]).all(axis=None)
    assert out["image_id"].iloc[0] == "00000"
    assert counts == {"faces": 6, "without_prediction": 2}


def test_one_table_of_all_arms(theirs, tmp_path):
    faces, frame = theirs
    frame.to_parquet(tmp_path / "theirs.parquet")
    tables.write(read(frame, tmp_path)[0].assign(arm="ours"), tmp_path / "pack.parquet", "predictions")
    tables.write(faces, tmp_path / "faces.parquet", "faces")
    out = tmp_path / "predictions.parquet"
    collect_predictions(
        [tmp_path / "pack.parquet"], {"theirs": tmp_path / "theirs.parquet"}, tmp_path / "faces.parquet", 1, out
    )
    assert tables.read(out, "predictions")["arm"].value_counts().to_dict() == {"ours": 8, "theirs": 8}
    frame.assign(true=frame["true"].iloc[::-1].to_numpy()).to_csv(tmp_path / "other.csv", index=False)
    with pytest.raises(UserError, match="another arm"):
        collect_predictions([tmp_path / "pack.parquet"], {"theirs": tmp_path / "other.csv"}, None, 1, out)


def change(column, value, row=3):
    def apply(frame):
        frame = frame.astype({column: object}) if column in frame else frame
        frame.loc[row, column] = value
        return frame

    return apply


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (change("image_id", "zzz"), "line 5: face 'zzz' is not among"),
        (change("image_id", "00002"), "line 5: face '00002' is predicted again"),
        (change("true", "up"), "line 5: true label 'up'"),
        (change("predicted", "up"), "line 5: predicted class 'up'"),
        (change("predicted", None), "column 'predicted', line 5"),
        (change("p_down", 0.999), "line 5: the probabilities of face '00003'"),
        (change("p_down", None), "line 5: face '00003' lacks a probability"),
        (change("p_down", 1.5), "column 'p_down', line 5"),
        (lambda f: f.drop(columns="p_down"), "class 'down' and the columns p_"),
        (lambda f: f.assign(p_up=0.0), "class 'up' and the columns p_"),
        (lambda f: f.drop(columns="true"), "column 'true' is missing"),
        (lambda f: f.iloc[:0], "no predictions"),
        (lambda f: f.assign(role="train"), "no row has the role test"),
        (lambda f: f.assign(role="held"), "column 'role', line 2: 'held'"),
        (lambda f: pd.concat([f.assign(fold=0), f.assign(fold=1)]), "line 10: face '00000' is predicted again"),
    ],
)
def test_bad_input(damage, said, theirs, tmp_path):
    faces, frame = theirs
    with pytest.raises(UserError, match=said):
        read(damage(frame), tmp_path, faces)


def test_a_label_that_differs_from_the_faces(theirs, tmp_path):
    faces, frame = theirs
    frame.loc[3, "true"] = "across" if frame.loc[3, "true"] == "down" else "down"
    with pytest.raises(UserError, match="face '00003' has the true label"):
        read(frame, tmp_path, faces)


def test_a_face_with_two_labels_where_the_study_has_no_faces(theirs, tmp_path):
    _, frame = theirs
    twice = pd.concat([frame.assign(repeat=0), frame.assign(repeat=1)], ignore_index=True)
    twice.loc[8, "true"] = "across" if twice.loc[8, "true"] == "down" else "down"
    with pytest.raises(UserError, match="face '00000' has the true label"):
        read(twice, tmp_path)


def test_a_missing_file(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_external(tmp_path / "none.csv", "theirs", 1, None)


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"happy": "Happy", "sad": "Sad"}, "predicted class 'Happy' is never a true label, 'happy' is"),
        ({"happy": "happiness"}, "predicted class 'happiness' is never a true label, 'happy' is"),
        ({"happy": "0", "sad": "1"}, "no predicted class is ever a true label: predicted 0, 1; true happy, sad"),
    ],
)
def test_a_class_by_two_names(said, complaint, tmp_path):
    frame = pd.DataFrame({"image_id": [f"f{i}" for i in range(6)], "true": ["happy", "sad"] * 3})
    other = frame.assign(predicted=frame["true"].replace(said))
    shares = {f"p_{name}": [0.5] * 6 for name in sorted(set(other["predicted"]))}
    with pytest.raises(UserError, match=complaint):
        read(other.assign(**shares), tmp_path)
    with pytest.raises(UserError, match=complaint):
        read(other, tmp_path)
    declared = sorted({"happy", "sad", *said.values()})
    kept, _ = read_external(tmp_path / "theirs.csv", "theirs", 1, None, declared)
    assert len(kept) == 6


def test_classes_of_one_meaning_stay_two_where_both_are_true(tmp_path):
    words = ["calm", "neutral"] * 3
    frame = pd.DataFrame({"image_id": [f"f{i}" for i in range(6)], "true": words, "predicted": words[::-1]})
    assert len(read(frame, tmp_path)[0]) == 6
