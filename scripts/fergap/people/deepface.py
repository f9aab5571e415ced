"""What DeepFace's ``analyze`` answered about each face, as a source of people.

``analyze`` returns results without the pictures' names and saves nothing itself, so a file is what its user made of
them: JSON that maps each picture to its result or results, a list or lines of results that each name their picture, or
a table.
"""

import ast
import json
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from fergap.errors import UserError, shown
from fergap.people.annotators import age_group
from fergap.people.exchange import matched
from fergap.tables import CONTROL, load

PICTURE = ("image_id", "image", "img_path", "img", "path", "file", "file_name", "filename")
WORDS = {
    "gender": {"woman": "female", "man": "male"},
    # as FairFace writes those that both know
    "race": {
        "asian": "Asian",
        "indian": "Indian",
        "black": "Black",
        "white": "White",
        "middle eastern": "Middle Eastern",
        "latino hispanic": "Latino_Hispanic",
    },
}
NUMPY = re.compile(r"(?:np|numpy)\.float\d+\(([^()]*)\)")  # how NumPy 2 writes a number into a printed mapping
OLDEST = 150
HOW = (
    'json.dump({path: DeepFace.analyze(path, ["age", "gender", "race"], enforce_detection=False) for path in paths}, f)'
)
Row = dict[str, Any]


def flat(values: Any) -> Iterator[Any]:
    """Yield the results in lists of lists; a batch of pictures has a list for each."""
    if isinstance(values, list):
        for value in values:
            yield from flat(value)
    else:
        yield values


def named(result: Row) -> str | None:
    """Return the picture that a result names, if it names one."""
    given = (result.get(key) for key in PICTURE)
    return next((str(name) for name in given if isinstance(name, str | int) and name != ""), None)


def results(path: Path) -> list[tuple[str, str, Row]]:
    """Return place in the file, picture and result of each face in a file of DeepFace's answers.

    Raises
    ------
    UserError
        The file is missing or damaged, or a result does not say of which picture it is.
    """
    found: list[tuple[str, str | None, Any]] = []
    if path.suffix in (".json", ".jsonl"):
        try:
            text = path.read_text(encoding="utf-8-sig")
            lines = [line for line in text.splitlines() if line.strip()] if path.suffix == ".jsonl" else [text]
            data = [json.loads(line) for line in lines]
        except FileNotFoundError:
            raise UserError("there is no such file", where=str(path)) from None
        except ValueError as error:
            raise UserError(
                f"is no whole JSON ({error})", where=str(path), fix="save DeepFace's answers again"
            ) from error
        if path.suffix == ".json" and isinstance(data[0], dict) and named(data[0]) is None:
            found = [(f"{key!r}", key, result) for key, value in data[0].items() for result in flat(value)]
        else:
            rows = enumerate(flat(data), 1)
            found = [(f"result {i}", named(row) if isinstance(row, dict) else None, row) for i, row in rows]
    else:
        table = load(path, text=tuple(load(path).columns))
        rows = enumerate(table.astype("object").where(table.notna(), None).to_dict("records"), 2)
        found = [(f"line {i}", named(row), row) for i, row in rows]
    for place, picture, result in found:
        if not isinstance(result, dict) or not picture or re.search(CONTROL, picture):
            raise UserError(
                f"{place} does not say of which picture it is",
                where=str(path),
                expected=f"{{picture: what DeepFace.analyze returned}}, or results with one of {', '.join(PICTURE)}",
                fix=f"save them by {HOW}",
            )
    if not found:
        raise UserError("holds no answer", where=str(path), expected="at least one", fix=f"save them by {HOW}")
    return found


def scores(result: Row, attribute: str) -> dict[str, float]:
    """Return the score of each word, empty where there are none; as a mapping, a printed one, or columns of their own.

    Raises
    ------
    ValueError
        A score is no number, or none is above zero.
    """
    given = next((result[key] for key in (attribute, f"{attribute}s") if result.get(key) is not None), None)
    if isinstance(given, str) and given.lstrip().startswith("{"):
        try:
            given = ast.literal_eval(NUMPY.sub(r"\1", given))
        except (SyntaxError, ValueError):
            raise ValueError(f"{shown(given)} is no mapping of scores") from None
    if not isinstance(given, dict):
        columns = {k: v for k, v in result.items() if k.startswith((f"{attribute}.", f"{attribute}s."))}
        given = {k.partition(".")[2]: v for k, v in columns.items() if v is not None}
    try:
        found = {str(word).lower(): float(score) for word, score in given.items()}
    except (TypeError, ValueError):
        raise ValueError(f"{shown(given)} are no scores") from None
    if found and not (all(0 <= s < math.inf for s in found.values()) and sum(found.values()) > 0):
        raise ValueError(f"{shown(given)} are no scores")
    return found


