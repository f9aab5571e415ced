"""What the paper says of a model that was asked in words."""

import pandas as pd
import pytest
from made_up import study_config, write_study
from test_document import assembled

from fergap.paper import methods
from fergap.paper.asked import asked, unanswered
from fergap.paper.results import Results
from fergap.paper.tables import TABLES
from fergap.tables import TABLES as COLUMNS

SPACE = "\N{NO-BREAK SPACE}"
ENDPOINT = {"url": "https://api.somewhere.org/v1", "model": "seer-mini", "prompt": "Is it {classes}? One word."}
COUNTS = [
    ("all", "all", "any", 1500, 90),
    ("all", "all", "no class", 1500, 30),
    ("all", "all", "refused", 1500, 60),
    ("gender", "female", "any", 700, 70),
    ("gender", "male", "any", 800, 20),
    ("age", "child", "any", 2, 1),
]


def arms(*names):
    return [{"name": name, "network": "pyramid"} for name in names] + [{"name": "vlm", "endpoint": ENDPOINT}]


def written(folder, study, counts=COUNTS):
    def edit(found):
        names = ("attribute", "group", "why", "n", "count")
        rows = [dict(zip(names, row, strict=True)) | {"estimate": row[4] / row[3]} for row in counts]
        about = {"arm": "vlm", "ci_low": 0.01, "ci_high": 0.2, "confidence": 0.95, "method": "wilson", "status": "ok"}
        found["unanswered"] = pd.DataFrame([about | row for row in rows], columns=list(COLUMNS["unanswered"].columns))
        answer = {"arm": "vlm", "status": "answered", "named": "anger", "text": "Angry", "tokens": 5, "requests": 1}
        answer |= {"model": "seer-mini-7"}
        found["answers"] = pd.DataFrame([answer | {"image_id": f"f{i}", "date": f"2031-05-0{i + 1}"} for i in range(2)])
        for name in ("history", "composition", "runs"):
            if name in found:
                found[name] = found[name][found[name]["arm"] != "vlm"]

    return write_study(folder, study, training=len(study["arms"]) > 1, edit=edit)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    study = study_config(arms=arms("baseline"), audit={"contrasts": [{"before": "baseline", "after": "vlm"}]})
    return written(tmp_path_factory.mktemp("asked"), study)


def test_who_was_asked_what_and_when_and_what_has_no_answer(folder):
    text = asked(Results(folder)).replace(SPACE, " ")
    assert "vlm is the model seer-mini (which answered as seer-mini-7) at api.somewhere.org" in text
    assert "between 2031-05-01 and 2031-05-02" in text
    assert "“Is it anger, happiness, neutral, sadness? One word.”" in text
    plain = text.replace("[", "").replace("]", "")
    assert "6.0 %" in plain
    assert "30" in plain
    assert "60" in plain
    assert "They count as wrong" in text


def test_the_table_has_every_group_and_hides_who_could_be_recognised(folder):
    assert TABLES["unanswered"] is unanswered
    rows = [line.strip("| ").split(" | ") for line in unanswered(Results(folder)).replace(SPACE, " ").splitlines()[2:]]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["vlm", "all faces", "1,500", "90", "6.0 % [1.0, 20.0]"],
        ["vlm", "female", "700", "70", "10.0 % [1.0, 20.0]"],
        ["vlm", "male", "800", "20", "2.5 % [1.0, 20.0]"],
        ["vlm", "child", "< 3", "< 3", "–"],
    ]


def test_where_every_face_has_an_answer_that_is_said(tmp_path):
    study = study_config(arms=arms(), audit={"contrasts": []})
    text = asked(Results(written(tmp_path, study, [("all", "all", "any", 1500, 0)])))
    assert text.endswith("Every face has an answer.")


def test_the_document_tells_it_and_what_is_not_known(folder):
    text = assembled(folder).replace(SPACE, " ")
    assert "vlm is the model seer-mini" in text
    assert "seer-mini, asked in words" in text
    assert "@tbl-unanswered" in text
    assert "they may have seen these very faces" in text
    alone = methods.given_protocol({"arms": arms()})
    assert "were asked for in words or given" in alone
    assert "asked" not in methods.given_protocol({"arms": [{"name": "x", "predictions": "x.csv"}]})
