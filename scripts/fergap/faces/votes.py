"""FER+'s votes: ten taggers' choices for every row of FER2013."""

import os

import numpy as np
import pandas as pd
import pyarrow as pa

from fergap.errors import UserError
from fergap.faces.archives import opened
from fergap.faces.delimited import blocks
from fergap.faces.locations import EMOTIONS, PARTITION_FOLDERS, VOTES, VOTES_NAME

HEADER = ("Usage", "Image name", *VOTES)
TAGGERS = 10


def bad_line(rows: pd.Series) -> tuple[int, int]:
    """Return position and line number of the first true row of a file whose header is line 1."""
    position = int(np.argmax(rows.to_numpy()))
    return position, position + 2


def read_votes(path: str | os.PathLike) -> pd.DataFrame:
    """Read ``fer2013new.csv``.

    Returns
    -------
    pandas.DataFrame
        One row per row of the file: ``partition`` (FER2013's ``Usage``), ``name`` (text, empty where the row has no
        picture) and the ten columns of ``VOTES`` (int64, 0 to 10).

    Raises
    ------
    UserError
        The file is missing, has other columns, or a row is no vote row (line, value and column are named).
    """
    where = str(path)
    with opened(path, VOTES_NAME) as stream:
        table = pa.Table.from_batches([block.columns for block in blocks(stream, where, HEADER, exact=True)])
    text = table.to_pandas()
    fix = "download fer2013new.csv again from https://github.com/microsoft/FERPlus, or correct that line"
    if (bad := ~text["Usage"].isin(list(PARTITION_FOLDERS))).any():
        position, line = bad_line(bad)
        raise UserError(
            f"Usage is {text['Usage'][position]!r}",
            where=f"{where}, line {line}",
            expected=", ".join(PARTITION_FOLDERS),
            fix=fix,
        )
    counts = {}
    for name in VOTES:
        value = text[name].str.strip()
        if (bad := ~value.isin([str(count) for count in range(TAGGERS + 1)])).any():
            position, line = bad_line(bad)
            raise UserError(
                f"{name} is {text[name][position]!r}",
                where=f"{where}, line {line}",
                expected=f"ten counts of votes, each a whole number from 0 to {TAGGERS}",
                fix=fix,
            )
        counts[name] = value.astype("int64")
    return pd.DataFrame({"partition": text["Usage"], "name": text["Image name"].str.strip(), **counts})


def ambiguity(votes: pd.DataFrame) -> np.ndarray:
    r"""Return the entropy of each row's votes for the eight emotions, in bits.

    :math:`H = -\sum_e p_e \log_2 p_e` with :math:`p_e` the share of emotion :math:`e` (contempt included) among the
    votes for an emotion; votes for ``unknown`` and ``NF`` (not a face) say nothing about which emotion and are left
    out. 0 when all taggers agree, 3 when the eight emotions have equal shares (Shannon 1948).

    Returns
    -------
    ndarray of float64, shape (n,)
        NaN where no emotion has a vote.
    """
    counts = votes[list(EMOTIONS)].to_numpy("float64")
    total = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
    bits = np.log2(share, out=np.zeros_like(share), where=share > 0)
    return np.where(total[:, 0] > 0, np.abs((share * bits).sum(axis=1)), np.nan)
