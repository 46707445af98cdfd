"""The desk of a page: opens, arranges, floats and closes panels, and keeps the address up to date."""

from __future__ import annotations

import html
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import panel as pn

from cards.errors import InputError
from finetune.viewer import windows as links
from finetune.viewer.library import Library
from finetune.viewer.windows import COLUMNS, Kind, Window

ROW = 56
"""Height of a row of the grid in pixels."""
SPARE = 14
"""Free rows below the panels while they are arranged, so that there is room to drag to."""
HEIGHTS: dict[Kind, int] = {
    "runs": 9, "compare": 12, "card": 12, "images": 13, "models": 14, "table": 11, "benchmark": 14,
    "progress": 10,
}  # fmt: skip
BORDER = {"border": "1px solid rgba(128, 128, 128, 0.5)", "border-radius": "6px", "padding": "2px 6px"}
FLOATING = (760, 620)
"""Width and height of a floating panel in pixels."""

View = pn.viewable.Viewable
Content = Callable[["Desk", Window], View]


class Grid(pn.layout.GridStack):
    """Panel's grid; what it holds is laid out again when the style sheet that sets its width arrives late."""

    _scripts = {
        **pn.layout.GridStack._scripts,
        "render": f"{pn.layout.GridStack._scripts['render']}"
        """
        const widths = new Map()
        state.observer = new ResizeObserver(entries => {
          const changed = entries.filter(({target}) => widths.get(target) !== target.clientWidth)
          for (const {target} of changed) widths.set(target, target.clientWidth)
          if (changed.length) view.invalidate_layout()
        })
        for (const {el} of gridstack.engine.nodes) {
          widths.set(el, el.clientWidth)
          state.observer.observe(el)
        }
        """,
        "remove": "state.observer.disconnect(); state.gridstack.destroy()",
    }


