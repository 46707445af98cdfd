"""The page of `finetune view`: what one visit shows."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import panel as pn
from panel.io.resources import LOCAL_DIST
from param.parameterized import get_logger

from finetune.viewer import windows as links
from finetune.viewer.desk import Content, Desk, message
from finetune.viewer.library import Kind as ItemKind
from finetune.viewer.library import Library
from finetune.viewer.panels.benchmark import benchmark_panel
from finetune.viewer.panels.card import card_panel
from finetune.viewer.panels.compare import compare_panel
from finetune.viewer.panels.csv_table import csv_panel
from finetune.viewer.panels.images import images_panel
from finetune.viewer.panels.models import models_panel
from finetune.viewer.panels.progress import progress_panel
from finetune.viewer.panels.runs import runs_panel
from finetune.viewer.windows import Kind, Window

if TYPE_CHECKING:
    from bokeh.document import Document
    from tornado.httputil import HTTPServerRequest

CONTENTS: dict[Kind, Content] = {
    "runs": runs_panel,
    "compare": compare_panel,
    "card": card_panel,
    "images": images_panel,
    "models": models_panel,
    "table": csv_panel,
    "benchmark": benchmark_panel,
    "progress": progress_panel,
}
PANEL_OF: dict[ItemKind, Kind] = {
    "run": "card",
    "table": "table",
    "images": "images",
    "benchmark": "benchmark",
}
HEADINGS: dict[ItemKind, str] = {
    "benchmark": "Benchmarks",
    "table": "Tables",
    "images": "Images",
    "run": "Cards",
}
OPEN_AT_ONCE = 3
"""Tables, images and benchmarks that open by themselves if there is no run."""

KEYBOARD = Path(__file__).with_name("keyboard.js")
FAVICON = "static/extensions/panel/images/favicon.ico"

NOTHING = ("", "")
FOCUS = ":focus-visible { outline: 2px solid #3584e4 !important; outline-offset: 1px !important }"
"""Where the keyboard is must be visible on light and dark pages alike."""


class Page(pn.template.VanillaTemplate):
    """Panel's plainest template with landmarks, and with fonts of the computer, not of the internet."""

    _template = Path(__file__).with_suffix(".html")
    _resources = {"css": {}}

    def _init_doc(self, doc: Document | None = None, *arguments: Any, **options: Any) -> Document:
        document = doc or pn.state.curdoc
        assert document is not None
        document.template_variables["keyboard"] = KEYBOARD.read_text(encoding="utf-8")
        with document.models.freeze():  # its models are collected once, not for each root
            return super()._init_doc(document, *arguments, **options)


def build_page(library: Library) -> pn.template.base.BaseTemplate:
    """Build the page of one visit.

    Args:
        library: the items; searched again, so that a reload shows new runs.

    Returns:
        The page.
    """
    library.scan()
    query = links.read_query(pn.state.location.search if pn.state.location else "")
    if pn.state.curdoc:  # Panel itself does this only in the visit for which it writes the frame
        pn.state.curdoc.template_variables["dist_url"] = LOCAL_DIST
    dark = query.get("theme") == "dark"
    desk = Desk(library, CONTENTS, dark=dark)
    page = Page(
        title="finetune",
        theme="dark" if dark else "default",
        header_background="#0b5c7a",
        favicon=FAVICON,
    )
    content = pn.Column(sizing_mode="stretch_width")
    notes = pn.Column(*map(message, library.notes), sizing_mode="stretch_width")
    content[:] = [_toolbar(desk, dark, notes), notes, desk.area, desk.floating]
    assert page.main is not None
    page.main.append(content)
    desk.restore(links.read(query.get("view", "")) or _first_windows(library))
    return page


def _first_windows(library: Library) -> list[Window]:
    from finetune.viewer.desk import HEIGHTS

    if library.of("run"):
        chosen = [Window(kind="runs")]
    else:
        others = [item for item in library.items.values() if item.kind != "run"]
        chosen = [Window(kind=PANEL_OF[item.kind], items=[item.key]) for item in others[:OPEN_AT_ONCE]]
    for window in chosen:
        window.place = (0, 0, links.COLUMNS, HEIGHTS[window.kind])
    links.pack(chosen)
    return chosen


def _toolbar(desk: Desk, dark: bool, notes: pn.Column) -> pn.viewable.Viewable:
    choice = pn.widgets.Select(label="Open a panel", groups=_choices(desk.library), value=NOTHING, width=340)

    def opened(event: object) -> None:
        kind, key = choice.value
        if kind:
            desk.open(kind, [key] if key else [])
            choice.value = NOTHING

    def search(event: object) -> None:
        desk.refresh()
        notes[:] = list(map(message, desk.library.notes))
        choice.groups = _choices(desk.library)

    def turn(event: object) -> None:
        if location := pn.state.location:
            location.reload = True
            location.search = links.change_query(location.search, theme="light" if dark else "dark")

    choice.param.watch(opened, "value")
    again = pn.widgets.Button(label="Search again", width=110)
    again.on_click(search)
    theme = pn.widgets.Button(label="Light" if dark else "Dark", width=80)
    theme.on_click(turn)
    return pn.FlexBox(choice, desk.arrange, again, theme, align_items="end")


def _choices(library: Library) -> dict[str, dict[str, tuple[str, str]]]:
    """Everything that can be opened, in groups."""
    groups: dict[str, dict[str, tuple[str, str]]] = {"Open": {"choose …": NOTHING}}
    if library.of("run"):
        groups["Runs"] = {"All runs": ("runs", "")}
    for kind, heading in HEADINGS.items():
        if items := library.of(kind):
            groups[heading] = {item.key: (PANEL_OF[kind], item.key) for item in items}
    return groups


def _frame_key(request: HTTPServerRequest) -> tuple[str, bool]:
    """What the frame of a page depends on: the address and the theme."""
    return request.path, request.query_arguments.get("theme") == [b"dark"]


def serve_pages(library: Library) -> Callable[[], pn.template.base.BaseTemplate]:
    """Prepare Panel, and the function that builds the page of each visit.

    Args:
        library: the items.

    Returns:
        The function, for `finetune.viewer.server.ViewServer`.
    """
    pn.extension("tabulator", "gridstack", "floatpanel", raw_css=[FOCUS])
    # The frame of the page is the same for every visit: it is sent at once, and the browser loads the scripts
    # while the panels of the visit are built.
    pn.config.reuse_sessions = "warm"
    pn.config.session_key_func = _frame_key
    # Notes on layout, meant for developers; Bokeh reports errors itself.
    get_logger().setLevel(logging.ERROR)
    return lambda: build_page(library)
