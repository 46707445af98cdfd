"""Which tile lies where in its field of view, by the names of the files."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cards.errors import DataError, InputError
from finetune.data.layouts import first_few

PLACEHOLDERS = ("field", "row", "column")
EXAMPLE = "{field}_r{row}c{column}"

Grid = list[list[int]]
"""Indices of the tiles of a field by row and column."""


def arrange_tiles(names: Sequence[str], pattern: str) -> dict[str, Grid]:
    """Arrange tiles in the grids of their fields.

    Args:
        names: of the tiles, without the endings of the files.
        pattern: how they are composed, such as "{field}_r{row}c{column}"; rows and columns are numbers.

    Returns:
        The grid of each field, in the order of first appearance; row and column 0 have the lowest numbers.

    Raises:
        InputError: if the pattern lacks a placeholder or has an unknown one.
        DataError: if a name does not match, two tiles have the same place, or a tile is missing.
    """
    expression = _expression(pattern)
    matches = [expression.fullmatch(name) for name in names]
    if others := [name for name, match in zip(names, matches, strict=True) if match is None]:
        raise DataError(
            f"{len(others)} of {len(names)} names do not match '{pattern}': {first_few(others)}: correct "
            "--names, or move these images elsewhere"
        )
    places: dict[str, dict[tuple[int, int], int]] = {}
    for index, match in enumerate(matches):
        assert match is not None
        place = (int(match["row"]), int(match["column"]))
        tiles = places.setdefault(match["field"], {})
        if place in tiles:
            raise DataError(
                f"{names[tiles[place]]} and {names[index]} are both {_words(match['field'], place)}"
            )
        tiles[place] = index
    return {field: _grid(field, tiles) for field, tiles in places.items()}


def _expression(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w*)\}", pattern)
    found = parts[1::2]
    if sorted(found) != sorted(PLACEHOLDERS):
        raise InputError(
            f"--names is '{pattern}': it must hold {{field}}, {{row}} and {{column}} once each, as in "
            f"'{EXAMPLE}'"
        )
    texts = {"field": "(?P<field>.+)", "row": r"(?P<row>\d+)", "column": r"(?P<column>\d+)"}
    return re.compile("".join(texts[part] if at % 2 else re.escape(part) for at, part in enumerate(parts)))


def _grid(field: str, tiles: dict[tuple[int, int], int]) -> Grid:
    rows, columns = zip(*tiles, strict=True)
    spans = [range(min(numbers), max(numbers) + 1) for numbers in (rows, columns)]
    missing = [(row, column) for row in spans[0] for column in spans[1] if (row, column) not in tiles]
    if missing:
        raise DataError(
            f"{len(missing)} of {len(spans[0])} × {len(spans[1])} tiles are missing: "
            f"{first_few([_words(field, place) for place in missing])}"
        )
    return [[tiles[row, column] for column in spans[1]] for row in spans[0]]


def _words(field: str, place: tuple[int, int]) -> str:
    return f"row {place[0]}, column {place[1]} of {field}"
