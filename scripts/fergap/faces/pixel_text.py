"""Pixels written as text, as in FER2013's CSV: ``70 80 82 …``."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from fergap.errors import UserError


def fault(text: str, count: int) -> str:
    """Return what is wrong with one row's pixels, empty if nothing is."""
    values = text.split()
    for position, value in enumerate(values):
        if not (value.isascii() and value.isdigit()):
            return f"pixel {position + 1} is {value[:20]!r}"
        if int(value[-20:]) > 255:
            return f"pixel {position + 1} is {value[:20]}"
    if len(values) != count:
        return f"{len(values)} pixels"
    return "" if " ".join(values) == text else "pixels separated by other than single spaces"


def explain(texts: list[str], count: int, where: str, line: int) -> UserError:
    """Return the error that names the first bad row of a block whose first row stands in ``line``."""
    faults = ((row, fault(text, count)) for row, text in enumerate(texts))
    row, found = next(((row, found) for row, found in faults if found), (0, "pixels that cannot be read"))
    return UserError(
        found,
        where=f"{where}, line {line + row}",
        expected=f"{count} pixels, each a whole number from 0 to 255, separated by single spaces",
        fix="download the file again, or correct that line",
    )


def parse_pixels(text: pa.Array, count: int, *, where: str, line: int, threads: int = 1) -> np.ndarray:
    """Return rows of pixels from rows of text.

    Parameters
    ----------
    text : pyarrow.Array of string, length n
        ``count`` whole numbers from 0 to 255, separated by single spaces.
    count : int
        Pixels of a row.
    where : str
        What to call the file in a message.
    line : int
        The line of the file in which the first row stands.
    threads : int
        1 parses on the calling thread, more on all of Arrow's.

    Returns
    -------
    ndarray of uint8, shape (n, count)

    Raises
    ------
    UserError
        A row has too few or too many pixels, or one that is no whole number from 0 to 255: the first such row is named.
    """
    text = pc.ascii_trim_whitespace(text)
    joined = pc.binary_join(pa.ListArray.from_arrays([0, len(text)], text), "\n")[0].as_buffer()
    names = [str(position) for position in range(count)]
    try:
        # Arrow would read 0x10 as a number
        if len(joined) == 0 or np.frombuffer(joined, "uint8").max() > ord("9"):
            raise explain(text.to_pylist(), count, where, line)
        table = arrow_csv.read_csv(
            pa.BufferReader(joined),
            read_options=arrow_csv.ReadOptions(column_names=names, block_size=len(joined) + 1, use_threads=threads > 1),
            parse_options=arrow_csv.ParseOptions(delimiter=" ", quote_char=False, ignore_empty_lines=False),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.uint8()), null_values=[], check_utf8=False
            ),
        )
    except pa.ArrowInvalid:
        raise explain(text.to_pylist(), count, where, line) from None
    if table.num_rows != len(text):
        raise explain(text.to_pylist(), count, where, line)
    return np.stack([column.to_numpy() for column in table.columns], axis=1)
