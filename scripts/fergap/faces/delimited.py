"""CSV files read in blocks, each row's shape checked, every value as the text that stands there."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import pyarrow as pa
from pyarrow import csv as arrow_csv

from fergap.errors import UserError

LONGEST_HEADER = 1 << 20
BAD_ROW = re.compile(r"CSV parse error: (?:Row #(\d+): )?Expected (\d+) columns, got (\d+): (.*)", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """Successive rows of a file.

    Attributes
    ----------
    line : int
        The line of the file in which the first row stands; the header is line 1.
    columns : pyarrow.RecordBatch
        Text columns by name.
    """

    line: int
    columns: pa.RecordBatch


def header_of(stream: BinaryIO, where: str, needed: Sequence[str], *, exact: bool) -> list[str]:
    """Read and check a CSV's first line.

    Raises
    ------
    UserError
        A column of ``needed`` is missing, a column repeats, or, where ``exact``, there is another column.
    """
    line = stream.readline(LONGEST_HEADER).decode("utf-8-sig", errors="replace").rstrip("\r\n")
    try:
        header = next(csv.reader(io.StringIO(line)), [])
    except csv.Error:  # line breaks of another kind
        header = []
    if set(needed) - set(header) or len(set(header)) < len(header) or (exact and set(header) != set(needed)):
        shown = line if len(line) <= 200 else line[:200] + " …"
        raise UserError(
            f"the header is {shown!r}",
            where=f"{where}, line 1",
            expected=("the columns " if exact else "at least the columns ") + ",".join(needed),
            fix="put the file as published there, or correct its first line",
        )
    return header


def blocks(
    stream: BinaryIO, where: str, needed: Sequence[str], *, exact: bool = False, size: int = 8 << 20
) -> Iterator[Block]:
    """Yield a CSV's rows in blocks of about ``size`` bytes.

    Parameters
    ----------
    stream : binary file
        At the header; not necessarily seekable.
    where : str
        What to call the file in a message.
    needed : sequence of str
        Columns that must be there.
    exact : bool
        Whether no other column may be there.

    Raises
    ------
    UserError
        The header is another one (see :func:`header_of`), a row has too few or too many values, the text is not UTF-8,
        or there is no row.
    """
    header = header_of(stream, where, needed, exact=exact)
    line = 2
    nothing = UserError("has a header and no row", where=where, fix="put the whole file there")
    try:
        reader = arrow_csv.open_csv(
            stream,
            read_options=arrow_csv.ReadOptions(column_names=header, block_size=size, use_threads=False),
            convert_options=arrow_csv.ConvertOptions(
                column_types={name: pa.string() for name in header}, strings_can_be_null=False
            ),
        )
        for batch in reader:
            yield Block(line, batch)
            line += batch.num_rows
    except pa.ArrowInvalid as error:
        # Arrow's handler of invalid rows prints a traceback where a row is no UTF-8
        if bad := BAD_ROW.search(str(error)):
            row, expected, found, text = bad.groups()
            start = text if len(text) <= 60 else text[:60] + " …"
            raise UserError(
                f"{found} values in the row {start!r}",
                where=f"{where}, line {int(row) + 1}" if row else where,
                expected=f"{expected} values: {','.join(header)}",
                fix="correct that line, or download the file again",
            ) from None
        if str(error).startswith("Empty CSV file"):
            raise nothing from None
        raise UserError(
            f"cannot be read ({str(error).splitlines()[0]})",
            where=f"{where}, after line {line - 1}",
            expected="a CSV file in UTF-8",
        ) from error
    if line == 2:  # blank lines alone
        raise nothing
