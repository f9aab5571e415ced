"""What an arm does to the training part of a fold, and who is in it before and after."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fergap.errors import UserError
from fergap.training.compositions import compose
from fergap.training.groups import Groups, groups_of, member_of
from fergap.training.options import resampled

Intervention = Callable[[np.ndarray, pd.DataFrame, Mapping, np.random.Generator], np.ndarray]
PARITY, ALL = "parity", "all"


@dataclass(frozen=True)
class Resampling:
    """What ``oversample`` or ``undersample`` asks for.

    Attributes
    ----------
    found : Groups
    asked : tuple of int
        Codes of the groups whose rows are repeated or left out.
    to : str or float
        ``parity``, or the share of the rows of known group that the one group shall have, 0 < share < 1.
    cells : numpy.ndarray
        (n,) int64, by position: the cell within which it is done, -1 where it is not.
    """

    found: Groups
    asked: tuple[int, ...]
    to: str | float
    cells: np.ndarray

    def parts(self, rows: np.ndarray, level: Callable) -> Iterator[tuple[np.ndarray, int]]:
        """Yield the places in ``rows`` of each group in each cell and the number of rows that it shall have there.

        Parity is the ``level``, max or min, of the other known groups that have rows in the cell; a group without rows
        or without others keeps what it has and is left out.
        """
        codes = self.found.codes[rows]
        for cell in range(self.cells.max(initial=-1) + 1):
            here = self.cells[rows] == cell
            counts = np.array(self.found.counts(rows[here]))
            for code in self.asked:
                others = np.delete(counts, code)
                if counts[code] and others.any():
                    share = None if self.to == PARITY else self.to / (1 - self.to)
                    wanted = level(others[others > 0]) if share is None else round(share * others.sum())
                    yield np.flatnonzero(here & (codes == code)), int(wanted)


def resampling_of(rows: np.ndarray, groups: pd.DataFrame, settings: Mapping, where: str) -> Resampling:
    """Return what ``oversample`` or ``undersample`` asks for.

    Raises
    ------
    UserError
        The settings name no attribute, group or share, or the group has no training face.
    """
    to, named = settings.get("to", PARITY), resampled(settings)
    if len(named) != 1:
        raise UserError(f"{dict(settings)}", where=where, expected="one attribute with its group, as age: child")
    if to != PARITY and not (isinstance(to, int | float) and 0 < to < 1):
        raise UserError(f"to: {to!r}", where=where, expected="parity, or a share between 0 and 1")
    name, group = named[0], settings[named[0]]
    if group == ALL:
        found = groups_of(groups, name, where)
        asked = tuple(range(len(found.names)))
    else:
        found, code = member_of(groups, name, group, where)
        asked = (code,)
        if not (found.codes[rows] == code).any():
            raise UserError(
                f"no training face of {name} {group!r} in this fold", where=where, fix="take more faces or fewer folds"
            )
    within = settings.get("within")
    cells = groups_of(groups, within, where).codes if within else np.zeros(len(groups), np.int64)
    return Resampling(found, asked, to, cells)


def oversample(rows: np.ndarray, groups: pd.DataFrame, settings: Mapping, generator: np.random.Generator) -> np.ndarray:
    """Repeat one group's training faces.

    Parameters
    ----------
    rows : numpy.ndarray
        (m,) positions of the training faces.
    groups : pandas.DataFrame
        (n, attributes), as :func:`fergap.training.groups.groups_of` takes it.
    settings : mapping
        One attribute or combination with its group, such as ``age: child``, ``class: fear`` or ``age*class:
        child*fear``, or with ``all``. ``to``: ``parity`` (as many rows as the largest other known group) or, for one
        group, its share of all rows whose group is known, 0 < share < 1. ``within``: an attribute or combination in
        each of whose groups this is done for itself, such as ``class``; rows that have none stay as they are, and so
        does a cell in which the group has no face to repeat.
    generator : numpy.random.Generator
        Chooses the faces that are repeated once more than the others, where the wanted number is no multiple.

    Returns
    -------
    numpy.ndarray
        ``rows``, then the repeats: each face of the group the same number of times or once more. A group that already
        has the wanted number is left as it is.

    Raises
    ------
    UserError
        The settings name no attribute, group or share, or the group has no training face.
    """
    asked, repeats = resampling_of(rows, groups, settings, "arms: oversample"), [rows]
    for places, wanted in asked.parts(rows, np.max):
        own = rows[places]
        whole, rest = divmod(max(0, wanted - len(own)), len(own))
        repeats += [np.tile(own, whole), generator.permutation(own)[:rest]]
    return np.concatenate(repeats)


def undersample(
    rows: np.ndarray, groups: pd.DataFrame, settings: Mapping, generator: np.random.Generator
) -> np.ndarray:
    """Leave out training faces of one group.

    Parameters
    ----------
    rows, groups
        As :func:`oversample` takes them.
    settings : mapping
        As :func:`oversample` takes them, with parity as many rows as the smallest other known group that has any.
    generator : numpy.random.Generator
        Chooses the faces that stay; of a smaller number those that also stay of a larger one.

    Returns
    -------
    numpy.ndarray
        ``rows`` without those left out, in their order. A group that has no more than the wanted number is left as it
        is.

    Raises
    ------
    UserError
        As for :func:`oversample`.
    """
    stays = np.ones(len(rows), bool)
    for places, wanted in resampling_of(rows, groups, settings, "arms: undersample").parts(rows, np.min):
        stays[generator.permutation(places)[wanted:]] = False
    return rows[stays]


INTERVENTIONS: dict[str, Intervention] = {"composition": compose, "undersample": undersample, "oversample": oversample}


def intervene(
    rows: np.ndarray, groups: pd.DataFrame, arm: Mapping, generators: Callable[[str], np.random.Generator]
) -> np.ndarray:
    """Apply an arm's interventions, in the registry's order, to the positions of the training faces.

    ``generators`` gives the random stream of an intervention by its name.
    """
    for name, function in INTERVENTIONS.items():
        if arm.get(name) is not None:
            rows = function(rows, groups, arm[name], generators(name))
    return rows


def composition(before: np.ndarray, after: np.ndarray, groups: pd.DataFrame) -> pd.DataFrame:
    """Count each group's training faces before the interventions and its training rows after them.

    Returns
    -------
    pandas.DataFrame
        One row per attribute and group, ``unknown`` included, and groups without a training face: ``attribute``,
        ``group``, ``faces``, ``rows``.
    """
    tables = []
    for attribute in groups:
        names = [*sorted(set(groups[attribute]) - {"unknown"}), "unknown"]
        values = groups[attribute].to_numpy(object)
        counts = {"faces": pd.Series(values[before]).value_counts(), "rows": pd.Series(values[after]).value_counts()}
        table = pd.DataFrame({c: n.reindex(names, fill_value=0).to_numpy() for c, n in counts.items()})
        tables.append(table.assign(attribute=attribute, group=names))
    columns = ["attribute", "group", "faces", "rows"]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)