class Desk:
    """Panels of one visit."""

    def __init__(self, library: Library, contents: Mapping[Kind, Content], *, dark: bool = False) -> None:
        """Start without panels.

        Args:
            library: the items of the page.
            contents: builds the content of each kind of panel.
            dark: whether the page is light on dark.
        """
        self.library, self.contents, self.dark = library, contents, dark
        self.windows: list[Window] = []
        self.area = pn.Column(sizing_mode="stretch_width")
        self.floating = pn.Column(sizing_mode="stretch_width", height=0)
        self.arrange = pn.widgets.Toggle(label="Arrange panels", width=130)
        self.arrange.param.watch(lambda event: self._show(), "value")
        self._bodies: dict[int, View] = {}
        self._floats: dict[int, View] = {}
        self._repeated: dict[int, Any] = {}

    def restore(self, windows: Sequence[Window]) -> None:
        """Show the panels of a link.

        Args:
            windows: the panels.
        """
        self.windows = list(windows)
        docked = [one for one in windows if one.place]
        if len({links.position(one) for one in docked}) < len(docked):  # a link that was written by hand
            links.pack(docked)
        self._show()

    def open(self, kind: Kind, items: Sequence[str] = (), **options: Any) -> None:
        """Open a panel above the others, unless it is open already.

        Args:
            kind: what it shows.
            items: keys of the items.
            **options: state of the panel.
        """
        if any((one.kind, one.items) == (kind, list(items)) for one in self.windows):
            return
        new = Window(kind=kind, items=list(items), place=(0, 0, COLUMNS, HEIGHTS[kind]), options=options)
        self.windows = [new, *self._docked_below(HEIGHTS[kind])]
        self._show()

    def _docked_below(self, rows: int) -> list[Window]:
        for window in self.windows:
            if window.place:
                column, row, width, height = window.place
                window.place = (column, row + rows, width, height)
        return self.windows

    def close(self, window: Window) -> None:
        """Close a panel.

        Args:
            window: the panel.
        """
        self.windows = [one for one in self.windows if one is not window]
        self._bodies.pop(id(window), None)
        self._floats.pop(id(window), None)
        self._show()

    def refresh(self) -> None:
        """Build all panels again, from the files as they are now."""
        self.library.scan()
        self._bodies.clear()
        self._floats.clear()
        self._show()

    def repeat(self, window: Window, action: Callable[[], None], period: int) -> None:
        """Call a function periodically, as long as a panel is open.

        Args:
            window: the panel.
            action: the function.
            period: in milliseconds.
        """

        def run() -> None:
            if any(one is window for one in self.windows):
                action()
            else:
                callback.stop()

        if former := self._repeated.pop(id(window), None):  # of a body that was built before
            former.stop()
        callback = self._repeated[id(window)] = pn.state.add_periodic_callback(run, period)

    def changed(self) -> None:
        """Write the state of all panels into the address of the page."""
        if pn.state.location:
            search = links.change_query(pn.state.location.search, view=links.write(self.windows))
            pn.state.location.search = search

    def _show(self) -> None:
        docked = [window for window in self.windows if window.place]
        frames = {}
        for window in docked:
            frame = self._frame(window)
            column, row, width, height = window.place or (0, 0, 0, 0)
            frames[(row, column, row + height, column + width)] = frame
        self.area[:] = [self._grid(docked, frames)] if docked else [_hint()]
        self.floating[:] = [self._float(window) for window in self.windows if not window.place]
        self.changed()

    def _grid(self, docked: list[Window], frames: dict[tuple[int, int, int, int], View]) -> View:
        rows = links.free_row(docked) + (SPARE if self.arrange.value else 0)
        grid = Grid(
            objects=dict(frames),
            ncols=COLUMNS,
            nrows=rows,
            height=rows * ROW,
            sizing_mode="stretch_width",
            allow_drag=self.arrange.value,
            allow_resize=self.arrange.value,
        )
        owners = {str(id(frame)): window for window, frame in zip(docked, frames.values(), strict=True)}

        def moved(event: Any) -> None:
            # A narrow screen stacks the panels in one column: that is not what the user arranged.
            if not self.arrange.value or all(one["x1"] - one["x0"] <= 1 for one in event.new):
                return
            for one in event.new:
                if window := owners.get(str(one["id"])):
                    window.place = (one["x0"], one["y0"], one["x1"] - one["x0"], one["y1"] - one["y0"])
            self.changed()

        grid.param.watch(moved, "state")
        return grid

    def _frame(self, window: Window) -> View:
        title = pn.pane.HTML(
            f'<h2 style="margin:6px 4px;font-size:16px">{html.escape(window.title())}</h2>',
            sizing_mode="stretch_width",
            margin=0,
        )
        buttons = [
            _button("Float", lambda: self._place(window, None)),
            _button("Close", lambda: self.close(window)),
        ]
        if self.arrange.value:
            buttons = [
                _button("Up", lambda: self._move(window, -1)),
                _button("Down", lambda: self._move(window, 1)),
                _button("Half or full width", lambda: self._resize(window)),
                *buttons,
            ]
        header = pn.Row(title, *buttons, css_classes=["window-header"], sizing_mode="stretch_width")
        framed = pn.Column(
            header, self._body(window), styles=BORDER, sizing_mode="stretch_both", scroll=True, margin=4
        )
        # The grid sets the height of the outer column, which must hold the margin of the inner one.
        return pn.Column(framed, css_classes=["window"], sizing_mode="stretch_width", margin=0)

    def _float(self, window: Window) -> View:
        if id(window) not in self._floats:
            dock = _button("Dock", lambda: self._dock(window))
            width, height = FLOATING
            panel = pn.layout.FloatPanel(
                pn.Column(
                    dock, self._body(window), sizing_mode="stretch_width", height=height - 80, scroll=True
                ),
                name=html.escape(window.title()),  # jsPanel reads its heading as HTML
                contained=False,
                position="center",
                width=width,
                height=height,
                theme="none",
            )
            panel.param.watch(lambda event: self._closed(window, event.new), "status")
            self._floats[id(window)] = panel
        return self._floats[id(window)]

    def _body(self, window: Window) -> View:
        """Content of a panel; a panel that cannot be built says why."""
        if id(window) not in self._bodies:
            self._bodies[id(window)] = self._build(window)
        return self._bodies[id(window)]

    def _build(self, window: Window) -> View:
        try:
            return self.contents[window.kind](self, window)
        except InputError as error:
            return message(str(error))
        except Exception as error:  # one panel must not blank the page
            logging.getLogger(__name__).exception("panel %s", window.kind)
            return message(f"This panel cannot be shown: {type(error).__name__}: {error}")

    def _place(self, window: Window, place: tuple[int, int, int, int] | None) -> None:
        window.place = place
        links.pack(sorted(filter(lambda one: one.place, self.windows), key=links.position))
        self._show()

    def _dock(self, window: Window) -> None:
        self._floats.pop(id(window), None)
        self._place(window, (0, links.free_row(self.windows), COLUMNS, HEIGHTS[window.kind]))

    def _closed(self, window: Window, status: str) -> None:
        if status == "closed" and window.place is None and any(one is window for one in self.windows):
            self.close(window)

    def _move(self, window: Window, step: int) -> None:
        self.windows = links.moved(self.windows, window, step)
        self._show()

    def _resize(self, window: Window) -> None:
        links.toggle_width(self.windows, window)
        self._show()


def message(text: str) -> pn.pane.HTML:
    """Show a sentence instead of a panel's content.

    Args:
        text: plain text; it may hold names from files, and is not interpreted.

    Returns:
        The view.
    """
    return pn.pane.HTML(as_html(text), sizing_mode="stretch_width")


def as_html(text: str) -> str:
    """Content of the pane of a message.

    Args:
        text: plain text, which is not interpreted.

    Returns:
        HTML.
    """
    return f'<p style="margin:2px 0;overflow-wrap:anywhere">{html.escape(text)}</p>'


def _hint() -> View:
    return message("No panel is open. Choose one under “Open”.")


def _button(name: str, action: Callable[[], Any]) -> pn.widgets.Button:
    button = pn.widgets.Button(label=name, variant="outline", margin=2, height=30)
    button.on_click(lambda event: action())
    return button
