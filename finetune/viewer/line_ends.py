"""Positions of the rows of a CSV file, found without parsing it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

BLOCK = 2**22  # bytes
QUOTE, NEWLINE = ord('"'), ord("\n")
BEFORE_CELL = tuple(b",;\t\n\r")
"""Bytes behind which a quote opens a cell."""
BOM = b"\xef\xbb\xbf"


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
    even. Quotes inside an unquoted cell, as in `5" lens`, do not count.

    Args:
        path: the file.
        every: rows between two positions that are kept.

    Returns:
        The positions. A last row without a line break counts.
    """
    quotes, offset, rows = 0, 0, -1  # the header is not a row
    first, starts, last, before = 0, [], 0, NEWLINE
    with path.open("rb") as file:
        offset = len(BOM) if file.read(len(BOM)) == BOM else 0
        file.seek(offset)
        while block := file.read(BLOCK):
            data = np.frombuffer(block, dtype=np.uint8)
            ends = np.flatnonzero(data == NEWLINE)
            quoted = _delimiting(data, np.flatnonzero(data == QUOTE), before, inside=quotes % 2 == 1)
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
            literal = block[-1] == QUOTE and not (quoted.size and quoted[-1] == len(block) - 1)
            before = 0 if literal else block[-1]
    if rows < 0:
        return Lines(offset, 0, [], quotes % 2 == 1)
    rows += last < offset  # a last row without a line break
    return Lines(first, rows, starts[: -(-rows // every)], quotes % 2 == 1)


def _delimiting(data: np.ndarray, quotes: np.ndarray, before: int, *, inside: bool) -> np.ndarray:
    """Quotes that open or close a cell.

    Args:
        data: bytes of a block, uint8.
        quotes: positions of the quotes in it.
        before: the byte before the block; 0 for a quote that neither opens nor closes a cell.
        inside: whether the block begins inside a quoted cell.

    Returns:
        Their positions.
    """
    previous = np.where(quotes > 0, data[quotes - 1], before)
    opens = np.isin(previous, BEFORE_CELL)
    # The usual case: every other quote opens a cell, or is the second half of a doubled quote.
    if (opens | (previous == QUOTE))[int(inside) :: 2].all():
        return quotes
    kept, last = [], -1 if before == QUOTE else -2
    for position, may_open in zip(quotes.tolist(), opens.tolist(), strict=True):
        if inside or may_open or position == last + 1:
            kept.append(position)
            inside, last = not inside, position
    return np.array(kept, dtype=quotes.dtype)
