"""Positions of the rows of a CSV file, found without parsing it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

BLOCK = 2**22  # bytes
QUOTE, NEWLINE = ord('"'), ord("\n")


@dataclass(frozen=True)
class Lines:
    """Rows of a CSV file.

    Attributes:
        first: position in bytes behind the first row, the header.
        rows: number of rows below the header.
        starts: position of every `every`-th row below the header.
        unclosed: whether a quoted cell is never closed; it holds the rest of the file.
    """

    first: int
    rows: int
    starts: list[int]
    unclosed: bool


def index_lines(path: Path, every: int) -> Lines:
    """Find the rows of a CSV file: line breaks in quoted cells do not end a row.

    A quote inside a quoted cell is doubled, so a line break ends a row if the number of quotes before it is
    even.

    Args:
        path: the file.
        every: rows between two positions that are kept.

    Returns:
        The positions. A last row without a line break counts.
    """
    quotes, offset, rows = 0, 0, -1  # the header is not a row
    first, starts, last = 0, [], 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            data = np.frombuffer(block, dtype=np.uint8)
            ends = np.flatnonzero(data == NEWLINE)
            quoted = np.flatnonzero(data == QUOTE)
            if quoted.size or quotes % 2:
                ends = ends[(quotes + np.searchsorted(quoted, ends)) % 2 == 0]
            if ends.size:
                behind = ends + offset + 1
                if rows < 0:
                    first = int(behind[0])
                # Row r, counted from 0, begins behind the line break number r.
                numbers = np.arange(rows + 1, rows + 1 + len(behind))
                starts += [int(position) for position in behind[numbers % every == 0]]
                rows += len(behind)
                last = int(behind[-1])
            quotes += quoted.size
            offset += len(block)
    if rows < 0:
        return Lines(offset, 0, [], quotes % 2 == 1)
    rows += last < offset  # a last row without a line break
    return Lines(first, rows, starts[: -(-rows // every)], quotes % 2 == 1)
