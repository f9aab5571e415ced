"""What FairFace's model answered about each face, as a source of people."""

import sys

import numpy as np
import pandas as pd

OLDEST = 120  # where the bin 70+ ends, if no group goes further
STRADDLING = ("open", "spread")


def years(name: str, age_groups: dict[str, list[float]]) -> tuple[float, float]:
    """Return first and last year of a bin, ``3-9`` or ``70+``; the latter ends with the last of the groups."""
    if name.endswith("+"):
        first = float(name[:-1])
        return first, max([last for _, last in age_groups.values() if last >= first], default=OLDEST)
    first, last = name.split("-")
    return float(first), float(last)


def shares_of_bins(bins: list[str], age_groups: dict[str, list[float]]) -> np.ndarray:
    """Return which share of the years of each bin lies in each group: (bins, groups) in 0 … 1."""
    out = np.zeros((len(bins), len(age_groups)))
    for i, name in enumerate(bins):
        first, last = years(name, age_groups)
        for j, (low, high) in enumerate(age_groups.values()):
            inside = np.floor(min(last, high)) - np.ceil(max(first, low)) + 1
            out[i, j] = max(0.0, inside) / (last - first + 1)
    return np.minimum(out, 1)


def ages(p: np.ndarray, bins: list[str], age_groups: dict[str, list[float]], straddling: str) -> pd.DataFrame:
    """Return the age group of each face and the probability that the model gives it.

    Parameters
    ----------
    p : numpy.ndarray
        (n, bins) probabilities.
    bins : list of str
        Such as ``10-19`` and ``70+``.
    age_groups : dict
        Name to [first, last] year, both inclusive, not overlapping.
    straddling : {"open", "spread"}
        ``open``: the group in which the most probable bin lies; a face whose bin lies across groups has none. Its
        confidence is the sum over the bins that lie in the group. ``spread``: each bin's probability is spread evenly
        over its years, and the group with the most wins, unless more lies in none.

    Returns
    -------
    pandas.DataFrame
        ``age``, missing where open, and ``age_confidence``.
    """
    share, names = shares_of_bins(bins, age_groups), np.array([*age_groups, None], dtype=object)
    if straddling == "open":
        share = np.where(share == 1, share, 0)
    groups = p @ share
    nowhere = len(age_groups)
    if straddling == "open":
        own = np.where(share.any(axis=1), share.argmax(axis=1), nowhere)
        found = own[p.argmax(axis=1)]
    else:
        outside = p.sum(axis=1) - groups.sum(axis=1)
        found = np.where(groups.max(axis=1) >= outside, groups.argmax(axis=1), nowhere)
    sure = np.append(groups, np.full((len(p), 1), np.nan), axis=1)[np.arange(len(p)), found]
    return pd.DataFrame({"age": pd.Series(names[found], dtype="str"), "age_confidence": np.minimum(sure, 1)})


def from_fairface(
    table: pd.DataFrame, age_groups: dict[str, list[float]], straddling: str = STRADDLING[0]
) -> pd.DataFrame:
    """Take what FairFace's model answered: of race, gender and age the most probable.

    Parameters
    ----------
    table : pandas.DataFrame
        Table ``fairface``: a probability of each answer.
    age_groups, straddling
        See :func:`ages`.

    Returns
    -------
    pandas.DataFrame
        ``gender`` (``female``/``male``), ``race`` in FairFace's words, ``age`` as the study groups it, and of each the
        model's probability as ``…_confidence``.
    """
    out = pd.DataFrame({"image_id": table["image_id"].to_numpy()})
    heads = {a: [c for c in table.columns if c.startswith(f"{a}_")] for a in ("gender", "race", "age")}
    for attribute in ("gender", "race"):
        p = table[heads[attribute]].to_numpy(float)
        words = np.array([c.removeprefix(f"{attribute}_") for c in heads[attribute]], dtype=object)
        out[attribute] = pd.Series(words[p.argmax(axis=1)], dtype="str")
        out[f"{attribute}_confidence"] = p.max(axis=1)
    out["gender"] = out["gender"].str.lower()
    bins = [c.removeprefix("age_") for c in heads["age"]]
    p = table[heads["age"]].to_numpy(float)
    out = pd.concat([out, ages(p, bins, age_groups, straddling)], axis=1)
    if lost := int(out["age"].isna().sum()):
        across = [
            b for b, lies in zip(bins, (shares_of_bins(bins, age_groups) == 1).any(axis=1), strict=True) if not lies
        ]
        print(
            f"FairFace: the age of {lost:,} of {len(out):,} faces stays open; its bins {', '.join(across)} lie in no "
            f"single one of the groups {', '.join(age_groups)}",
            file=sys.stderr,
        )
    return out.assign(annotator="fairface")
