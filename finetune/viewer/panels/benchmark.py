"""Panel with a benchmark: table and plot of accuracy against time."""

from __future__ import annotations

import pandas as pd
import panel as pn
from bokeh.models import ColumnDataSource, HoverTool

from cards.benchmark.recommendation import pareto_front, recommend
from cards.benchmark.results import Benchmark
from cards.benchmark.tables import rows
from cards.canvas import GRAY, PALETTE
from finetune.viewer.desk import Desk, View, message
from finetune.viewer.panels.grid import table
from finetune.viewer.plots import finish, new_plot
from finetune.viewer.windows import Window


def benchmark_panel(desk: Desk, window: Window) -> View:
    """Build the panel.

    Args:
        desk: the desk of the page.
        window: the panel.

    Returns:
        The content.
    """
    benchmark = Benchmark.read(desk.library.get(window.items[0], "benchmark").path)
    header, *body = rows(benchmark)
    shown: list[View] = [message(f"{benchmark.title}: {len(benchmark.images)} images, {benchmark.device}")]
    shown.append(table(pd.DataFrame(body, columns=header), window, desk))
    if benchmark.timed():
        shown.append(_pareto(benchmark))
    shown += [message(sentence) for sentence in recommend(benchmark)]
    shown += [message(f"failed: {one.title}: {one.reason}") for one in benchmark.failed()]
    return pn.Column(*shown, sizing_mode="stretch_width")


def _pareto(benchmark: Benchmark) -> View:
    """Mean Dice against median time per image; the line joins the Pareto front."""
    measured = benchmark.timed()
    front = pareto_front(measured)
    plot = new_plot(
        height=380,
        x_axis_type="log",
        x_axis_label=f"seconds per image on {benchmark.device}",
        y_axis_label=f"mean Dice over {len(benchmark.images)} images",
    )
    plot.line(*map(list, zip(*(one.point() for one in front), strict=True)), color=GRAY, line_width=2)
    repositories = list(dict.fromkeys(one.repository for one in measured))
    for number, repository in enumerate(repositories):
        chosen = [one for one in measured if one.repository == repository]
        color = PALETTE[number % len(PALETTE)]
        source = ColumnDataSource(
            {
                "seconds": [one.point()[0] for one in chosen],
                "dice": [one.point()[1] for one in chosen],
                "model": [one.title for one in chosen],
                "stage": [one.stage for one in chosen],
                "opacity": [1.0 if one in front else 0.0 for one in chosen],
            }
        )
        plot.scatter(
            "seconds",
            "dice",
            source=source,
            size=10,
            line_color=color,
            fill_color=color,
            fill_alpha="opacity",
            legend_label=repository,
        )
    plot.add_tools(
        HoverTool(
            tooltips=[
                ("model", "@model"),
                ("stage", "@stage"),
                ("Dice", "@dice{0.0000}"),
                ("seconds", "@seconds{0.000}"),
            ]
        )
    )
    plot.legend.location = "bottom_right"
    return finish(plot)
