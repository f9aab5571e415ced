"""Predictions of somebody else's model."""

import os
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from fergap import tables
from fergap.errors import UserError
from fergap.faces.vocabulary import unified

TOLERANCE = 0.01


def check_same_words(true: Iterable[str], predicted: Iterable[str], declared: Sequence[str], where: str) -> None:
    """Raise a UserError where predictions call a class otherwise than the true labels: each would count as wrong.

    Parameters
    ----------
    true, predicted : iterable of str
        The classes that stand in either column, or have a probability.
    declared : sequence of str
        ``audit.classes``: a class listed there is one of its own, whatever its name.
    where : str
        The file.
    """
    labels, named = set(true), set(predicted)
    words = {unified(label).casefold(): label for label in sorted(labels)}
    for name in sorted(named - labels - set(declared)):
        if label := words.get(unified(name).casefold()):
            raise UserError(
                f"predicted class {name!r} is never a true label, {label!r} is",
                where=where,
                expected="one word for a class, in true and in predicted",
                fix=f"write {label!r} in both columns; or, if they are two classes, list every class: audit.classes",
            )
    if not named & (labels | set(declared)):
        raise UserError(
            f"no predicted class is ever a true label: predicted {', '.join(sorted(named))}; "
            f"true {', '.join(sorted(labels))}",
            where=where,
            expected="the same classes in true and in predicted",
            fix="write classes in both columns by the same words, or list every class: audit.classes",
        )


def read_external(
    path: str | os.PathLike, arm: str, seed: int, faces: pd.DataFrame | None, declared: Sequence[str] = ()
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Read an arm's own predictions and check them.

    Parameters
    ----------
    path : path
        CSV or Parquet with ``image_id``, ``true``, ``predicted``; optionally ``fold`` and ``repeat`` (0 where they are
        missing), ``seed``, ``role`` (``test`` where missing) and one ``p_<class>`` per class.
    arm : str
        Its name.
    seed : int
        For a file without the column: the study's first training seed, so that arms pair.
    faces : pandas.DataFrame or None
        Table ``faces``, where the study has one: ids and labels must agree with it.
    declared : sequence of str
        ``audit.classes``; see :func:`check_same_words`.

    Returns
    -------
    predictions : pandas.DataFrame
        Table ``predictions``.
    counts : dict
        ``faces`` tested, and ``without_prediction``: faces of the study that no test row names.

    Raises
    ------
    UserError
        A column, id, label, class or probability is not what it should be; the file, line and value are named.
    """
    where = str(path)
    frame = tables.load(path, text=("image_id", "true", "predicted", "role"))
    if absent := [c for c in ("image_id", "true", "predicted") if c not in frame]:
        raise UserError(
            f"column {absent[0]!r} is missing (found: {', '.join(map(str, frame.columns))})",
            where=where,
            expected="image_id, true and predicted; optionally fold, repeat, seed, role, p_<class>",
        )
    if frame.empty:
        raise UserError("there are no predictions", where=where, expected="one row per face")
    for column, default in {"seed": seed, "repeat": 0, "fold": 0, "role": "test"}.items():
        if column not in frame:
            frame[column] = default
    frame["image_id"] = frame["image_id"].astype("str")
    frame["arm"] = arm
    frame = tables.check(frame, "predictions", where)
    shares = [c for c in frame if c.startswith("p_")]
    frame = frame[[*tables.TABLES["predictions"].columns, *shares]]

    def refuse(bad: pd.Series | np.ndarray, problem: str, expected: str, fix: str = "") -> None:
        # the first bad line alone: one message, not thousands
        if np.any(bad):
            row = int(np.argmax(np.asarray(bad)))
            about = problem.format(**{k: frame[k].iloc[row] for k in ("image_id", "true", "predicted")})
            raise UserError(f"line {row + 2}: {about}", where=where, expected=expected, fix=fix)

    test = frame["role"] == "test"
    refuse(
        frame.duplicated(["image_id", "seed", "repeat", "fold", "role"])
        | (frame[test].duplicated(["image_id", "seed", "repeat"]).reindex(frame.index, fill_value=False)),
        "face {image_id!r} is predicted again",
        "each face once per seed and repeat",
        "remove the repeated row, or give it its repeat in a column of that name",
    )
    if not test.any():
        raise UserError("no row has the role test", where=where, expected="out-of-fold predictions")
    classes = [c.removeprefix("p_") for c in shares]
    if faces is not None:
        known = sorted(faces["label"].unique())
        label = frame["image_id"].map(faces.set_index("image_id")["label"])
        refuse(label.isna(), "face {image_id!r} is not among the study's faces", "ids of faces.parquet")
        refuse(~frame["true"].isin(known), "true label {true!r} is not one of the study's", ", ".join(known))
        refuse(label != frame["true"], "face {image_id!r} has the true label {true!r}", "the label in faces.parquet")
    else:
        known = sorted(set(frame["true"]) | set(classes))
        clash = frame.groupby("image_id")["true"].transform("nunique") > 1
        refuse(clash, "face {image_id!r} has the true label {true!r} here, another elsewhere", "one label per face")
        known = known if classes else sorted(set(known) | set(frame["predicted"]))
    labels = known if faces is not None else frame["true"]
    check_same_words(labels, [*frame["predicted"], *classes], declared, where)
    refuse(~frame["predicted"].isin(known), "predicted class {predicted!r} is not one of the study's", ", ".join(known))
    if shares:
        if set(classes) != set(known):
            odd = sorted(set(classes) ^ set(known))[0]
            raise UserError(
                f"class {odd!r} and the columns p_… do not fit",
                where=where,
                expected="the columns " + ", ".join(f"p_{c}" for c in known) + ", or none of them",
            )
        refuse(frame[shares].isna().any(axis=1), "face {image_id!r} lacks a probability", "one for each class")
        sums = frame[shares].sum(axis=1)
        refuse((sums - 1).abs() > TOLERANCE, "the probabilities of face {image_id!r} do not sum to 1", "a sum of 1")
    tested = frame.loc[test, "image_id"].nunique()
    left = 0 if faces is None else int((~faces["image_id"].isin(frame.loc[test, "image_id"])).sum())
    return frame, {"faces": tested, "without_prediction": left}
