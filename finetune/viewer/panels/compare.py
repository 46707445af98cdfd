"""Panel that compares runs: paired accuracy, learning curves, differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import panel as pn
from bokeh.models import ColumnDataSource, HoverTool

from cards.canvas import PALETTE
from finetune.viewer.comparison import (
    Runs,
    differences,
    learning_curve,
    paired_accuracy,
    paired_scores,
    unpaired,
)
from finetune.viewer.desk import Desk, View, message
from finetune.viewer.panels.card import card_panel
from finetune.viewer.panels.grid import table
from finetune.viewer.plots import finish, new_plot
from finetune.viewer.run_table import read_run
from finetune.viewer.windows import Window

NARROW = "@media (max-width: 500px) { .bk-btn { padding: 6px 5px !important; font-size: 12px !important } }"
DASHES = ("solid", "dashed", "dotted", "dotdash")


def compare_panel(desk: Desk, window: Window) -> View:
    """Build the panel.

    Args:
        desk: the desk of the page.
        window: the panel; its option "tab" is the part shown.

    Returns:
        The content.
    """
    runs = {key: read_run(desk.library, key) for key in window.items}
    if len(runs) < 2:
        return message("A comparison needs at least two runs.")
    parts: dict[str, Callable[[], View]] = {
        "Accuracy": lambda: _accuracy(runs, window, desk),
        "Learning curves": lambda: _curves(runs),
        "Differences": lambda: _differences(runs, window, desk),
        "Cards": lambda: card_panel(desk, window),
    }
    names = list(parts)
    tab = window.options.get("tab", 0)
    # Bokeh's tabs cannot be turned by keyboard.
    choice = pn.widgets.RadioButtonGroup(
        label="Part",
        options=names,
        value=names[tab if tab in range(len(names)) else 0],
        color="primary",
        variant="outline",
        stylesheets=[NARROW],
    )
    place = pn.Column(parts[choice.value](), sizing_mode="stretch_width")

    def turned(event: Any) -> None:
        place[:] = [parts[event.new]()]
        window.options["tab"] = names.index(event.new)
        desk.changed()

    choice.param.watch(turned, "value")
    return pn.Column(choice, place, sizing_mode="stretch_width")


def _accuracy(runs: Runs, window: Window, desk: Desk) -> View:
    first = next(iter(runs))
    rows = paired_accuracy(runs)
    shown: list[View] = [
        message(f"{key} and {first} have no scored test image in common: their accuracy cannot be compared.")
        for key in unpaired(runs)
    ]
    if rows:
        frame = pd.DataFrame(rows).rename(columns={"first": first})
        shown += [
            message(f"Change from {first}, on the test images that both runs have in common."),
            table(frame, window, desk),
            _scatter(runs),
        ]
    return pn.Column(*shown, sizing_mode="stretch_width")


def _scatter(runs: Runs) -> View:
    """Dice of each image in both runs; images above the diagonal are better in the other run."""
    first, *others = runs
    scores = paired_scores(runs)
    plot = new_plot(
        height=360,
        x_axis_label=f"Dice, {first}",
        y_axis_label="Dice, other run",
    )
    ends = [value for row in scores for value in (row["first"], row["second"])]
    plot.line([min(ends), max(ends)], [min(ends), max(ends)], color="#888888", line_dash="dashed")
    for number, key in enumerate(others):
        chosen = [row for row in scores if row["run"] == key]
        if not chosen:  # no test image in common with the first run
            continue
        source = ColumnDataSource(pd.DataFrame(chosen))
        color = PALETTE[number % len(PALETTE)]
        plot.scatter("first", "second", source=source, size=8, color=color, alpha=0.8, legend_label=key)
    plot.add_tools(
        HoverTool(
            tooltips=[
                ("image", "@image"),
                (first, "@first{0.0000}"),
                ("other run", "@second{0.0000}"),
                ("change", "@change{+0.0000}"),
            ]
        )
    )
    plot.legend.location = "top_left"
    return finish(plot)


def _curves(runs: Runs) -> View:
    """Loss and validation metric of all runs, one color a run."""
    loss = new_plot(x_axis_label="epoch", y_axis_label="training loss")
    validation = new_plot(
        x_axis_label="epoch",
        y_axis_label="validation Dice (IoU with prompts)",
        x_range=loss.x_range,
    )
    measured = False
    for number, (key, record) in enumerate(runs.items()):
        curve, color = learning_curve(record), PALETTE[number % len(PALETTE)]
        dash = DASHES[number // len(PALETTE) % len(DASHES)]
        for plot, x, y in ((loss, "epoch", "loss"), (validation, "validated", "validation")):
            if curve[x]:
                measured = measured or plot is validation
                plot.line(curve[x], curve[y], color=color, line_dash=dash, line_width=2, legend_label=key)
                plot.scatter(curve[x], curve[y], color=color, size=5, legend_label=key)
    shown: list[View] = [finish(loss)]
    if measured:
        validation.legend.location = "bottom_right"  # the curve rises
    shown.append(finish(validation) if measured else message("No validation metric was measured."))
    return pn.Column(*shown, sizing_mode="stretch_width")


def _differences(runs: Runs, window: Window, desk: Desk) -> View:
    rows = differences(runs)
    if not rows:
        return message("The records do not differ in recipe, model, data, training, time and software.")
    return table(pd.DataFrame(rows), window, desk)
