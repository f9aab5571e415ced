"""An arm that asks a model behind an address: every face once, each answer kept, what has no answer counted."""

import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from fergap import tables
from fergap.errors import UserError, one_line
from fergap.progress import Progress
from fergap.training import endpoint
from fergap.training.endpoint import Answer, Away
from fergap.training.wording import ANSWERED, BROKEN, named, words_of

KEPT = "answers so far are kept: the same command goes on after them"


class Stopped(Exception):
    """Another question failed, so this one is not put."""


class Purse:
    """Counts requests from several threads, and ends them all where one fails or the budget is spent."""

    def __init__(self, spent: int, budget: int | None):
        self.spent, self.budget, self.empty = spent, budget, False
        self.lock, self.ended = threading.Lock(), threading.Event()

    def spend(self) -> None:
        """Count one request; raise :class:`Stopped` where there may be no further one."""
        with self.lock:
            self.empty = self.empty or (self.budget is not None and self.spent >= self.budget)
            if self.ended.is_set() or self.empty:
                raise Stopped
            self.spent += 1

    def rest(self, seconds: float) -> None:
        """Wait, but no longer than until everything ends."""
        self.ended.wait(seconds)


class Cache:
    """Every answer so far, in a file of one JSON object a line, which a kill leaves whole but for its last line.

    Answers are kept in the model's own words and read anew each time. A response of an earlier run that was none of the
    protocol is no answer of the model, so that its question is put again.

    Parameters
    ----------
    path : pathlib.Path
        The file; a missing one is made with the first answer.

    Attributes
    ----------
    answers : dict
        Question (see :func:`fergap.training.endpoint.key_of`) to its line.
    spent : int
        Requests that were sent, also those without an answer.
    """

    def __init__(self, path: Path):
        self.path, self.answers, self.spent = path, {}, 0
        if not path.exists():
            return
        text = path.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                told = json.loads(line)
                self._count(told)
            except (KeyError, TypeError, ValueError):
                raise UserError(
                    "is no line that this program wrote",
                    where=f"{path}, line {number}",
                    fix="delete the line, or the file, and every question is put anew",
                ) from None
        self.answers = {asked: line for asked, line in self.answers.items() if line["status"] != BROKEN}
        if len(whole) < len(text):
            os.truncate(path, len(whole))

    def add(self, line: Mapping) -> None:
        """Keep a line, on the disk before this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            file.write(json.dumps(line, sort_keys=True).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._count(dict(line))

    def _count(self, line: dict) -> None:
        self.spent += int(line["requests"])
        if "status" in line:
            self.answers[line["question"]] = line


def prompt_of(settings: Mapping, classes: Sequence[str]) -> str:
    """Return what is asked about every face: the prompt with the classes in place of ``{classes}``."""
    return settings["prompt"].replace("{classes}", ", ".join(label.replace("_", " ") for label in classes))


def bodies(faces: pd.DataFrame, pixels: np.ndarray, settings: Mapping, prompt: str) -> Iterator[bytes]:
    """Yield the body of each face's question, in the order of ``faces``."""
    for row in faces["row"]:
        picture = endpoint.drawn_png(np.asarray(pixels[row]), settings["size"])
        yield endpoint.question(prompt, picture, settings["model"], settings["request"])


def ask_all(faces: pd.DataFrame, pixels: np.ndarray, settings: Mapping, prompt: str, cache: Cache, title: str) -> list:
    """Put every question that has no answer yet, several at a time, and return all answers' lines by face.

    Parameters
    ----------
    faces : pandas.DataFrame
        Table ``faces``.
    pixels : numpy.ndarray
        (rows, side, side) or (rows, 3, side, side) uint8.
    settings : mapping
        The arm's ``endpoint``.
    prompt : str
        From :func:`prompt_of`.
    cache : Cache
        Answers so far; the new ones are added.

    Returns
    -------
    list of dict
        One line of the cache per face, in the order of ``faces``.

    Raises
    ------
    UserError
        The endpoint is away, refuses the key, the model or the question, or the budget is spent. Answers are kept.
    """
    url, key = settings["url"], endpoint.secret(settings["key_from"])
    purse, understood = Purse(cache.spent, settings["budget"]), threading.Event()
    if cache.answers:
        understood.set()
    where = f"arms: endpoint: {url}"

    def put(body: bytes) -> Answer:
        timeout, retries = settings["timeout"], settings["retries"]
        try:
            answer = endpoint.ask(url, body, key, timeout=timeout, retries=retries, spend=purse.spend, sleep=purse.rest)
        except (Away, UserError) as error:
            # an endpoint that was understood before has no answer on one face alone, else there is none at all
            if isinstance(error, Away) and error.broken and understood.is_set():
                return Answer(str(error), BROKEN, "", 0, error.requests)
            purse.ended.set()  # before this thread takes the next question
            raise
        understood.set()
        return answer

    questions: list[str] = []
    under_way: dict[Future, str] = {}
    failure: UserError | None = None

    def take_in(done: set[Future]) -> None:
        nonlocal failure
        for future in done:
            asked = under_way.pop(future)
            line = {"question": asked, "date": datetime.now(UTC).date().isoformat()}
            try:
                answer = future.result()
            except Stopped:
                continue
            except Away as away:
                cache.add(line | {"requests": away.requests})
                failure = failure or UserError(
                    f"no answer after {away.requests} requests: {away}",
                    where=where,
                    expected="an OpenAI-compatible endpoint that answers",
                    fix=f"start it or mend the address; {KEPT}",
                )
            except UserError as error:
                failure = failure or error
            else:
                cache.add(line | vars(answer))
                progress.step(1)

    with (
        Progress(title, len(faces), "faces") as progress,
        ThreadPoolExecutor(settings["at_once"], thread_name_prefix="endpoint") as pool,
    ):
        try:
            for body in bodies(faces, pixels, settings, prompt):
                questions.append(endpoint.key_of(url, body))
                if purse.ended.is_set() or purse.empty:
                    break
                if questions[-1] in cache.answers:
                    progress.step(1)
                    continue
                if questions[-1] in under_way.values():  # an identical picture
                    continue
                under_way[pool.submit(put, body)] = questions[-1]
                if len(under_way) >= 2 * settings["at_once"]:
                    take_in(wait(under_way, return_when=FIRST_COMPLETED).done)
            take_in(wait(under_way).done)
        finally:
            purse.ended.set()
            pool.shutdown(cancel_futures=True)
            # what was paid for is kept, also where somebody ends the program
            take_in({future for future in under_way if not future.cancelled()})
            if (lost := purse.spent - cache.spent) > 0:
                cache.add({"question": "", "requests": lost})
    if failure:
        raise failure
    if purse.empty:
        raise UserError(
            f"the budget of {settings['budget']:,} requests is spent before all faces have an answer",
            where=where,
            fix=f"raise endpoint.budget; {KEPT}",
        )
    return [cache.answers[asked] for asked in questions]


