"""The groups of the faces, by attribute and by combination of attributes, as codes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fergap.errors import UserError
from fergap.training.options import named_with_places, parts_of

CLASS = "class"
"""What options of an arm call the label, wherever they may name an attribute."""


@dataclass(frozen=True)
class Groups:
    """The groups of one attribute or combination.

    Attributes
    ----------
    names : tuple of str
        Sorted; those of a combination are joined by `` × ``.
    codes : numpy.ndarray
        (n,) int64, index into ``names``, -1 where unknown.
    """

    names: tuple[str, ...]
    codes: np.ndarray

    def counts(self, rows: np.ndarray) -> tuple[int, ...]:
        """Return each group's number of rows, positions, where a face may stand several times."""
        return tuple(np.bincount(self.codes[rows] + 1, minlength=len(self.names) + 1)[1:].tolist())

    def own_counts(self, rows: np.ndarray) -> np.ndarray:
        """Return for each face the number of rows, positions, of its own group: (n,) int64, 0 where it is unknown."""
        return np.array([*self.counts(rows), 0])[self.codes]

    def shares(self, rows: np.ndarray) -> tuple[float, ...]:
        """Return each group's share of the rows, positions, whose group is known; zeros where there is none."""
        counts = np.array(self.counts(rows))
        return tuple((counts / max(counts.sum(), 1)).tolist())


def wide_groups(people: pd.DataFrame, image_ids: pd.Series) -> pd.DataFrame:
    """Return each face's group by attribute.

    Parameters
    ----------
    people : pandas.DataFrame
        Table ``people``.
    image_ids : pandas.Series
        (n,) ids; a face that ``people`` does not know has no group.

    Returns
    -------
    pandas.DataFrame
        (n, attributes) text, row i for face i; ``unknown`` where there is no group.
    """
    wide = {
        attribute: part.set_index("image_id")["group"].reindex(image_ids).fillna("unknown").to_numpy(object)
        for attribute, part in people.groupby("attribute")
    }
    return pd.DataFrame(wide, index=range(len(image_ids)))


def groups_of(groups: pd.DataFrame, name: str, where: str) -> Groups:
    """Return the groups of an attribute, or of a combination such as ``gender*age``.

    Parameters
    ----------
    groups : pandas.DataFrame
        (n, attributes) text, ``unknown`` where there is no group, as :func:`wide_groups` gives it; with the column
        ``class`` where labels may be named.
    name : str
    where : str
        The place in the config that names it, for the error.

    Raises
    ------
    UserError
        There is no such attribute.
    """
    parts = parts_of(name)
    for part in parts:
        if part not in groups:
            raise UserError(f"there is no attribute {part!r}", where=where, expected="one of " + ", ".join(groups))
    known = (groups[parts] != "unknown").all(axis=1).to_numpy()
    joined = groups[parts].agg(" × ".join, axis=1).to_numpy(object)
    names = tuple(sorted(set(joined[known])))
    place = {text: code for code, text in enumerate(names)}
    codes = np.array([place[text] if sure else -1 for text, sure in zip(joined, known, strict=True)], np.int64)
    return Groups(names, codes)


def joined(name: str, group: str) -> str:
    """Return a group as :attr:`Groups.names` spells it: ``female*child`` of ``gender*age`` is ``female × child``."""
    return " × ".join(parts_of(group.replace("×", "*"))) if "*" in name else group


def member_of(groups: pd.DataFrame, name: str, group: str, where: str) -> tuple[Groups, int]:
    """Return the groups of an attribute or combination, and the code of one of them.

    Parameters
    ----------
    groups, name, where
        As :func:`groups_of` takes them.
    group : str
        Of a combination joined as the attributes are, such as ``female*child``.

    Raises
    ------
    UserError
        No face belongs to the group; the message lists those that there are.
    """
    if set(parts_of(name)) <= set(groups):
        found = groups_of(groups, name, where)
        if (spelled := joined(name, group)) in found.names:
            return found, found.names.index(spelled)
    known = {a: sorted(set(groups[a]) - {"unknown"}) for a in groups}
    raise UserError(
        f"no face of {name} {group!r}",
        where=where,
        expected="one of " + "; ".join(f"{a}: {', '.join(g)}" for a, g in known.items()),
    )


def named_by(option: Any) -> list[str]:
    """Return every attribute or combination that ``by`` names anywhere in an option of an arm, in order, each once."""
    return list(dict.fromkeys(name for name, _ in named_with_places(option, "")))
