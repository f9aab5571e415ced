"""Training parts of a declared composition, of equal size in all arms of a study that declare one."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from fergap.errors import UserError
from fergap.training.groups import CLASS, Groups, groups_of, member_of

AS_FOUND = "as_found"
WHERE = "arms: composition"


def shares_of(composition: Mapping, groups: pd.DataFrame, rows: np.ndarray) -> tuple[Groups, np.ndarray]:
    """Return the groups of a composition and the share of the training rows that each shall have.

    Parameters
    ----------
    composition : mapping
        One attribute or combination with each group's share (a group that is not named has none), or with ``as_found``:
        each group's share of the faces in ``rows`` whose group is known.
    groups : pandas.DataFrame
        (n, attributes), as :func:`fergap.training.groups.groups_of` takes it.
    rows : numpy.ndarray
        (m,) positions of the training faces.

    Returns
    -------
    tuple
        The groups, and (k,) float64 in the order of their codes.

    Raises
    ------
    UserError
        There is no such attribute or group.
    """
    ((name, given),) = composition.items()
    found = groups_of(groups, name, WHERE)
    if given == AS_FOUND:
        return found, np.array(found.shares(rows))
    shares = np.zeros(len(found.names))
    for group, share in given.items():
        shares[member_of(groups, name, group, WHERE)[1]] += share
    return found, shares


def apportion(size: int, shares: np.ndarray) -> np.ndarray:
    """Return how many of ``size`` rows each group has by the largest remainders (Hamilton's method).

    Each group has the whole part of ``size`` times its share; what is left goes one by one to the largest fractions,
    among equal ones to the first.

    Parameters
    ----------
    shares : numpy.ndarray
        (k,) float64, sums to 1.

    Returns
    -------
    numpy.ndarray
        (k,) int64, sums to ``size``; each differs from ``size`` times its share by less than 1.
    """
    quota = np.round(size * shares, 9)  # 0.29 · 100 is 28.999999999999996
    counts = np.floor(quota).astype(np.int64)
    counts[np.argsort(counts - quota, kind="stable")[: size - counts.sum()]] += 1
    return counts


def largest_size(wanted: Sequence[tuple[np.ndarray, np.ndarray]]) -> int:
    """Return the most rows with which every composition can be had without repeating a face.

    Parameters
    ----------
    wanted : sequence of tuple
        Of each composition the faces that there are in each group, (k,) int64, and its shares, (k,) float64.
    """
    bounds = [(faces[shares > 0] + 1) / shares[shares > 0] for faces, shares in wanted]
    size = int(min(min(bound, default=0) for bound in bounds))
    while any((apportion(size, shares) > faces).any() for faces, shares in wanted):
        size -= 1
    return size


def class_order(rows: np.ndarray, classes: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return the rows in a random order of which every beginning has the classes in their shares, as far as possible.

    The i-th face of a class with n faces, i = 1 … n in random order, stands at (2 i - 1) / n: the divisor method of
    Webster and Sainte-Laguë. So a longer beginning holds all of a shorter one.

    Parameters
    ----------
    rows : numpy.ndarray
        (m,) positions.
    classes : numpy.ndarray
        (n,) codes of the classes, by position.
    """
    shuffled = generator.permutation(rows)
    own = pd.Series(classes[shuffled])
    turn = own.groupby(own).cumcount().to_numpy()
    return shuffled[np.argsort((2 * turn + 1) / own.groupby(own).transform("size").to_numpy(), kind="stable")]


def compose(rows: np.ndarray, groups: pd.DataFrame, settings: Mapping, generator: np.random.Generator) -> np.ndarray:
    """Draw training faces without replacement, so that the groups have exactly the shares that are asked for.

    The size is the same in every arm of the study that has a composition: the most rows that all of these compositions
    can have in this fold without repeating a face. The rows of each group follow from its share by the largest
    remainders (:func:`apportion`). Each group has one random order per fold, in which the classes keep the shares that
    they have within the group (:func:`class_order`), and an arm takes its beginning: arms that share a group share its
    faces. Faces of unknown group are left out of every composition. The network normalises pictures by the whole
    training part all the same, so that arms differ in the faces that they learn from alone.

    Parameters
    ----------
    rows : numpy.ndarray
        (m,) positions of the training faces, each once.
    groups : pandas.DataFrame
        (n, attributes), with the column ``class``.
    settings : mapping
        ``shares``, the arm's composition (see :func:`shares_of`); ``study``, those of all arms that shall have the same
        size; ``size``, a fixed number of rows or None.
    generator : numpy.random.Generator

    Returns
    -------
    numpy.ndarray
        (size,) positions in increasing order.

    Raises
    ------
    UserError
        A group has no training face, or too few for the fixed size.
    """

    def had(composition: Mapping) -> tuple[np.ndarray, np.ndarray]:
        found, shares = shares_of(composition, groups, rows)
        return np.array(found.counts(rows)), shares

    study = [settings["shares"], *settings["study"]]
    most, size = largest_size([had(c) for c in study]), settings["size"]
    if not most:
        narrow = next(c for c in study if not largest_size([had(c)]))
        raise UserError(
            f"too few training faces in this fold for {narrow}", where=WHERE, fix="take more faces or fewer folds"
        )
    if size is not None and size > most:
        raise UserError(
            f"{size} rows of {settings['shares']} cannot be had without repeating a face",
            where="training: composition_size",
            expected=f"at most {most} in this fold",
        )
    found, shares = shares_of(settings["shares"], groups, rows)
    classes = groups_of(groups, CLASS, WHERE).codes
    own = found.codes[rows]
    orders = [
        class_order(rows[own == code], classes, stream) for code, stream in enumerate(generator.spawn(len(found.names)))
    ]
    counts = apportion(size or most, shares)
    return np.sort(np.concatenate([order[:count] for order, count in zip(orders, counts, strict=True)]))
