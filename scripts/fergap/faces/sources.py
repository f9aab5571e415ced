"""Where faces come from: one function for each source, all giving the same."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from fergap.errors import UserError
from fergap.faces.archives import opened
from fergap.faces.databases import affectnet, celeba, expw, rafdb
from fergap.faces.delimited import blocks
from fergap.faces.listing import Listing, Pixels
from fergap.faces.locations import PARTITION_FOLDERS, TABLE_NAME
from fergap.faces.pictures import read_pictures, resized
from fergap.faces.pixel_text import parse_pixels
from fergap.faces.votes import bad_line, read_votes
from fergap.progress import Progress
from fergap.tables import CONTROL

FER2013_HEADER = ("emotion", "pixels", "Usage")
FER2013_SIDE = 48


def voted(votes: pd.DataFrame) -> pd.DataFrame:
    """Return rows of votes as a listing's frame."""
    return votes.rename(columns={"name": "image_id"}).assign(line=np.arange(len(votes)) + 2)


def read_fer2013(path: str, usage: pd.Series, votes_path: str, rows: np.ndarray, size: int, threads: int) -> Pixels:
    """Read some rows' pixels from ``fer2013.csv``, plain or in an archive, and check every row of it.

    Parameters
    ----------
    usage : pandas.Series, length n
        ``Usage`` of each row of FER+'s votes, which are joined by row order.
    rows : ndarray of int64, shape (k,)
        Ascending positions.

    Raises
    ------
    UserError
        A row is not 48 × 48 pixels, or the file does not agree with the votes in length or ``Usage``.
    """
    where = path if Path(path).suffix == ".csv" else f"{path}: {TABLE_NAME}"
    fix = f"use {TABLE_NAME} and {Path(votes_path).name} as published, neither sorted nor shortened"
    kept, count, more = [np.zeros((0, FER2013_SIDE**2), "uint8")], 0, ""
    with opened(path, TABLE_NAME) as stream, Progress(f"reading {TABLE_NAME}", len(usage), "rows") as progress:
        for block in blocks(stream, where, FER2013_HEADER, exact=True):
            if count > len(usage):
                more = " and more"
                break  # what unpacks to far more than it should is not read to its end
            text, n = block.columns, block.columns.num_rows
            parsed = parse_pixels(text["pixels"], FER2013_SIDE**2, where=where, line=block.line, threads=threads)
            here, there = text["Usage"].to_pandas(), usage[count : count + n].reset_index(drop=True)
            if (differ := here[: len(there)] != there).any():
                position = bad_line(differ)[0]
                raise UserError(
                    f"Usage is {here[position]!r}, but {there[position]!r} in the same line of {votes_path}",
                    where=f"{where}, line {block.line + position}",
                    expected="the same pictures in the same order in both files",
                    fix=fix,
                )
            first, last = np.searchsorted(rows, [count, count + n])
            kept.append(parsed[rows[first:last] - count])
            count += n
            progress.step(n)
    if count != len(usage):
        raise UserError(
            f"has {count:,} rows{more}, but {votes_path} has {len(usage):,}",
            where=where,
            expected="files of equal length, since their rows are joined by order (as published: 35,887)",
            fix=fix,
        )
    pixels = np.concatenate(kept).reshape(-1, FER2013_SIDE, FER2013_SIDE)
    return resized(pixels, size), np.full(len(rows), "", dtype=object)


def fer2013(faces: dict, files: dict[str, str], threads: int) -> Listing:
    """List FER2013 as Kaggle's ``fer2013.csv``, with FER+'s votes joined by row order."""
    votes = read_votes(files["votes"])

    def load(rows: np.ndarray) -> Pixels:
        return read_fer2013(files["fer2013"], votes["partition"], files["votes"], rows, faces["size"], threads)

    return Listing(voted(votes), True, load)


def ferplus(faces: dict, files: dict[str, str], threads: int) -> Listing:
    """List FER2013 as the folders of pictures that FER+'s exporter writes, with the votes joined by name."""
    frame = voted(read_votes(files["votes"]))
    folders = {partition: Path(files[partition]) for partition in PARTITION_FOLDERS}

    def load(rows: np.ndarray) -> Pixels:
        some = frame.iloc[rows]
        paths = [folders[p] / name for p, name in zip(some["partition"], some["image_id"], strict=True)]
        return read_pictures(paths, faces["size"], threads)

    return Listing(frame, True, load)


def image_table(faces: dict, files: dict[str, str], threads: int) -> Listing:
    """List the pictures of a CSV with the columns ``image`` (relative to the CSV's folder) and ``label``.

    ``image_id`` (else the path as written) and ``partition`` are read where they are; other columns are left alone.

    Raises
    ------
    UserError
        A path or an id is empty, or an id repeats.
    """
    where = files["table"]
    with opened(where, Path(where).name) as stream:
        table = pa.Table.from_batches([block.columns for block in blocks(stream, where, ("image", "label"))])
    text = table.select([c for c in ("image", "label", "image_id", "partition") if c in table.column_names])
    frame = text.to_pandas().apply(lambda column: column.str.strip())
    if "image_id" not in frame:
        frame["image_id"] = frame["image"]
    for column in frame:
        if (bad := frame[column].str.contains(CONTROL)).any():
            raise UserError(
                f"{column} is {frame[column][bad.idxmax()]!r}",
                where=f"{where}, line {bad.idxmax() + 2}",
                expected="a text without line breaks and other control characters",
                fix="correct that line",
            )
    for column in ("image", "image_id"):
        if (empty := frame[column] == "").any():
            raise UserError(f"{column} is empty", where=f"{where}, line {bad_line(empty)[1]}", fix="fill or remove it")
    if (twice := frame["image_id"].duplicated()).any():
        position, line = bad_line(twice)
        name = frame["image_id"][position]
        raise UserError(
            f"the id {name!r} stands in line {bad_line(frame['image_id'] == name)[1]} already",
            where=f"{where}, line {line}",
            expected="each image_id once (without that column: each image)",
            fix="remove the row, or give each row an image_id of its own",
        )
    if "partition" not in frame:
        frame["partition"] = pd.Series(pd.NA, index=frame.index, dtype="str")
    paths = [Path(where).parent / image for image in frame["image"]]

    def load(rows: np.ndarray) -> Pixels:
        return read_pictures([paths[row] for row in rows], faces["size"], threads)

    frame["partition"] = frame["partition"].replace("", pd.NA)
    return Listing(frame.drop(columns="image").assign(line=np.arange(len(frame)) + 2), False, load)


SOURCES: dict[str, Callable[[dict, dict[str, str], int], Listing]] = {
    "drawn": fer2013,
    "fer2013": fer2013,
    "ferplus": ferplus,
    "image_table": image_table,
    "rafdb": rafdb,
    "expw": expw,
    "affectnet": affectnet,
    "celeba": celeba,
}
"""Takes the configuration's ``faces``, the files by name (see :mod:`fergap.faces.locations`) and a thread count."""
