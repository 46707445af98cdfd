"""Panel with the learning curves of a run in progress, which grow while the page is open."""

from __future__ import annotations

from typing import Any

import panel as pn
from bokeh.models import ColumnDataSource

from cards.canvas import BLUE, SKY, VERMILION
from cards.errors import InputError
from cards.reading import NAME as RECORD
from finetune.pipeline.stop_request import is_training, request_stop, stop_requested
from finetune.viewer.desk import Desk, View, as_html, message
from finetune.viewer.plots import finish, new_plot
from finetune.viewer.progress import progress_in_words, read_progress
from finetune.viewer.windows import Window

PERIOD = 2_000
"""Milliseconds between two looks at the log."""
STOP = "Stop after this epoch"


def progress_panel(desk: Desk, window: Window) -> View:
    """Build the panel.

    Args:
        desk: the desk of the page.
        window: the panel.

    Returns:
        The content.
    """
    item = desk.library.get(window.items[0], "run")
    if item.path.is_file() or (item.path / RECORD).exists():
        return message("The run has ended and written its record; “Cards” shows it.")
    progress = read_progress(item.path)
    loss, validation = (
        ColumnDataSource(data=_column(curve)) for curve in (progress.loss, progress.validation)
    )
    text = message(progress_in_words(progress))
    button = pn.widgets.Button(label=STOP, visible=is_training(item.path), margin=4)

    def stop(event: Any) -> None:
        """Request a stop; the request is the only file that the page writes."""
        try:
            request_stop(desk.library.get(item.key, "run").path)
            show_state()
        except InputError as error:
            text.object = as_html(str(error))

    def show_state() -> None:
        requested = stop_requested(item.path)
        button.param.update(
            visible=is_training(item.path),
            label="Training ends after this epoch" if requested else STOP,
            disabled=requested,
        )

    button.on_click(stop)
    show_state()
    lower = new_plot(x_axis_label="epoch", y_axis_label="training loss", height=220)
    upper = new_plot(
        x_axis_label="epoch", y_axis_label="validation metric", height=220, x_range=lower.x_range
    )
    cold = SKY if desk.dark else BLUE
    for plot, source, color in ((lower, loss, VERMILION), (upper, validation, cold)):
        plot.line("epoch", "value", source=source, color=color, line_width=2)
        plot.scatter("epoch", "value", source=source, color=color, size=6)

    def look() -> None:
        if not item.path.exists():  # a run that is complete gets another name
            text.object = as_html("The run is complete, or was deleted; “Search again” shows it.")
            button.visible = False
            return
        now = read_progress(item.path)
        loss.data, validation.data = _column(now.loss), _column(now.validation)
        text.object = as_html(progress_in_words(now))
        show_state()

    if pn.state.curdoc is not None:
        desk.repeat(window, look, PERIOD)
    return pn.Column(text, button, finish(lower), finish(upper), sizing_mode="stretch_width")


def _column(curve: dict[int, float]) -> dict[str, Any]:
    return {"epoch": list(curve), "value": list(curve.values())}
