"""Classes from votes: by rules with a precedence, or by majority."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from fergap.errors import UserError
from fergap.faces.expressions import evaluate
from fergap.faces.votes import EMOTIONS, VOTES


@dataclass(frozen=True)
class Labelling:
    """What a scheme makes of n rows of votes.

    Attributes
    ----------
    classes : tuple of str
        The scheme's classes, in its order.
    code : ndarray of int64, shape (n,)
        Position in ``classes``, -1 for a row without a class.
    reason : ndarray of str, shape (n,)
        Why a row has no class, empty where it has one.
    matched : ndarray of bool, shape (n, classes)
        Whether each class's own rule holds, before the precedence.
    reasons : tuple of str
        Every reason that the scheme can give.
    """

    classes: tuple[str, ...]
    code: np.ndarray
    reason: np.ndarray
    matched: np.ndarray
    reasons: tuple[str, ...]

    def overlaps(self) -> pd.DataFrame:
        """Return the number of rows on which two classes' rules both hold, for pairs that have any."""
        pairs = [
            (self.classes[i], self.classes[j], int((self.matched[:, i] & self.matched[:, j]).sum()))
            for i, j in combinations(range(len(self.classes)), 2)
        ]
        return pd.DataFrame([p for p in pairs if p[2]], columns=["first", "second", "count"])


def columns_of(votes: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the ten columns of votes by name."""
    return {name: votes[name].to_numpy("int64") for name in VOTES}


def known(names: list[str], key: str) -> tuple[str, ...]:
    """Return the names of a scheme's emotions if each is a column of votes and stands once."""
    for position, name in enumerate(names):
        if name not in VOTES or name in names[:position]:
            raise UserError(
                f"{name!r} {'repeats' if name in VOTES else 'is no column of votes'}",
                where=key,
                expected=f"some of {', '.join(VOTES)}, each once",
            )
    return tuple(names)


def by_rules(votes: pd.DataFrame, scheme: dict, name: str, key: str) -> Labelling:
    """Give each row the first of the scheme's classes whose rule holds.

    ``scheme`` has ``classes``, a list of ``{label, when}``, and ``emotions``, those that ``others`` compares with.
    """
    emotions = known(scheme.get("emotions", list(EMOTIONS)), f"{key}.emotions")
    classes = tuple(entry["label"] for entry in scheme["classes"])
    if len(set(classes)) < len(classes):
        raise UserError(
            f"a label repeats ({', '.join(classes)})", where=f"{key}.classes", fix="join its rules with `or`"
        )
    columns = columns_of(votes)
    matched = np.column_stack(
        [
            evaluate(entry["when"], columns, emotions, key=f"{key}.classes[{position}].when")
            for position, entry in enumerate(scheme["classes"])
        ]
    )
    code = np.where(matched.any(axis=1), matched.argmax(axis=1), -1)
    none = f"no class under scheme {name}"
    return Labelling(classes, code, np.where(code < 0, none, ""), matched, (none,))


def by_majority(votes: pd.DataFrame, scheme: dict, name: str, key: str) -> Labelling:
    """Give each row the emotion with most votes, where it has more than ``share`` of those for the listed emotions.

    ``scheme`` has ``majority``, the emotions, and ``share`` (default 0.5). Rows in which two emotions have equally
    many votes are a tie; rows without a vote for any listed emotion have no class.
    """
    classes = known(scheme["majority"], f"{key}.majority")
    counts = votes[list(classes)].to_numpy("int64")
    top, total = counts.max(axis=1), counts.sum(axis=1)
    tie = (counts == top[:, None]).sum(axis=1) > 1
    won = ~tie & (top > scheme.get("share", 0.5) * total)
    none = f"no class under scheme {name}"
    reason = np.select([won, total == 0, tie], ["", none, "tie"], "no majority")
    code = np.where(won, counts.argmax(axis=1), -1)
    return Labelling(classes, code, reason, code[:, None] == np.arange(len(classes)), (none, "tie", "no majority"))


def label(votes: pd.DataFrame, name: str, schemes: dict[str, dict]) -> Labelling:
    """Return the classes of rows of votes under the scheme ``name``.

    Parameters
    ----------
    votes : pandas.DataFrame
        With the columns of ``VOTES``.
    name : str
        A key of ``schemes``.
    schemes : dict
        Schemes by name: ``{emotions, classes: [{label, when}]}`` or ``{majority, share}``.

    Raises
    ------
    UserError
        There is no such scheme, or it is not understood (the key is named).
    """
    key = f"faces.schemes.{name}"
    if name not in schemes:
        raise UserError(f"{name!r} is no scheme", where="faces.labels", expected=f"one of {', '.join(schemes)}")
    scheme = schemes[name]
    if ("classes" in scheme) == ("majority" in scheme):
        raise UserError(
            f"it has the keys {', '.join(scheme) or 'none'}",
            where=key,
            expected="either `classes` (with rules) or `majority` (with emotions)",
        )
    return (by_rules if "classes" in scheme else by_majority)(votes, scheme, name, key)
