"""What the audit takes from the tables of a study."""

import pandas as pd
import pytest

from fergap import tables
from fergap.audit.reading import read_inputs

IDS = ["a", "b", "c"]


@pytest.fixture
def files(tmp_path):
    """The files of a study of three faces with votes."""
    found = {name: tmp_path / f"{name}.parquet" for name in ("predictions", "people", "raters", "faces")}
    told = {"attribute": "age", "group": "child", "value": None, "confidence": None, "annotator": "drawn"}
    rows = {"arm": "x", "seed": 1, "repeat": 0, "fold": 0, "role": "test", "true": "joy", "predicted": "joy"}
    sets = {"exact_set": [0, 1, 1], "duplicate_set": [0, 1, 1]}
    votes = {"tagger_answered": [1.0, 0.8, 0.5], "tagger_right": [1.0, 0.7, 0.0], "tagger_kept": [1.0, 1.0, 0.5]}
    faces = {"source": "drawn", "partition": None, "label": ["joy", "joy", "fear"], "row": range(3), "ambiguity": 0.5}
    empty = pd.DataFrame(columns=list(tables.TABLES["raters"].columns))
    for name, frame in {
        "predictions": pd.DataFrame({"image_id": IDS} | rows),
        "people": pd.DataFrame({"image_id": IDS} | told),
        "raters": empty,
        "faces": pd.DataFrame({"image_id": IDS} | faces | sets | votes),
    }.items():
        tables.write(frame, found[name], name)
    return found | {"recognition": [], "validation": [], "answers": []}


def test_what_taggers_say_comes_with_the_faces(files):
    found = read_inputs(files)
    assert list(found["taggers"]) == ["answered", "right", "kept", "ambiguity"]
    assert found["taggers"].loc["b"].tolist() == [0.8, 0.7, 1.0, 0.5]
    assert found["labels"].to_dict() == {"a": "joy", "b": "joy", "c": "fear"}
    assert found["clusters"].to_dict() == {"a": 0, "b": 1, "c": 1}


def test_faces_without_votes_have_no_taggers(files):
    faces = tables.read(files["faces"], "faces")
    tables.write(faces.loc[:, [c for c in faces if not c.startswith("tagger_")]], files["faces"], "faces")
    assert read_inputs(files)["taggers"] is None
    assert "taggers" not in read_inputs(files | {"faces": []})
