"""CSV files of any size: an index of row positions, and one page of rows at a time."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from cards.errors import InputError
from finetune.viewer.line_ends import index_lines

PAGE = 5_000
"""Rows on a page: what a browser sorts at once."""
BLOCK = 2**20
DELIMITERS = ",;\t"


@dataclass(frozen=True)
class CsvFile:
    """A CSV file whose rows are read page by page.

    Attributes:
        path: the file.
        header: names of the columns.
        delimiter: a comma, semicolon or tab.
        starts: position in bytes of the first row of each page.
        rows: number of rows below the header.
        size: of the file when it was indexed, in bytes.
        unclosed: whether a quoted cell is never closed; it holds the rest of the file.
    """

    path: Path
    header: list[str]
    delimiter: str
    starts: list[int]
    rows: int
    size: int
    unclosed: bool

    @property
    def pages(self) -> int:
        """Number of pages, at least one."""
        return max(1, len(self.starts))

    def start_of(self, number: int) -> int:
        """Number of rows before a page.

        Args:
            number: of the page, from 0.

        Returns:
            The number.
        """
        return number * PAGE

    def page(self, number: int) -> list[list[str]]:
        """Read the rows of a page.

        Args:
            number: of the page, from 0.

        Returns:
            Cells of each row, as many as there are columns; further cells are joined in the last column.

        Raises:
            InputError: if the file was deleted or became shorter.
        """
        if number >= len(self.starts):
            return []
        end = self.starts[number + 1] if number + 1 < len(self.starts) else self.size
        content = _read(self.path, self.starts[number], end - self.starts[number])
        width = len(self.header)
        rows = []
        for row in _parse(content, self.delimiter, self.path):
            if row:
                row = row + [""] * (width - len(row))
                rows.append([*row[: width - 1], self.delimiter.join(row[width - 1 :])])
        return rows


def open_csv(path: Path) -> CsvFile:
    """Index a CSV file. Quoted cells may hold line breaks.

    Args:
        path: the file, in UTF-8.

    Returns:
        The file with its header and the positions of its pages.

    Raises:
        InputError: if the file cannot be read, or holds no header.
    """
    head = _read(path, 0, BLOCK)
    if b"\0" in head[:4096]:
        raise InputError(f"{path}: is no CSV file: it holds binary data (or UTF-16; save it as UTF-8)")
    if not head.strip():
        raise InputError(f"{path}: holds no header: the file is empty")
    if b"\r" in head and b"\n" not in head:
        raise InputError(f"{path}: its lines end as on old Macs (CR); save it with other line ends")
    size, lines = path.stat().st_size, index_lines(path, PAGE)
    header_bytes = _read(path, 0, lines.first).removeprefix(b"\xef\xbb\xbf")
    line = _text(header_bytes)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(DELIMITERS, key=line.count)
    header = next(iter(_parse(header_bytes, delimiter, path)), [])
    if not header:
        raise InputError(f"{path}: the first line is empty, where names of columns are expected; delete it")
    return CsvFile(path, _unique(header), delimiter, lines.starts, lines.rows, size, lines.unclosed)


def _unique(header: list[str]) -> list[str]:
    """Names of columns: an empty one gets its number, a repeated one a suffix."""
    names: list[str] = []
    for number, name in enumerate(header, 1):
        name = name.strip() or f"column {number}"
        names.append(name if name not in names else f"{name} ({number})")
    return names


def _read(path: Path, start: int, length: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(length)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")  # as Excel writes it in western Europe


def _parse(content: bytes, delimiter: str, path: Path) -> list[list[str]]:
    try:
        return list(csv.reader(io.StringIO(_text(content), newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise InputError(f"{path}: cannot be read as CSV: {error}") from error