def answer(result: Row, attribute: str) -> tuple[str | None, float]:
    """Return the group that a result names, in the study's words, and the share of the scores that it has.

    Raises
    ------
    ValueError
        The word or its scores are none of DeepFace's.
    """
    by, given = scores(result, attribute), result.get(f"dominant_{attribute}")
    if given is None and isinstance(result.get(attribute), str) and not by:
        given = result[attribute]
    if given is None and by:
        given = max(by, key=by.__getitem__)
    if given is None:
        return None, math.nan
    word = str(given).lower()
    if word not in WORDS[attribute]:
        raise ValueError(f"{shown(given)} is no {attribute} of DeepFace's, which are {', '.join(WORDS[attribute])}")
    return WORDS[attribute][word], by[word] / sum(by.values()) if word in by else math.nan


def age_of(result: Row) -> float:
    """Return a result's age in years, NaN where it has none.

    Raises
    ------
    ValueError
        It is no number from 0 to 150.
    """
    given = result.get("age")
    if given is None:
        return math.nan
    try:
        years = float(given)
    except (TypeError, ValueError):
        years = math.nan
    if not 0 <= years <= OLDEST:
        raise ValueError(f"{shown(given)} is no age from 0 to {OLDEST}")
    return years


def flattened(result: Row) -> Row:
    """Return a result whose answers may lie under ``demographics``, as newer versions have them."""
    below = result.get("demographics")
    return result | below if isinstance(below, dict) else result


def from_deepface(
    path: str | Path, age_groups: dict[str, list[float]], image_ids: pd.Series | None = None
) -> pd.DataFrame:
    """Read what DeepFace answered: CSV, JSON or JSON Lines.

    A picture in which it found several faces has no answer, because none of them is known to be the study's.

    Parameters
    ----------
    path : path
        Read as :func:`results` says; of the attributes ``age`` in years, ``gender`` and ``race``, each a word, a
        mapping of scores, or both.
    age_groups : dict
        Name to [first, last] year, both inclusive.
    image_ids : pandas.Series of str or None
        The study's faces, by which pictures are recognised that the file calls by their paths.

    Returns
    -------
    pandas.DataFrame
        ``image_id``, ``gender`` (``female``/``male``), ``race`` in FairFace's words, ``age_value`` in years, ``age``,
        of gender and race the share of the scores as ``…_confidence``, and ``annotator``, the file's name.

    Raises
    ------
    UserError
        The file is missing, damaged or foreign, or an answer is none of DeepFace's.
    """
    path, rows = Path(path), []
    for place, picture, result in results(path):
        row: Row = {"image_id": picture}
        try:
            own = flattened(result)
            row["age_value"] = age_of(own)
            for attribute in WORDS:
                row[attribute], row[f"{attribute}_confidence"] = answer(own, attribute)
        except ValueError as error:
            raise UserError(f"{place}: {error}", where=str(path), fix="save DeepFace's answers again") from error
        rows.append(row)
    table = pd.DataFrame(rows)
    if table[["age_value", *WORDS]].isna().all(axis=None):
        raise UserError(
            f"no result has an age, a gender or a race (found: {', '.join(map(str, result))})",
            where=str(path),
            expected="age, dominant_gender or gender, dominant_race or race",
            fix=f"save them by {HOW}",
        )
    if image_ids is not None:
        table["image_id"] = matched(table["image_id"], image_ids)
    several = table["image_id"].duplicated(keep=False)
    if several.any():
        pictures = table.loc[several, "image_id"].nunique()
        print(f"{path}: in {pictures:,} pictures several faces were found; they stay open", file=sys.stderr)
    table = table[~several].reset_index(drop=True)
    table = table.assign(**{a: table[a].astype("str") for a in WORDS}, age=age_group(table["age_value"], age_groups))
    return table.assign(annotator=path.stem)
