"""Panel with a CSV file of any size."""

from __future__ import annotations

from typing import Any

import pandas as pd
import panel as pn

from cards.errors import InputError
from cards.formatting import counted
from finetune.viewer.csv_pages import CsvFile, open_csv
from finetune.viewer.desk import Desk, View, message
from finetune.viewer.fields import NumberField
from finetune.viewer.panels.grid import table
from finetune.viewer.windows import Window

MOST_COLUMNS = 200
"""Columns that are shown; a browser takes seconds to draw thousands."""


def csv_panel(desk: Desk, window: Window) -> View:
    """Build the panel.

    Args:
        desk: the desk of the page.
        window: the panel; its option "page" is the page shown, from 1.

    Returns:
        The content.
    """
    file = open_csv(desk.library.get(window.items[0], "table").path)
    number = window.options.get("page", 1)
    number = min(max(number, 1), file.pages) if isinstance(number, int) else 1
    page = NumberField(name="Page", value=number, end=file.pages, width=110, height=52, margin=(5, 10))
    place = pn.Column(sizing_mode="stretch_width")

    def show(event: Any = None) -> None:
        shown = min(max(page.value, 1), file.pages)
        window.options["page"] = shown
        try:
            desk.library.get(window.items[0], "table")  # it may have been deleted
            place[:] = [_page(file, shown - 1, window, desk)]
        except InputError as error:
            place[:] = [message(str(error))]
        desk.changed()

    page.param.watch(show, "value")
    place[:] = [_page(file, number - 1, window, desk)]
    return pn.Column(page, place, sizing_mode="stretch_width") if file.pages > 1 else place


def _page(file: CsvFile, number: int, window: Window, desk: Desk) -> View:
    rows = file.page(number)
    header = file.header[:MOST_COLUMNS]
    frame = numeric(pd.DataFrame([row[:MOST_COLUMNS] for row in rows], columns=header, dtype=str))
    columns = counted(len(file.header), "column")
    if len(file.header) > MOST_COLUMNS:
        columns += f", of which the first {MOST_COLUMNS} are shown"
    if file.pages > 1:
        first = file.start_of(number)
        text = (
            f"Rows {first + 1:,} to {first + len(rows):,} of {file.rows:,}, {columns}. "
            "Sorting and filtering apply to the rows of this page."
        )
    else:
        text = f"{counted(len(rows), 'row')}, {columns}"
    if file.unclosed:
        text += ". A quotation mark is never closed: the last cell holds the rest of the file."
    return pn.Column(message(text), table(frame, window, desk), sizing_mode="stretch_width")


def numeric(frame: pd.DataFrame) -> pd.DataFrame:
    """Convert the columns of which every cell is a number or empty, so that they are sorted as numbers.

    Args:
        frame: text.

    Returns:
        A new table.
    """
    return pd.DataFrame({name: _numbers(frame[name]) for name in frame})


def _numbers(column: pd.Series) -> pd.Series:
    texts = column.str.strip()
    filled = texts != ""
    if not filled.any() or texts.str.match(r"[+-]?0\d").any():  # 007 is a name
        return column
    numbers = pd.to_numeric(texts.where(filled), errors="coerce")
    exact = (numbers.dropna().abs() <= 2**53).all()  # browsers have no larger integers
    return numbers if exact and bool((numbers.notna() == filled).all()) else column
