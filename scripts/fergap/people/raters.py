"""What people answered: files of raters, in long form, and what follows for each face.

In long form a row is one answer: table ``raters`` of :mod:`fergap.tables`.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from fergap.errors import UserError
from fergap.tables import CONTROL, TABLES, load, to_numbers

# what the page adds to the answers
OWN = ("rater", "time", "seconds", "order", "repeat", "suggestion_shown", "adjudication", "page")
COLUMNS = tuple(TABLES["raters"].columns)
SAME = ["image_id", "attribute", "rater", "adjudication"]


def is_of_the_page(columns: Iterable[str]) -> bool:
    """Return whether a table with these columns was saved by the annotation page."""
    return {"image_id", "rater", "order", "repeat"} <= set(columns)


def long_form(wide: pd.DataFrame, attributes: list[str], where: str) -> pd.DataFrame:
    """Return one row per answer of a table with a column per attribute; an empty cell is no answer.

    Parameters
    ----------
    wide : pandas.DataFrame
        ``image_id``, ``rater``, the attributes, and any other column of the table ``raters``.
    where : str
        The file, for messages.

    Raises
    ------
    UserError
        An image or a rater has no name, or a text has control characters.
    """
    for column in ("image_id", "rater"):
        if (empty := wide[column].isna() | (wide[column].astype("str") == "")).any():
            raise UserError(
                f"row {empty.to_numpy().argmax() + 1}: the {column} is empty", where=where, expected="one in every row"
            )
    given = wide.assign(**{c: pd.NA for c in COLUMNS if c not in wide.columns and c not in ("attribute", "answer")})
    kept = [c for c in COLUMNS if c not in ("attribute", "answer")]
    parts = [given[[*kept, name]].rename(columns={name: "answer"}).assign(attribute=name) for name in attributes]
    answers = pd.concat(parts, ignore_index=True)
    answers = answers[answers["answer"].notna() & (answers["answer"].astype("str") != "")]
    for column in ("image_id", "answer", "rater"):
        text = answers[column].astype("str")
        if (bad := text.str.contains(CONTROL)).any():
            raise UserError(
                f"column {column!r}: {text[bad.idxmax()]!r}",
                where=where,
                expected="a text without line breaks and other control characters",
            )
    for column in ("seconds", "order", "suggestion_shown"):
        answers[column] = to_numbers(answers[column]).astype("float64")
    flags = {c: to_numbers(answers[c]).fillna(0).astype("int64") for c in ("repeat", "adjudication")}
    texts = {c: answers[c].astype("str") for c in ("image_id", "attribute", "answer", "rater", "time", "page")}
    return last_answers(answers.assign(**flags, **texts)[list(COLUMNS)], ["repeat"])


def last_answers(answers: pd.DataFrame, view: list[str]) -> pd.DataFrame:
    """Return each rater's last answer at each view of a face; without times the last row counts.

    Parameters
    ----------
    answers : pandas.DataFrame
        Table ``raters``.
    view : list of str
        Columns that tell a rater's views of a face apart.
    """
    ordered = answers.sort_values("time", kind="stable", na_position="first")
    return ordered.drop_duplicates([*SAME, *view], keep="last").sort_index().reset_index(drop=True)


def distinct(answers: pd.DataFrame) -> pd.DataFrame:
    """Return each rater's first and second answer about a face, with ``repeat`` 0 and 1; later ones are left out.

    A view of one page is one answer, the last, in however many files it was saved; another tool's answer of the same
    time is the same. What a rater answered again on another page or in another table is a second answer.

    Parameters
    ----------
    answers : pandas.DataFrame
        Table ``raters``, in which a rater's earlier views stand first.
    """
    answers = answers.reset_index(drop=True)
    row = pd.Series(answers.index, index=answers.index)
    view = (answers["page"] + "/" + answers["order"].astype("str")).fillna(answers["time"]).fillna(row.astype("str"))
    views = answers.assign(view=view, row=row)
    views["row"] = views.groupby([*SAME, "view"])["row"].transform("min")
    kept = last_answers(views, ["view"]).sort_values("row", kind="stable").drop(columns=["view", "row"])
    kept["repeat"] = kept.groupby(SAME).cumcount()
    return kept[kept["repeat"] < 2].reset_index(drop=True)


def json_lines(path: Path) -> pd.DataFrame:
    """Read a file of one JSON object per line, all values as text.

    Raises
    ------
    UserError
        A line is no object.
    """
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig", errors="replace").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise UserError(
                f"line {number} is no JSON object: {line[:60]!r}",
                where=str(path),
                expected="one object per line, as the annotation page saves them",
                fix="save the file again; a copy may have been cut off",
            )
        rows.append({key: None if value is None else str(value) for key, value in row.items()})
    return pd.DataFrame(rows, dtype="str")


def from_page(path: str | os.PathLike) -> pd.DataFrame:
    """Read a file of the annotation page, CSV or JSON Lines.

    Returns
    -------
    pandas.DataFrame
        Table ``raters``.

    Raises
    ------
    UserError
        The file is damaged or foreign, or a place, a repeat or a time is none.
    """
    path = Path(path)
    table = json_lines(path) if path.suffix == ".jsonl" else load(path, text=tuple(load(path).columns))
    attributes = [c for c in table.columns if c not in ("image_id", *OWN)]
    if not is_of_the_page(table.columns) or not attributes:
        raise UserError(
            f"found the columns {', '.join(map(str, table.columns)) or 'none'}",
            where=str(path),
            expected="image_id, one column per attribute, and rater, order, repeat: a file of the annotation page",
        )
    limits = {"order": (1, None), "seconds": (0, None)} | dict.fromkeys(
        ("repeat", "suggestion_shown", "adjudication"), (0, 1)
    )
    for column, (low, high) in limits.items():
        if column in table.columns:
            numbers = to_numbers(table[column])
            wrong = ~(numbers >= low) | (numbers > (float("inf") if high is None else high))
            if wrong.any():
                row = wrong.idxmax()
                raise UserError(
                    f"column {column!r}, row {row + 1}: {table[column][row]!r}",
                    where=str(path),
                    expected=f"a number from {low}" + ("" if high is None else f" to {high}"),
                )
    seen = to_numbers(table["order"]).argsort(kind="stable")
    return long_form(table.iloc[seen].reset_index(drop=True), attributes, str(path))


def combined(answers: pd.DataFrame) -> pd.DataFrame:
    """Return what several raters say of each face: the answer that most of them give, none where two tie.

    A rater's second answer counts only where there is no first. *unclear* and *not a face* are answers like others.

    Parameters
    ----------
    answers : pandas.DataFrame
        Table ``raters``.

    Returns
    -------
    pandas.DataFrame
        As the sources in :mod:`fergap.people.annotators`: ``image_id``, a column per attribute, with several raters
        ``<attribute>_confidence``, the share of a face's raters that gave its answer, and ``annotator``: their names.
    """
    first = answers.sort_values("repeat", kind="stable").drop_duplicates(["image_id", "attribute", "rater"])
    ids = answers["image_id"].drop_duplicates().reset_index(drop=True)
    out = pd.DataFrame({"image_id": ids})
    several = answers["rater"].nunique() > 1
    for attribute in answers["attribute"].drop_duplicates():
        rows = first[first["attribute"] == attribute]
        votes = rows.groupby(["image_id", "answer"]).size().rename("votes").reset_index()
        votes["best"] = votes.groupby("image_id")["votes"].transform("max")
        votes["all"] = votes.groupby("image_id")["votes"].transform("sum")
        won = votes[votes["votes"] == votes["best"]]
        won = won[~won["image_id"].duplicated(keep=False)].set_index("image_id")
        out[attribute] = won["answer"].reindex(ids).astype("str").to_numpy()
        if several:
            out[f"{attribute}_confidence"] = (won["votes"] / won["all"]).reindex(ids).to_numpy()
    names = first.groupby("image_id")["rater"].agg(lambda raters: "+".join(sorted(set(raters))))
    return out.assign(annotator=names.reindex(ids).astype("str").to_numpy())
