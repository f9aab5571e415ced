"""Which faces train, choose the epoch and test each network."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit

from fergap.errors import UserError
from fergap.seeds import derive
from fergap.study import SOURCE
from fergap.training.groups import wide_groups

ROLES = ("train", "validation", "test")
LEFT_OUT = "left out"
"""The role of a face that a network may neither learn from nor be judged by."""


def duplicate_sets(faces: pd.DataFrame, keep_together: Iterable[str]) -> np.ndarray:
    """Return the set that each face must stay with.

    Parameters
    ----------
    faces : pandas.DataFrame
        Table ``faces``.
    keep_together : iterable of {"exact", "near"}
        Nothing: every face is alone. ``near`` includes ``exact``.

    Returns
    -------
    numpy.ndarray
        (n,) int64, equal within a set.

    Raises
    ------
    UserError
        Another word is given.
    """
    kinds = set(keep_together)
    if unknown := kinds - {"exact", "near"}:
        raise UserError(f"{min(unknown)!r}", where="folds: keep_together", expected="a list of exact, near, or neither")
    if not kinds:
        return np.arange(len(faces))
    return faces["duplicate_set" if "near" in kinds else "exact_set"].to_numpy()


def strata(labels: np.ndarray, groups: pd.DataFrame, least: int) -> np.ndarray:
    """Return a stratum for each of n rows: label × groups, small ones joined within their label.

    Strata of fewer than ``least`` rows become their label's rest; a rest that is still too small joins the label's
    largest stratum. So a stratum is smaller than ``least`` only where its whole label is.

    Returns
    -------
    numpy.ndarray
        (n,) int64.
    """
    cell = groups.groupby(list(groups)).ngroup().to_numpy() if groups.shape[1] else np.zeros(len(labels), np.int64)
    cells = pd.DataFrame({"label": labels, "cell": cell})
    sizes = cells.groupby(["label", "cell"]).size().rename("size").reset_index()
    largest = sizes.sort_values(["size", "cell"], ascending=[False, True]).drop_duplicates("label")
    sizes["largest"] = sizes["label"].map(largest.set_index("label")["cell"])
    small = sizes["size"] < least
    rest = sizes["size"].where(small, 0).groupby(sizes["label"]).transform("sum")
    sizes["stratum"] = sizes["cell"].mask(small, -1).mask(small & (rest < least), sizes["largest"])
    joined = cells.merge(sizes, on=["label", "cell"], how="left")
    return joined.groupby(["label", "stratum"]).ngroup().to_numpy()


def representatives(sets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the position of each set's first face, (k,), and the index of each face's set among them, (n,)."""
    _, first, inverse = np.unique(sets, return_index=True, return_inverse=True)
    return first, inverse


