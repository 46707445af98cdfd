"""Tables that sort and filter in the browser, and write their state into the link."""

from __future__ import annotations

import html
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any, ClassVar

import pandas as pd
import panel as pn
from bokeh.models import ImportedStyleSheet
from panel.io.resources import CDN_DIST, DIST_DIR, LOCAL_DIST

from finetune.viewer.desk import Desk
from finetune.viewer.windows import Window

HEADER, ROW = 90, 31
"""Heights of the heading with its filters, and of a row, in pixels."""
HEIGHT = 400
"""Largest height in pixels; further rows are scrolled, and only visible ones are drawn."""
BUFFER = 4 * ROW
"""Height of the rows that are drawn above and below the visible ones, in pixels."""
CHARACTER, BOLD, PADDING, ARROW = 8, 9, 10, 40
NARROWEST, WIDEST = 90, 320
"""Widths of columns in pixels, estimated from their text: to measure them takes the browser longer."""
HEADING = '<button type="button" class="sort">{}</button>'
"""Heading of a column: a button, so that the table can be sorted by keyboard."""
STYLE = """
button.sort { all: unset; cursor: pointer }
button.sort:focus-visible { outline: none !important }
.tabulator .tabulator-col:has(button.sort:focus-visible) { outline: 2px solid #3584e4; outline-offset: -2px }
.tabulator .tabulator-header-filter input { color: inherit }
.tabulator .tabulator-header-filter input::placeholder { color: inherit; opacity: 0.75 }
.tabulator .tabulator-tableholder:focus-visible { outline: 2px solid #3584e4; outline-offset: -2px }
"""
MEASURED = 200
"""Rows from which the width of a column is estimated."""


class Table(pn.widgets.Tabulator):
    """Panel's table, without icons, and with style sheets as text: a table that loads them is drawn again."""

    _stylesheets: ClassVar[list[str]] = []

    def _process_param_change(self, params: dict[str, Any]) -> dict[str, Any]:
        changed = super()._process_param_change(params)
        if sheets := changed.get("stylesheets"):
            changed["stylesheets"] = [_inline(one) for one in sheets]
        return changed


def table(
    frame: pd.DataFrame,
    window: Window,
    desk: Desk,
    *,
    titles: Mapping[str, str] | None = None,
    formatters: Mapping[str, Any] | None = None,
    wrapped: Collection[str] = (),
    **options: Any,
) -> Table:
    """Build a table.

    Args:
        frame: the rows; text in it is shown as it is and never interpreted as HTML.
        window: the panel, whose options hold the columns by which the table is sorted.
        desk: the desk, which keeps the link up to date.
        titles: headings by column.
        formatters: of numeric columns.
        wrapped: columns whose text is wrapped; the height of each row is then measured in the browser.
        **options: of `panel.widgets.Tabulator`.

    Returns:
        The widget.
    """
    # Tabulator reads a heading as HTML, and a dot in the name of a field as a path.
    titles = {**{str(name): str(name) for name in frame}, **(titles or {})}
    fields = {name: _field(str(name), number) for number, name in enumerate(frame)}
    frame = frame.rename(columns=fields)
    titles = {fields[name]: title for name, title in titles.items()}
    sorters = window.options.get("sort")
    numbers = [name for name in frame if not _is_text(frame, name)]
    plain = dict.fromkeys(frame, "plaintext")  # Panel would round numbers to six places
    view = Table(
        frame,
        show_index=False,
        theme="midnight" if desk.dark else "simple",
        disabled=True,
        titles={name: HEADING.format(html.escape(title)) for name, title in titles.items()},
        header_tooltips={name: html.escape(title) for name, title in titles.items()},
        editors=dict.fromkeys(frame),  # cells with editors are stops of the Tab key
        header_filters=_filters(frame),
        formatters=plain | dict.fromkeys(wrapped, {"type": "textarea"}) | dict(formatters or {}),
        text_align=dict.fromkeys(numbers, "right"),
        layout="fit_columns",
        widths={name: _width(frame[name], title) for name, title in titles.items()},
        configuration={"renderVerticalBuffer": BUFFER, **({} if wrapped else {"rowHeight": ROW})},
        pagination=None,
        sizing_mode="stretch_width",
        stylesheets=[STYLE],
        sorters=sorters if _valid(sorters, frame) else [],
        **{"height": min(HEIGHT, HEADER + ROW * max(len(frame), 2)), **options},
    )

    def remember(event: Any) -> None:
        window.options["sort"] = [{"field": one["field"], "dir": one["dir"]} for one in event.new]
        desk.changed()

    view.param.watch(remember, "sorters")
    return view


def _inline(sheet: Any) -> Any:
    """Content of a style sheet of Panel; what is not a file of Panel stays as it is."""
    return _content(str(sheet.url)) or sheet if isinstance(sheet, ImportedStyleSheet) else sheet


@cache
def _content(url: str) -> str:
    file = DIST_DIR / url.split("?")[0].removeprefix(CDN_DIST).removeprefix(LOCAL_DIST)
    return file.read_text("utf-8") if file.is_file() else ""


def _field(name: str, number: int) -> str:
    """Name of a field of Tabulator: that of the column only if it is sure to be harmless."""
    return name if name.isidentifier() and name.isascii() and name != "index" else f"column_{number}"


def _width(column: pd.Series, title: str) -> int:
    longest = max(column.head(MEASURED).map(lambda value: len(str(value))), default=0)
    heading = BOLD * len(title) + ARROW
    return min(max(CHARACTER * longest + PADDING, heading, NARROWEST), WIDEST)


def _is_text(frame: pd.DataFrame, name: Any) -> bool:
    return not pd.api.types.is_numeric_dtype(frame[name])


def _filters(frame: pd.DataFrame) -> dict[str, dict[str, str]]:
    """A field to type in below each heading: text that the cell holds, or the least number."""
    return {
        str(name): {"type": "input", "func": "like", "placeholder": "contains"}
        if _is_text(frame, name)
        else {"type": "number", "func": ">=", "placeholder": "at least"}
        for name in frame
    }


def _valid(sorters: Any, frame: pd.DataFrame) -> bool:
    return isinstance(sorters, list) and all(
        isinstance(one, dict) and one.get("field") in frame and one.get("dir") in {"asc", "desc"}
        for one in sorters
    )
