"""Which faces a person is asked about: so many of every class and of everything that a model took them for."""

from pathlib import Path

import numpy as np
import pandas as pd

from fergap import seeds, tables
from fergap.errors import UserError


def allocation(sizes: np.ndarray, total: int) -> np.ndarray:
    """Return how many faces each stratum gives: equally many, and all where it has fewer.

    What a small stratum cannot give is shared among the others, so that the rarest are asked about in full.

    Parameters
    ----------
    sizes : numpy.ndarray of int, length k
        Faces in each stratum.
    total : int
        Faces wanted; all where there are fewer.

    Returns
    -------
    numpy.ndarray of int, length k
        Sums to ``min(total, sizes.sum())``; two strata with faces to spare differ by one at most.
    """
    given = np.zeros(len(sizes), dtype=np.int64)
    left = min(int(total), int(sizes.sum()))
    while left:
        open_ = np.flatnonzero(given < sizes)
        step = max(1, min(left // len(open_), int((sizes - given)[open_].min())))
        open_ = open_[: left // step]
        given[open_] += step
        left -= step * len(open_)
    return given


def guesses(image_ids: pd.Series, people: pd.DataFrame) -> pd.DataFrame:
    """Return the groups that a study has so far, one column per attribute, ``unknown`` where it has none.

    Parameters
    ----------
    image_ids : pandas.Series of str, length n
    people : pandas.DataFrame
        Table ``people``.

    Returns
    -------
    pandas.DataFrame of str, n rows
    """
    wide = people.pivot(index="image_id", columns="attribute", values="group").reindex(image_ids)
    return wide.astype("str").fillna("unknown").reset_index(drop=True).rename_axis(columns=None)


def draw_sample(faces: pd.DataFrame, people: pd.DataFrame, size: int | None, seed: int) -> pd.DataFrame:
    """Draw the faces of the page, stratified by class and by the groups that the study has so far.

    Parameters
    ----------
    faces : pandas.DataFrame
        Table ``faces``, the rows that may be asked about.
    people : pandas.DataFrame
        Table ``people``; a model's guesses in it make rare groups easy to find.
    size : int or None
        Faces of the sample; None for all.

    Returns
    -------
    pandas.DataFrame
        Table ``annotation_sample``: ``image_id``, ``label``, ``guess`` (groups joined by ``*``), ``stratum_faces``,
        ``stratum_sampled``, ``probability``, the share of its stratum that is asked about, whose inverse weighs a
        face in estimates for all of them, and ``seed``.
    """
    told = guesses(faces["image_id"], people)
    columns = {
        "image_id": faces["image_id"].to_numpy(),
        "label": faces["label"].to_numpy(),
        "guess": told.agg("*".join, axis=1) if told.shape[1] else "unknown",
    }
    table = pd.DataFrame(columns).astype("str")
    strata = table.groupby(["label", "guess"], sort=True)
    sizes = strata.size()
    numbers = allocation(sizes.to_numpy(), len(table) if size is None else size)
    chosen = []
    for (name, rows), number in zip(strata.indices.items(), numbers, strict=True):
        rng = seeds.generator(seed, "annotation", *name)
        chosen.append(rng.choice(np.sort(rows), size=number, replace=False))
    table["stratum_faces"] = strata["image_id"].transform("size").astype("int64")
    sampled = table.loc[np.sort(np.concatenate(chosen))].copy()
    sampled["stratum_sampled"] = sampled.groupby(["label", "guess"])["image_id"].transform("size").astype("int64")
    sampled["probability"] = sampled["stratum_sampled"] / sampled["stratum_faces"]
    return sampled.assign(seed=seed).reset_index(drop=True)


def kept_sample(path: Path, candidates: pd.Series, size: int | None, seed: int) -> pd.DataFrame | None:
    """Return the sample of an earlier page if it is still what the study asks for: same size and seed, known faces.

    What people answer becomes part of what the study knows; drawn anew by that, a second rater's page would show other
    faces, and the first could not go on.

    Parameters
    ----------
    path : pathlib.Path
        Table ``annotation_sample``, if there is one.
    candidates : pandas.Series of str
        Image ids that may be asked about.
    """
    if not path.exists():
        return None
    earlier = tables.read(path, "annotation_sample")
    wanted = len(candidates) if size is None else min(size, len(candidates))
    fits = (
        len(earlier) == wanted
        and earlier["probability"].notna().all()
        and (earlier["seed"] == seed).all()
        and earlier["image_id"].isin(candidates).all()
    )
    return earlier if fits else None


def listed_sample(drawn: pd.DataFrame, listed: pd.Series, where: str) -> pd.DataFrame:
    """Return the rows of ``drawn`` whose image ids are ``listed``, with no probability: a list is no random sample.

    Raises
    ------
    UserError
        An id is listed twice, or is none of the faces.
    """
    if (twice := listed.duplicated()).any():
        raise UserError(
            f"the image_id {listed[twice.idxmax()]!r} stands there twice", where=where, expected="once each"
        )
    if (foreign := ~listed.isin(drawn["image_id"])).any():
        raise UserError(
            f"{foreign.sum()} of its {len(listed)} image ids are none of the study's {len(drawn)} faces "
            f"(the first is {listed[foreign.idxmax()]!r})",
            where=where,
            expected="image ids of the study's faces table",
        )
    rows = drawn[drawn["image_id"].isin(listed)].reset_index(drop=True)
    counts = rows.groupby(["label", "guess"])["image_id"].transform("size").astype("int64")
    return rows.assign(stratum_sampled=counts, probability=np.nan)