def cut_off(cells: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return the positions of ``count`` rows drawn in the same strata by scikit-learn's ``StratifiedShuffleSplit``.

    Parameters
    ----------
    cells : numpy.ndarray
        (n,) int64 strata, counted from 0, each of two rows or more, as many as there may be rows on either side.
    seed : int
        At least 0.
    """
    shuffle = StratifiedShuffleSplit(1, test_size=count, random_state=seed % 2**32)
    return next(shuffle.split(cells, cells))[1]


def split_folds(
    faces: pd.DataFrame,
    people: pd.DataFrame,
    seed: int,
    *,
    count: int,
    repeats: int,
    keep_together: Iterable[str],
    split: Sequence[float] | None = None,
) -> pd.DataFrame:
    """Return the fold in which each face is tested, once per repeat.

    One face of each duplicate set is dealt by scikit-learn's ``StratifiedKFold``, stratified by label and the groups of
    all attributes (no group counting as one), and takes its set along.

    Parameters
    ----------
    faces, people : pandas.DataFrame
        Tables ``faces`` and ``people``.
    seed : int
        The study's seed.
    count, repeats : int
        Folds per repeat (at least 2), and repeats.
    keep_together : iterable of {"exact", "near"}
        See :func:`duplicate_sets`.
    split : sequence of float, optional
        Shares of a single split: its test part is the only fold, and no other face is in the table.

    Returns
    -------
    pandas.DataFrame
        Table ``folds``; repeats and folds count from 0.

    Raises
    ------
    UserError
        A class has fewer sets than there are folds.
    """
    if split:
        tested = split_once(faces, people, seed, split, keep_together) == "test"
        return pd.DataFrame({"image_id": faces["image_id"][tested], "repeat": 0, "fold": 0})
    first, inverse = representatives(duplicate_sets(faces, keep_together))
    labels = faces["label"].to_numpy(object)[first]
    names, sizes = np.unique(labels.astype(str), return_counts=True)
    if sizes.min() < count:
        raise UserError(
            f"class {str(names[sizes.argmin()])!r} has {sizes.min()} faces that are no copies of each other, "
            f"for {count} folds",
            where="folds: count",
            expected="at least one face of every class in every fold",
            fix="lower folds: count, or leave the class out of the labels",
        )
    groups = wide_groups(people, faces["image_id"]).iloc[first]
    cells = strata(labels, groups, count)
    tables = []
    for repeat in range(repeats):
        kfold = StratifiedKFold(count, shuffle=True, random_state=derive(seed, "folds", repeat) % 2**32)
        fold = np.empty(len(first), np.int64)
        for f, (_, test) in enumerate(kfold.split(cells, cells)):
            fold[test] = f
        tables.append(pd.DataFrame({"image_id": faces["image_id"], "repeat": repeat, "fold": fold[inverse]}))
    return pd.concat(tables, ignore_index=True)


def roles(
    faces: pd.DataFrame,
    people: pd.DataFrame,
    folds: pd.DataFrame,
    seed: int,
    repeat: int,
    fold: int,
    *,
    validation: float,
    keep_together: Iterable[str],
) -> np.ndarray:
    """Return each face's role for the network of one repeat and fold.

    The fold's faces test. Of the other duplicate sets, the share ``validation`` is cut off in the same strata, by
    scikit-learn's ``StratifiedShuffleSplit``, to choose the epoch; the rest trains. The result depends on nothing but
    the arguments, so it is kept in no file.

    Returns
    -------
    numpy.ndarray
        (n,) of ``train``, ``validation``, ``test``, in the order of ``faces``.

    Raises
    ------
    UserError
        The validation part would be too small to hold every class.
    """
    here = folds.loc[folds["repeat"] == repeat].set_index("image_id")["fold"].reindex(faces["image_id"]).to_numpy()
    if np.isnan(here.astype(float)).any():
        raise UserError(
            f"{int(np.isnan(here.astype(float)).sum())} faces have no fold in repeat {repeat}",
            where="folds.parquet",
            expected="one fold for every face",
            fix="make folds.parquet again from these faces",
        )
    out = np.where(here == fold, "test", "train").astype(object)
    return with_validation(out, faces, people, derive(seed, "validation", repeat, fold), validation, keep_together)


def roles_without(
    faces: pd.DataFrame,
    people: pd.DataFrame,
    seed: int,
    source: str,
    *,
    validation: float,
    keep_together: Iterable[str],
) -> np.ndarray:
    """Return each face's role for the network that never sees one source.

    The faces of ``source`` test. Faces of other sources that repeat one of them are left out altogether; the validation
    part is cut off the rest as :func:`roles` does.

    Returns
    -------
    numpy.ndarray
        (n,) of ``train``, ``validation``, ``test``, and :data:`LEFT_OUT`, in the order of ``faces``.

    Raises
    ------
    UserError
        No face is of that source, or the validation part would be too small to hold every class.
    """
    tested = (faces["source"] == source).to_numpy()
    if not tested.any() or tested.all():
        raise UserError(
            f"{'every' if tested.all() else 'no'} face that is kept comes from {source}",
            where="arms: folds: {by: source}",
            expected="faces of several sources",
        )
    _, inverse = representatives(duplicate_sets(faces, keep_together))
    repeated = np.bincount(inverse, tested)[inverse] > 0
    out = np.select([tested, repeated], ["test", LEFT_OUT], "train").astype(object)
    return with_validation(out, faces, people, derive(seed, "validation", SOURCE, source), validation, keep_together)


def with_validation(
    out: np.ndarray,
    faces: pd.DataFrame,
    people: pd.DataFrame,
    seed: int,
    validation: float,
    keep_together: Iterable[str],
) -> np.ndarray:
    """Return roles with a share of the training part as its validation part, sets of duplicates whole, by strata."""
    first, inverse = representatives(duplicate_sets(faces, keep_together))
    usable = np.flatnonzero(out[first] == "train")
    chosen = first[usable]
    labels = faces["label"].to_numpy(object)[chosen]
    cells = strata(labels, wide_groups(people, faces["image_id"]).iloc[chosen], int(np.ceil(1 / validation)))
    wanted, needed = int(np.ceil(validation * len(usable))), cells.max() + 1
    if wanted < needed or np.bincount(cells).min() < 2:
        raise UserError(
            f"{validation:g} of {len(usable)} training faces cannot hold every class",
            where="folds: validation",
            expected=f"at least {needed} faces, and two training faces of every class",
            fix="raise folds: validation, or take more faces",
        )
    held = np.zeros(len(first), bool)
    held[usable[cut_off(cells, wanted, seed)]] = True
    out = out.copy()
    out[held[inverse]] = "validation"
    return out


def split_once(
    faces: pd.DataFrame, people: pd.DataFrame, seed: int, split: Sequence[float], keep_together: Iterable[str]
) -> np.ndarray:
    """Return each face's role in one split into a training, a validation and a test part.

    Duplicate sets are dealt whole, by scikit-learn's ``StratifiedShuffleSplit``, in the strata of :func:`split_folds`.
    The result depends on nothing but the arguments.

    Parameters
    ----------
    split : sequence of float
        Shares of the training, validation and test part; they sum to 1.

    Returns
    -------
    numpy.ndarray
        (n,) of ``train``, ``validation``, ``test``, in the order of ``faces``.

    Raises
    ------
    UserError
        A part would be too small to hold every class.
    """
    first, inverse = representatives(duplicate_sets(faces, keep_together))
    labels = faces["label"].to_numpy(object)[first]
    groups = wide_groups(people, faces["image_id"]).iloc[first]
    part = np.full(len(first), "train", object)

    def refuse(name: str, share: float) -> None:
        raise UserError(
            f"{share:g} of {len(first)} faces cannot be a {name} part with every class",
            where="split",
            fix="take other shares, or more faces",
        )

    for name, share in (("test", split[2]), ("validation", split[1])):
        left = np.flatnonzero(part == "train")
        cells = strata(labels[left], groups.iloc[left], int(np.ceil(1 / share)))
        wanted = int(np.ceil(share * len(first)))
        if wanted < cells.max() + 1 or np.bincount(cells).min() < 2 or len(left) - wanted < cells.max() + 1:
            refuse(name, share)
        part[left[cut_off(cells, wanted, derive(seed, "split", name))]] = name
    whole, given = part[inverse], faces["label"].to_numpy(object)
    for name, share in zip(ROLES, split, strict=True):
        if set(given[whole == name]) != set(given):  # faces of one set may have different labels
            refuse(name, share)
    return whole
