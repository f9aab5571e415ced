"""What an arm does to the training part of a fold, and who is in it before and after."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from fergap.errors import UserError

Intervention = Callable[[np.ndarray, pd.DataFrame, Mapping, np.random.Generator], np.ndarray]


def oversample(rows: np.ndarray, groups: pd.DataFrame, settings: Mapping, generator: np.random.Generator) -> np.ndarray:
    """Repeat one group's training faces.

    Parameters
    ----------
    rows : numpy.ndarray
        (m,) positions of the training faces.
    groups : pandas.DataFrame
        (n, attributes), as :func:`fergap.training.groups.wide_groups` gives it.
    settings : mapping
        One attribute with its group, such as ``age: child``, and ``to``: ``parity`` (as many rows as the largest other
        known group of the attribute) or the group's share of all rows whose group is known, 0 < share < 1.
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
    where = "arms: oversample"
    attribute, group, to = _oversample_settings(settings, where)
    if attribute not in groups or not (groups[attribute] == group).any():
        known = {a: sorted(set(groups[a]) - {"unknown"}) for a in groups}
        raise UserError(
            f"no face of {attribute} {group!r}",
            where=where,
            expected="one of " + "; ".join(f"{a}: {', '.join(g)}" for a, g in known.items()),
        )
    part = groups[attribute].to_numpy(object)[rows]
    own = rows[part == group]
    if not len(own):
        raise UserError(
            f"no training face of {attribute} {group!r} in this fold", where=where, fix="take more faces or fewer folds"
        )
    others = pd.Series(part[(part != group) & (part != "unknown")]).value_counts()
    wanted = others.max() if to == "parity" else round(to / (1 - to) * others.sum())
    extra = max(0, (0 if others.empty else int(wanted)) - len(own))
    whole, rest = divmod(extra, len(own))
    return np.concatenate([rows, np.tile(own, whole), generator.permutation(own)[:rest]])


def _oversample_settings(settings: Mapping, where: str) -> tuple[str, str, str | float]:
    to = settings.get("to", "parity")
    named = [(a, g) for a, g in settings.items() if a != "to"]
    if len(named) != 1:
        raise UserError(f"{dict(settings)}", where=where, expected="one attribute with its group, as age: child")
    if to != "parity" and not (isinstance(to, int | float) and 0 < to < 1):
        raise UserError(f"to: {to!r}", where=where, expected="parity, or a share between 0 and 1")
    return *named[0], to


INTERVENTIONS: dict[str, Intervention] = {"oversample": oversample}


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