def read_all(lines: Sequence[Mapping], faces: pd.DataFrame, arm: str, words: Mapping[str, str]) -> pd.DataFrame:
    """Return table ``answers``: what became of each face's question, and the class that was named.

    Of identical pictures, which are asked about once, the first has the tokens and the requests.
    """
    again = pd.Series([line["question"] for line in lines]).duplicated().to_numpy()
    read = [named(line["text"], words) if line["status"] == ANSWERED else (line["status"], None) for line in lines]
    return pd.DataFrame(
        {
            "arm": arm,
            "image_id": faces["image_id"].to_numpy(),
            "status": [status for status, _ in read],
            "named": [label for _, label in read],
            "text": [one_line(" ".join(line["text"].split())) or None for line in lines],
            "model": [line["model"] or None for line in lines],
            "date": [line["date"] for line in lines],
            "tokens": np.where(again, 0, [line["tokens"] for line in lines]),
            "requests": np.where(again, 0, [line["requests"] for line in lines]),
        }
    )


def predictions_of(answers: pd.DataFrame, faces: pd.DataFrame, classes: Sequence[str], seed: int) -> pd.DataFrame:
    """Return table ``predictions`` of an arm's answers; a face without one counts as wrong.

    An audit that left such faces out would favour a model that answers where it is easy. Of the wrong classes each face
    without an answer has one in turn, so that accuracy, recall and every gap in them are what they are, and no class
    alone is charged with predictions that nobody made.
    """
    position = {label: i for i, label in enumerate(classes)}
    true = faces["label"].map(position).to_numpy()
    predicted = answers["named"].map(position).to_numpy(float, copy=True)
    none = np.flatnonzero(np.isnan(predicted))
    turn = pd.Series(true[none]).groupby(true[none]).cumcount().to_numpy()
    predicted[none] = (true[none] + 1 + turn % (len(classes) - 1)) % len(classes)
    return pd.DataFrame(
        {
            "arm": answers["arm"].to_numpy(),
            "image_id": faces["image_id"].to_numpy(),
            "seed": seed,
            "repeat": 0,
            "fold": 0,
            "role": "test",
            "true": faces["label"].to_numpy(),
            "predicted": np.array(classes, object)[predicted.astype(int)],
        }
    )


def ask_endpoint(
    arm: Mapping,
    *,
    faces: str | os.PathLike,
    pixels: str | os.PathLike,
    seed: int,
    cache: Path,
    predictions: str | os.PathLike,
    answers: str | os.PathLike,
) -> None:
    """Ask a model for the class of every face and write what it predicts and what it said.

    Parameters
    ----------
    arm : mapping
        ``name`` and ``endpoint`` of the arm.
    faces, pixels : path
        ``faces.parquet`` and ``pixels.npy``.
    seed : int
        The study's first training seed, under which the predictions stand, so that arms pair.
    cache : pathlib.Path
        File of the answers so far; it stays.
    predictions, answers : path
        Tables to write.

    Raises
    ------
    UserError
        As :func:`ask_all`, or a synonym stands for a class that there is not.
    """
    name, settings, table = arm["name"], arm["endpoint"], tables.read(faces, "faces")
    classes = sorted(table["label"].unique())
    if len(classes) < 2:
        raise UserError(
            f"every face is {classes[0]!r}", where=str(faces), expected="at least two classes to tell apart"
        )
    for word, label in settings["synonyms"].items():
        if label not in classes:
            raise UserError(
                f"{word!r} stands for {label!r}, which is no class of the study",
                where=f"arms: {name}: endpoint: synonyms",
                expected=", ".join(classes),
            )
    prompt, kept = prompt_of(settings, classes), Cache(cache)
    before = kept.spent
    lines = ask_all(table, tables.load_pixels(pixels, table["row"]), settings, prompt, kept, f"asking {name}")
    read = read_all(lines, table, name, words_of(classes, settings["synonyms"]))
    tables.write(read, answers, "answers")
    tables.write(predictions_of(read, table, classes, seed), predictions, "predictions")
    without = read.loc[read["status"] != ANSWERED, "status"].value_counts()
    why = ", ".join(f"{count:,} {status}" for status, count in without.items())
    print(
        f"arm {name}: {len(read):,} faces, {int(without.sum()):,} without an answer{f' ({why})' if why else ''}, "
        f"{kept.spent - before:,} requests now and {kept.spent:,} in all, {int(read['tokens'].sum()):,} tokens",
        file=sys.stderr,
    )
