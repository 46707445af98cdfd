"""Table of images and label images: a CSV with the columns image, label and optionally split."""

from __future__ import annotations

import os
from csv import DictReader
from csv import Error as CsvError
from pathlib import Path

from cards.base import Split
from cards.errors import DataError
from finetune.data.formats.registry import is_zarr
from finetune.data.layouts import SPLIT_WORDS, stem

DELIMITERS = ",;\t"  # spreadsheets of many European locales separate columns by semicolons

Row = tuple[Path, Path, str, Split | None]  # image, label, name, split


def read_pair_table(path: Path) -> list[Row]:
    """Read a table of images and label images.

    Args:
        path: CSV in UTF-8, separated by comma, semicolon or tab; its paths are relative to its folder.

    Returns:
        One (image, label, name, split) per row; names are unique.

    Raises:
        DataError: if the table cannot be read, has no rows, lacks a column, or names a file that is missing
            or an image twice.
    """
    found: list[Row] = []
    numbered = _rows(path)
    for line, row in numbered:
        where = f"{path}, line {line}"
        image, label = (_file(path.parent, row, column, where) for column in ("image", "label"))
        found.append((image, label, "", _split_word((row.get("split") or "").strip(), where)))
    if not found:
        raise DataError(f"{path}: holds no rows below its header")
    return _named(found, [line for line, _ in numbered], path)


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Line number and cells of each row."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header = file.readline()
            delimiter = next((mark for mark in DELIMITERS if mark in header), DELIMITERS[0])
            file.seek(0)
            reader = DictReader(file, delimiter=delimiter)
            reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or []]
            missing = [name for name in ("image", "label") if name not in reader.fieldnames]
            if missing:
                raise DataError(
                    f"{path}, line 1: no column {' and no column '.join(missing)}: the header must name "
                    "image, label and, if wanted, split"
                )
            return [(reader.line_num, row) for row in reader]
    except FileNotFoundError:
        raise DataError(f"{path}: no such file: set data.csv to the table of images") from None
    except (OSError, UnicodeDecodeError, CsvError) as error:
        raise DataError(f"{path}: cannot be read as CSV: {error}") from error


def _file(folder: Path, row: dict[str, str], column: str, where: str) -> Path:
    name = (row[column] or "").strip()
    if not name:
        raise DataError(f"{where}: the column {column} is empty")
    files = [folder / name, folder / name.replace("\\", "/")]  # the latter for tables written on Windows
    file = next((path for path in files if path.is_file() or is_zarr(path)), None)
    if file is None:
        raise DataError(f"{where}: no such file: {name} (paths are relative to the CSV)")
    return file


def _split_word(word: str, where: str) -> Split | None:
    if not word:
        return None
    if word.lower() not in SPLIT_WORDS:
        raise DataError(f"{where}: split is '{word}'; it must be train, validation or test, or empty")
    return SPLIT_WORDS[word.lower()]


def _named(rows: list[Row], lines: list[int], path: Path) -> list[Row]:
    """Names from the file names, or, where folders hold the same, from the path below their common one."""
    names = [stem(image) for image, *_ in rows]
    if len(set(names)) < len(names):
        folders = [image.resolve().parent for image, *_ in rows]
        common = Path(os.path.commonpath(folders))
        names = [
            (folder.relative_to(common) / name).as_posix()
            for folder, name in zip(folders, names, strict=True)
        ]
    first: dict[str, int] = {}
    for line, name in zip(lines, names, strict=True):
        if name in first:
            raise DataError(f"{path}, line {line}: the image {name} was already given in line {first[name]}")
        first[name] = line
    return [(image, label, name, split) for (image, label, _, split), name in zip(rows, names, strict=True)]
