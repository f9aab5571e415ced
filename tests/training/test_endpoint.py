"""An arm that asks a model behind an address, against a server of the test's own on this machine."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from base64 import b64decode
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fergap import tables
from fergap.errors import UserError
from fergap.training import endpoint
from fergap.training.answers import Cache, ask_endpoint, predictions_of, prompt_of
from fergap.training.wording import ANSWERED, BROKEN, NONE, REFUSED, SEVERAL, named, words_of
from tests.endpoint_server import Server, said

from .examples import CLASSES, study

COUNT = 12
ROOT = Path(__file__).resolve().parents[2]
KEY = "FERGAP_TEST_KEY"


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(endpoint, "waiting", lambda *_: 0.01)
    made = Server()
    yield made
    made.close()


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    paths = study(tmp_path_factory.mktemp("asked"), count=COUNT)
    pixels = np.random.default_rng(1).integers(0, 256, np.load(paths["pixels"]).shape, dtype=np.uint8)
    np.save(paths["pixels"], pixels)  # no picture twice
    return paths


def asked(inputs, folder, server, **changes):
    """Run an arm that asks and return its answers and predictions."""
    settings = {
        "url": server.url,
        "model": "made-up",
        "prompt": "One of {classes}?",
        "key_from": None,
        "synonyms": {},
        "request": {"temperature": 0},
        "size": 32,
        "at_once": 3,
        "timeout": 20,
        "retries": 2,
        "budget": None,
    }
    ask_endpoint(
        {"name": "vlm", "endpoint": settings | changes},
        faces=inputs["faces"],
        pixels=inputs["pixels"],
        seed=4,
        cache=folder / "cache.jsonl",
        predictions=folder / "predictions.parquet",
        answers=folder / "answers.csv",
    )
    return tables.read(folder / "answers.csv", "answers"), tables.read(folder / "predictions.parquet", "predictions")


def picture_of(body):
    """Return the pixels of a question."""
    address = body["messages"][0]["content"][1]["image_url"]["url"]
    assert address.startswith("data:image/png;base64,")
    return np.array(Image.open(BytesIO(b64decode(address.split(",")[1]))))


def test_every_face_is_asked_once_and_predicted_as_it_was_answered(inputs, tmp_path, server, monkeypatch, capsys):
    monkeypatch.setenv(KEY, "s3cret")
    server.reply = lambda number, body: said("Across." if picture_of(body)[0, 0] > 127 else "The bar goes **down**")
    answers, predictions = asked(inputs, tmp_path, server, size=1, key_from=KEY)
    pixels, faces = np.load(inputs["pixels"]), tables.read(inputs["faces"], "faces")
    expected = np.where(pixels[faces["row"], 0, 0] > 127, "across", "down")
    assert answers["named"].tolist() == predictions["predicted"].tolist() == expected.tolist()
    assert predictions["image_id"].tolist() == faces["image_id"].tolist()
    assert predictions["true"].tolist() == faces["label"].tolist()
    assert set(predictions["seed"]) == {4}
    assert set(answers["status"]) == {ANSWERED}
    assert set(answers["model"]) == {"made-up-2"}
    assert answers["tokens"].sum() == 11 * COUNT
    assert len(server.bodies) == COUNT
    assert set(server.keys) == {"Bearer s3cret"}
    assert set(server.paths) == {"/v1/chat/completions"}
    body = server.bodies[0]
    assert (body["model"], body["temperature"]) == ("made-up", 0)
    assert body["messages"][0]["content"][0]["text"] == "One of across, down?"
    heard = capsys.readouterr().err
    assert f"{COUNT} faces, 0 without an answer, {COUNT} requests now and {COUNT} in all, {11 * COUNT} tokens" in heard
    assert not any("s3cret" in file.read_text(errors="replace") for file in tmp_path.iterdir())


def test_pictures_are_sent_enlarged_in_grey_or_colour():
    grey = np.arange(16, dtype=np.uint8).reshape(4, 4)
    assert np.array(Image.open(BytesIO(endpoint.drawn_png(grey, 8)))).shape == (8, 8)
    assert np.array_equal(np.array(Image.open(BytesIO(endpoint.drawn_png(grey, 4)))), grey)
    colour = np.stack([grey, grey + 1, grey + 2])
    shown = np.array(Image.open(BytesIO(endpoint.drawn_png(colour, 2))))
    assert np.array_equal(np.moveaxis(shown, -1, 0), colour)


def test_what_has_no_answer_counts_as_wrong_and_is_told(inputs, tmp_path, server, capsys):
    policy = (400, b'{"error": {"code": "content_policy_violation"}}', {})
    kinds = {
        1: said("I'm sorry, I can't help with that."),
        2: said(None, message={"refusal": "I will not judge faces."}),
        3: said("across or down"),
        4: said(None, finish_reason="content_filter"),
        5: policy,
        6: said("side\nways\x07"),
    }
    server.reply = lambda number, body: kinds.get(number, said("down"))
    answers, predictions = asked(inputs, tmp_path, server, at_once=1)
    counts = answers["status"].value_counts().to_dict()
    assert counts == {REFUSED: 3, NONE: 2, SEVERAL: 1, ANSWERED: COUNT - 6}
    none = answers["named"].isna()
    assert (predictions["predicted"] != predictions["true"])[none].all()
    assert (predictions["predicted"] == answers["named"])[~none].all()
    assert answers.loc[1, "text"] == "I will not judge faces."
    assert answers.loc[5, "text"] == "side ways "
    assert f"{COUNT} faces, 6 without an answer (3 refused, 2 no class, 1 several classes)" in capsys.readouterr().err


def test_faces_without_an_answer_have_every_wrong_class_in_turn():
    faces = pd.DataFrame({"image_id": [f"f{i}" for i in range(9)], "label": ["b"] * 6 + ["c"] * 3})
    answers = pd.DataFrame({"arm": "x", "named": [None] * 5 + ["b"] + [None, "a", None]})
    found = predictions_of(answers, faces, ["a", "b", "c"], 1)["predicted"].tolist()
    assert found == ["c", "a", "c", "a", "c", "b", "a", "a", "b"]


def test_a_busy_endpoint_is_asked_again_after_a_while(inputs, tmp_path, server, monkeypatch):
    waited, busy = [], {1: 429, 2: 503, 4: 500}

    def waiting(tried, after, chance):
        waited.append((tried, after))
        return 0.0

    monkeypatch.setattr(endpoint, "waiting", waiting)
    server.reply = lambda number, body: (busy[number], b"{}", {"Retry-After": "7"}) if number in busy else said("down")
    answers, _ = asked(inputs, tmp_path, server, at_once=1)
    assert set(answers["status"]) == {ANSWERED}
    assert len(server.bodies) == COUNT + 3
    assert answers["requests"].tolist() == [3, 2] + [1] * (COUNT - 2)
    assert waited == [(1, "7"), (2, "7"), (1, "7")]


def test_waits_grow_and_follow_what_the_endpoint_asks_for():
    assert [endpoint.waiting(tried, None, 0.5) for tried in (1, 2, 3, 4)] == [1.5, 3.0, 6.0, 12.0]
    assert endpoint.waiting(50, None, 1.0) == endpoint.waiting(1, "9999", 0.0) == endpoint.LONGEST_WAIT
    assert endpoint.waiting(3, "2.5", 0.9) == 2.5
    assert endpoint.waiting(1, "Wed, 21 Oct 2015 07:28:00 GMT", 0.0) == 1.0


def test_a_slow_or_cut_answer_is_asked_for_again(inputs, tmp_path, server):
    def reply(number, body):
        if number == 1:
            time.sleep(1)
        return (None, b"", {}) if number == 3 else said("down")

    server.reply = reply
    answers, _ = asked(inputs, tmp_path, server, at_once=1, timeout=0.3)
    assert answers["requests"].tolist() == [2, 2] + [1] * (COUNT - 2)


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"[" * 100_000, b'{"choices": []}', b'{"choices": [{"message": {"content": 5}}]}']
)
def test_broken_json_for_one_face_alone_is_no_answer_until_it_is_asked_again(body, inputs, tmp_path, server):
    server.reply = lambda number, asked: (200, body, {}) if 2 <= number <= 4 else said("down")
    answers, predictions = asked(inputs, tmp_path, server, at_once=1)
    assert answers["status"].tolist() == [ANSWERED, BROKEN] + [ANSWERED] * (COUNT - 2)
    assert answers.loc[1, "text"].startswith("no answer of the chat completions protocol: ")
    assert predictions.loc[1, "predicted"] != predictions.loc[1, "true"]
    assert len(server.bodies) == COUNT + 2
    server.reply = lambda number, asked: (200, body, {}) if number <= COUNT + 5 else said("down")
    again, _ = asked(inputs, tmp_path, server)
    assert again["status"].tolist() == answers["status"].tolist()
    assert len(server.bodies) == Cache(tmp_path / "cache.jsonl").spent == COUNT + 5
    whole, _ = asked(inputs, tmp_path, server)
    assert set(whole["status"]) == {ANSWERED}
    assert whole["requests"].tolist() == [1] * COUNT
    asked(inputs, tmp_path, server)
    assert len(server.bodies) == COUNT + 6


def test_an_answer_of_any_characters_is_kept(inputs, tmp_path, server):
    server.reply = lambda number, body: said("down \ud800 \x00 😀")
    answers, _ = asked(inputs, tmp_path, server)
    assert set(answers["named"]) == {"down"}
    assert asked(inputs, tmp_path, server)[0]["text"].tolist() == answers["text"].tolist()


def test_an_endpoint_that_is_never_understood_is_told(inputs, tmp_path, server):
    server.reply = lambda number, body: (200, b"<html>Welcome</html>", {})
    with pytest.raises(UserError, match=r"no answer after 3 requests: no answer of the chat(.|\n)*Welcome"):
        asked(inputs, tmp_path, server)
    assert not (tmp_path / "answers.csv").exists()


def test_an_endpoint_that_is_away_is_told_and_gone_on_with(inputs, tmp_path, server):
    server.reply = lambda number, body: said("down") if number <= 5 else (503, b"", {})
    with pytest.raises(UserError, match=r"no answer after 3 requests: 503(.|\n)*answers so far are kept"):
        asked(inputs, tmp_path, server, at_once=1)
    assert not (tmp_path / "predictions.parquet").exists()
    assert len(Cache(tmp_path / "cache.jsonl").answers) == 5
    assert Cache(tmp_path / "cache.jsonl").spent == len(server.bodies) == 8
    server.reply = lambda number, body: said("down")
    answers, _ = asked(inputs, tmp_path, server, at_once=1)
    assert len(server.bodies) == 8 + COUNT - 5
    assert set(answers["status"]) == {ANSWERED}


def test_nobody_listens(inputs, tmp_path, server):
    server.close()
    with pytest.raises(UserError, match=r"no answer after 1 requests(.|\n)*start it or mend the address"):
        asked(inputs, tmp_path, server, retries=0)


@pytest.mark.parametrize(("status", "body"), [(401, b'{"error": "bad key"}'), (404, b"no such model"), (302, b"")])
def test_a_refused_key_model_or_address_ends_at_once(status, body, inputs, tmp_path, server):
    other = {"Location": "http://127.0.0.1:9/v1/chat/completions"} if status == 302 else {}
    server.reply = lambda number, asked: (status, body, other)
    with pytest.raises(UserError, match=rf"the endpoint answers {status}(.|\n)*correct url, model, key_from"):
        asked(inputs, tmp_path, server, at_once=1)
    assert len(server.bodies) == 1


def test_the_key_comes_from_the_environment_alone(inputs, tmp_path, server, monkeypatch):
    monkeypatch.delenv(KEY, raising=False)
    with pytest.raises(UserError, match=f"environment variable {KEY} is empty or not set"):
        asked(inputs, tmp_path, server, key_from=KEY)
    assert not server.bodies
    asked(inputs, tmp_path, server)
    assert set(server.keys) == {None}


def test_a_budget_is_kept_over_all_runs(inputs, tmp_path, server):
    for _ in range(2):
        with pytest.raises(UserError, match="budget of 5 requests is spent before all faces have an answer"):
            asked(inputs, tmp_path, server, budget=5)
        assert len(server.bodies) == 5
    asked(inputs, tmp_path, server, budget=COUNT)
    assert len(server.bodies) == COUNT


def test_another_prompt_or_model_is_asked_anew_and_other_synonyms_are_not(inputs, tmp_path, server):
    server.reply = lambda number, body: said("flat")
    assert set(asked(inputs, tmp_path, server)[0]["status"]) == {NONE}
    answers, _ = asked(inputs, tmp_path, server, synonyms={"flat": "across"}, at_once=1, timeout=5, retries=0)
    assert set(answers["named"]) == {"across"}
    assert len(server.bodies) == COUNT
    for changes in ({"prompt": "Well?"}, {"model": "other"}, {"request": {"temperature": 1}}, {"size": 40}):
        before = len(server.bodies)
        asked(inputs, tmp_path, server, **changes)
        assert len(server.bodies) == before + COUNT
    with pytest.raises(UserError, match="'flat' stands for 'acros', which is no class"):
        asked(inputs, tmp_path, server, synonyms={"flat": "acros"})


def test_faces_of_one_class_alone_are_told(inputs, tmp_path, server):
    faces = tables.read(inputs["faces"], "faces").assign(label="down")
    tables.write(faces, tmp_path / "faces.parquet", "faces")
    with pytest.raises(UserError, match="every face is 'down'"):
        asked(dict(inputs) | {"faces": tmp_path / "faces.parquet"}, tmp_path, server)


def test_identical_pictures_are_asked_about_once(inputs, tmp_path, server):
    same = dict(inputs) | {"pixels": tmp_path / "same.npy"}
    np.save(same["pixels"], np.zeros_like(np.load(inputs["pixels"])))
    answers, _ = asked(same, tmp_path, server)
    assert len(server.bodies) == answers["requests"].sum() == 1
    assert answers["tokens"].sum() == 11
    assert len(answers) == COUNT


KILLED = """
import sys
sys.path[:0] = [{scripts!r}, {root!r}]
from pathlib import Path
from tests.training.test_endpoint import asked
class Server: url = {url!r}
asked({inputs!r}, Path({folder!r}), Server)
"""


def test_a_killed_run_goes_on_after_its_last_answer(inputs, tmp_path, server):
    gate = threading.Event()

    def reply(number, body):
        if number > 6:
            gate.wait(30)
        return said("down")

    server.reply = reply
    plain = {name: str(path) for name, path in inputs.items()}
    about = {"scripts": str(ROOT / "scripts"), "root": str(ROOT), "url": server.url, "inputs": plain}
    code = KILLED.format(**about, folder=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"no_proxy": "127.0.0.1"}) as process:
        while len(server.bodies) < 7:
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    gate.set()
    cache = tmp_path / "cache.jsonl"
    before = len(Cache(cache).answers)
    assert 3 <= before <= 6
    with cache.open("ab") as file:
        file.write(b'{"question": "half of a li')
    asks = len(server.bodies)
    answers, _ = asked(inputs, tmp_path, server)
    assert len(server.bodies) == asks + COUNT - before
    assert set(answers["status"]) == {ANSWERED}
    lines = cache.read_text().splitlines()
    assert len(lines) == COUNT
    assert all(json.loads(line) for line in lines)


def test_a_cache_of_something_else_is_told(tmp_path):
    (tmp_path / "c.jsonl").write_text('{"requests": 1}\nhello\n')
    with pytest.raises(UserError, match=r"c\.jsonl, line 2: is no line that this program wrote"):
        Cache(tmp_path / "c.jsonl")


EMOTIONS = ("anger", "happiness", "neutral", "sadness")
WORDS = words_of(EMOTIONS, {"grumpy": "anger"})


@pytest.mark.parametrize(
    ("text", "status", "label"),
    [
        ("Happy", ANSWERED, "happiness"),
        ("**happiness**.", ANSWERED, "happiness"),
        ("The person looks sad", ANSWERED, "sadness"),
        ("Grumpy!", ANSWERED, "anger"),
        ("angry (anger)", ANSWERED, "anger"),
        ("happy or sad", SEVERAL, None),
        ("not happy", NONE, None),
        ("I can’t tell; perhaps sad", NONE, None),
        ("unhappy", NONE, None),
        ("fear", NONE, None),
        ("", NONE, None),
    ],
)
def test_the_class_that_an_answer_names(text, status, label):
    assert named(text, WORDS) == (status, label)


def test_a_class_that_denies_another_is_one_of_its_own():
    words = words_of(("smiling", "not_smiling"), {})
    assert named("Not smiling.", words) == (ANSWERED, "not_smiling")
    assert named("smiling", words) == (ANSWERED, "smiling")
    assert named("It is not so that she is smiling", words) == (NONE, None)
    assert prompt_of({"prompt": "{classes}?"}, ("smiling", "not_smiling")) == "smiling, not smiling?"


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_is_read(text):
    status, label = named(text, WORDS)
    assert (status == ANSWERED) == (label in EMOTIONS)


def test_the_examples_classes_are_what_the_server_is_asked_for():
    assert CLASSES == ("across", "down")
