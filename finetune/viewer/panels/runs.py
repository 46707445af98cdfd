"""Panel with the table of runs: sort, filter, select, compare, audit."""

from __future__ import annotations

import asyncio
from typing import Any

import pandas as pd
import panel as pn
from bokeh.models.widgets.tables import NumberFormatter

from finetune.viewer.desk import Desk, View, message
from finetune.viewer.panels.card import MOST as MOST_CARDS
from finetune.viewer.panels.grid import HEIGHT, table
from finetune.viewer.panels.models import MOST as MOST_MODELS
from finetune.viewer.run_table import COMPLETE, audit_run, read_rows
from finetune.viewer.windows import Window

TITLES = {
    "run": "Run",
    "state": "State",
    "recipe": "Recipe",
    "model": "Model",
    "data": "Data",
    "images": "Test images",
    "before": "Dice before",
    "before_interval": "95 % interval before",
    "after": "Dice after",
    "after_interval": "95 % interval after",
    "minutes": "Training (min)",
    "milliseconds": "Time per image (ms)",
    "megabytes": "Files (MB)",
    "created": "Created (UTC)",
    "audit": "Audit",
}
DECIMALS = {
    "images": "0",
    "before": "0.0000",
    "after": "0.0000",
    "minutes": "0.0",
    "milliseconds": "0.0",
    "megabytes": "0.0",
}
MOST_COMPARED = 8


def runs_panel(desk: Desk, window: Window) -> View:
    """Build the panel.

    Args:
        desk: the desk of the page.
        window: the panel.

    Returns:
        The content.
    """
    rows = read_rows(desk.library)
    if not rows:
        return message("There are no runs in the folders given.")
    frame = pd.DataFrame(rows).astype(dict.fromkeys(DECIMALS, float))
    view = table(
        frame,
        window,
        desk,
        titles=TITLES,
        formatters={
            name: NumberFormatter(format=digits, nan_format="–") for name, digits in DECIMALS.items()
        },
        # The reason why a record cannot be read is a sentence.
        wrapped=[] if (frame["state"] == COMPLETE).all() else ["state"],
        height=HEIGHT,
        selectable="checkbox",
        frozen_columns=["run"],
    )
    notice = pn.pane.Alert("", alert_type="warning", visible=False, margin=4)

    def selected(at_least: int, most: int | None = None) -> list[str]:
        keys = [str(frame.iloc[row]["run"]) for row in sorted(view.selection)]
        short, cut = len(keys) < at_least, most is not None and len(keys) > most
        if cut:
            notice.object = f"{len(keys)} runs are selected; the first {most} are shown."
        elif at_least > 1:
            notice.object = f"Select at least {at_least} runs with the boxes at the left."
        else:
            notice.object = "Select a run with the box at its left."
        notice.visible = short or cut
        return [] if short else keys[:most]

    def compare(event: Any) -> None:
        if keys := selected(2, MOST_COMPARED):
            desk.open("compare", keys)

    def cards(event: Any) -> None:
        if keys := selected(1, MOST_CARDS):
            desk.open("card", keys)

    def models(event: Any) -> None:
        if keys := selected(1, MOST_MODELS):
            desk.open("models", keys)

    def progress(event: Any) -> None:
        for key in selected(1):
            desk.open("progress", [key])

    async def audit(event: Any) -> None:
        for key in selected(1):
            row = int(frame.index[frame["run"] == key][0])
            view.patch({"audit": [(row, "auditing …")]})
            view.patch({"audit": [(row, await asyncio.to_thread(audit_run, desk.library, key))]})

    actions = {
        "Compare": compare,
        "Cards": cards,
        "Models on one image": models,
        "Audit": audit,
        "Progress": progress,
    }
    buttons = []
    for name, action in actions.items():
        button = pn.widgets.Button(
            label=name, color="primary" if name == "Compare" else "default", margin=(4, 4)
        )
        button.on_click(action)
        buttons.append(button)
    return pn.Column(pn.FlexBox(*buttons), notice, view, sizing_mode="stretch_width")
