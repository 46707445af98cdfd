"""Panels of a page as text: what the link holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Kind = Literal["runs", "compare", "card", "images", "models", "table", "benchmark", "progress"]

COLUMNS = 12
"""Columns of the grid."""


class Window(BaseModel):
    """A panel.

    Attributes:
        kind: what it shows.
        items: keys of the items shown; see `finetune.viewer.library`.
        place: column, row, width and height in cells of the grid; None if it floats above the page.
        options: further state of the panel, such as the image and the part of it that is visible.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    items: list[str] = Field([], max_length=200)
    place: tuple[int, int, int, int] | None = (0, 0, COLUMNS, 6)
    options: dict[str, Any] = {}

    def title(self) -> str:
        """Heading of the panel.

        Returns:
            Kind and items.
        """
        names = {
            "runs": "Runs",
            "compare": "Comparison",
            "card": "Card",
            "images": "Image",
            "models": "Models on one image",
            "table": "Table",
            "benchmark": "Benchmark",
            "progress": "Progress",
        }
        shown = [item.rsplit("/", 1)[-1] for item in self.items]
        return ": ".join(filter(None, (names[self.kind], ", ".join(shown[:4]) + (" …" * (len(shown) > 4)))))


def write(windows: Sequence[Window]) -> str:
    """Write panels as text for a link.

    Args:
        windows: the panels.

    Returns:
        JSON without spaces.
    """
    content = [window.model_dump(exclude_defaults=True) | {"kind": window.kind} for window in windows]
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


def read(text: str) -> list[Window]:
    """Read the panels of a link.

    Args:
        text: from `write`, or anything: links are typed and shortened by hand.

    Returns:
        The panels; empty if the text is not a list of panels.
    """
    try:
        windows = [Window.model_validate(entry) for entry in json.loads(text)]
    except (ValueError, ValidationError, TypeError, RecursionError):
        return []
    return [window for window in windows if _fits(window)]


def read_query(search: str) -> dict[str, str]:
    """Read the query of an address.

    Args:
        search: such as "?theme=dark".

    Returns:
        Values by name.
    """
    return dict(parse_qsl(search.removeprefix("?")))


def change_query(search: str, **values: str) -> str:
    """Change values in the query of an address.

    Args:
        search: such as "?theme=dark".
        **values: the new values.

    Returns:
        The query with the other values as they were.
    """
    return "?" + urlencode(read_query(search) | values)


def _fits(window: Window) -> bool:
    if window.place is None:
        return True
    column, row, width, height = window.place
    return 0 <= column < COLUMNS and 0 < width <= COLUMNS - column and 0 <= row < 1000 and 0 < height <= 100


def free_row(windows: Sequence[Window]) -> int:
    """First row below all panels.

    Args:
        windows: the panels.

    Returns:
        The row.
    """
    return max((window.place[1] + window.place[3] for window in windows if window.place), default=0)


def position(window: Window) -> tuple[int, int]:
    """Sort key of docked panels: from top to bottom, then from left to right.

    Args:
        window: a docked panel.

    Returns:
        Row and column.
    """
    column, row, *_ = window.place or (0, 0)
    return row, column


def pack(windows: Sequence[Window]) -> None:
    """Place the docked panels in order, without gaps: two halves side by side, all others one below another.

    Args:
        windows: the panels; their places are changed.
    """
    row, beside = 0, None  # the panel whose right half is free
    for window in windows:
        if window.place is None:
            continue
        *_, width, height = window.place
        half = width <= COLUMNS // 2
        if half and beside is not None and beside.place is not None:
            _, top, _, other = beside.place
            window.place, beside = (COLUMNS // 2, top, COLUMNS // 2, height), None
            row = max(row, top + max(other, height))
            continue
        window.place = (0, row, COLUMNS // 2 if half else COLUMNS, height)
        beside, row = window if half else None, row + height


def moved(windows: Sequence[Window], window: Window, step: int) -> list[Window]:
    """Move a docked panel before or behind its neighbor.

    Args:
        windows: the panels.
        window: the one to move.
        step: -1 to move it up, 1 to move it down.

    Returns:
        The panels in their new order and places.
    """
    docked = sorted((one for one in windows if one.place), key=position)
    first = docked.index(window)
    second = first + step
    if 0 <= second < len(docked):
        docked[first], docked[second] = docked[second], docked[first]
    pack(docked)
    return [*docked, *(one for one in windows if one.place is None)]


def toggle_width(windows: Sequence[Window], window: Window) -> None:
    """Switch a docked panel between half and full width.

    Args:
        windows: the panels; their places are changed.
        window: the one to resize.
    """
    if window.place:
        column, row, width, height = window.place
        window.place = (column, row, COLUMNS if width <= COLUMNS // 2 else COLUMNS // 2, height)
        pack(sorted((one for one in windows if one.place), key=position))
