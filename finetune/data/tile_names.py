"""Which tile lies where in its field of view, by the names of the files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice, product

from cards.errors import DataError, InputError
from finetune.data.layouts import LISTED, first_few

PLACEHOLDERS = ("field", "row", "column")
EXAMPLE = "{field}_r{row}c{column}"

Grid = list[list[int]]
"""Indices of the tiles of a field by row and column."""


def arrange_tiles(names: Sequence[str], pattern: str) -> dict[str, Grid]:
    """Arrange tiles in the grids of their fields.

    Args:
        names: of the tiles, without the endings of the files.
        pattern: how they are composed, such as "{field}_r{row}c{column}"; rows and columns are numbers.
            Without {field}, all tiles are of one field, which is called "field".

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
        place, field = (int(match["row"]), int(match["column"])), match.groupdict().get("field", "field")
        tiles = places.setdefault(field, {})
        if place in tiles:
            raise DataError(f"{names[tiles[place]]} and {names[index]} are both {_words(field, place)}")
        tiles[place] = index
    return {field: _grid(field, tiles) for field, tiles in places.items()}


def _expression(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w*)\}", pattern)
    found = parts[1::2]
    if sorted({"field", *found}) != sorted(PLACEHOLDERS) or len(found) > len(set(found)):
        raise InputError(
            f"--names is '{pattern}': it must hold {{row}} and {{column}}, and {{field}} if there are "
            f"several, once each, as in '{EXAMPLE}'"
        )
    texts = {"field": "(?P<field>.+)", "row": r"(?P<row>\d+)", "column": r"(?P<column>\d+)"}
    return re.compile("".join(texts[part] if at % 2 else re.escape(part) for at, part in enumerate(parts)))


def _grid(field: str, tiles: dict[tuple[int, int], int]) -> Grid:
    rows, columns = zip(*tiles, strict=True)
    spans = [range(min(numbers), max(numbers) + 1) for numbers in (rows, columns)]
    if missing := len(spans[0]) * len(spans[1]) - len(tiles):
        places = (place for place in product(spans[0], spans[1]) if place not in tiles)
        raise DataError(
            f"{missing:,} of {len(spans[0]):,} × {len(spans[1]):,} tiles are missing: "
            f"{first_few([_words(field, place) for place in islice(places, LISTED + 1)])}"
        )
    return [[tiles[row, column] for column in spans[1]] for row in spans[0]]


def _words(field: str, place: tuple[int, int]) -> str:
    return f"row {place[0]}, column {place[1]} of {field}"
