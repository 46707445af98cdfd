"""Figure of a run for a paper: accuracy of each test image before and after training, as SVG and as numbers.

The text of the SVG stays text, so that a drawing program can edit it. The same record gives the same files.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cards.canvas import BLUE, GRAY, ORANGE, open_figure
from cards.formatting import counted
from cards.leakage import is_divided, relations, scored_images, unrelated_images
from cards.record import RunRecord
from cards.scores import Stage, Summary, csv_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SVG, CSV = "figure.svg", "figure.csv"
"""Names in the run folder."""

MANY = 200  # images from which points are drawn as pixels: an SVG with thousands of them is slow to edit
SPREAD = 0.09  # half of the width over which the points of a stage are spread; two stages are 1 apart
ASIDE = 0.3  # from the middle of the points to mean and standard deviation


@dataclass(frozen=True)
class Panel:
    """Values of one metric, or of IoU with one kind of prompt.

    Attributes:
        column: name in the CSV.
        label: of the vertical axis.
        stages: value by image, for each stage that was measured: "before" and "after".
    """

    column: str
    label: str
    stages: dict[str, dict[str, float]]


def panels(record: RunRecord) -> list[Panel]:
    """Collect the values that the figure shows: headline metrics, or IoU for each kind of prompt.

    Args:
        record: the run.

    Returns:
        Panels; none if nothing was measured.
    """
    found = []
    for prompt in record.prompts:
        before = {one.image: one.before for one in prompt.images if prompt.before and one.before is not None}
        stages = {"before": before, "after": {one.image: one.after for one in prompt.images}}
        column = f"iou_{prompt.kind.replace(' + ', '_').replace(' ', '_')}"
        found.append(
            Panel(column, f"IoU, {prompt.kind}", {name: each for name, each in stages.items() if each})
        )
    accuracy = record.accuracy
    if found or accuracy is None:
        return found
    measured = {"before": accuracy.before, "after": accuracy.after}
    for metric in record.metrics:
        if metric.headline:
            columns = {name: _column(stage, metric.name) for name, stage in measured.items() if stage}
            stages = {name: values for name, values in columns.items() if values}
            if stages:
                found.append(Panel(metric.name, metric.label, stages))
    return found


def figure_csv(record: RunRecord) -> str:
    """Write the numbers of the figure.

    Args:
        record: the run.

    Returns:
        CSV with one row per test image: its name, the related training image if the images were compared, and
        each value before and after training. A value that was not measured is empty.
    """
    shown = panels(record)
    related = relations(record, "test")
    columns = [(panel, stage) for panel in shown for stage in panel.stages]
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    names = [f"{panel.column}_{stage}" for panel, stage in columns]
    table.writerow(["image", *(["related_training_image"] if related is not None else []), *names])
    for image in dict.fromkeys(image for panel, stage in columns for image in panel.stages[stage]):
        relation = (related or {}).get(image)
        link = [csv_text(relation.related_to) if relation else ""] if related is not None else []
        values = [panel.stages[stage].get(image, "") for panel, stage in columns]
        table.writerow([csv_text(image), *link, *values])
    return stream.getvalue()


def figure_texts(record: RunRecord) -> list[str]:
    """The text of the figure, apart from the numbers of its axes.

    Args:
        record: the run.

    Returns:
        Names of the stages, labels and means of each panel, then the legend.
    """
    texts = []
    for panel in panels(record):
        means = (_mean(Summary.of(list(values.values()))) for values in panel.stages.values())
        texts += [*panel.stages, panel.label, *means]
    return [*texts, *_legend(record).values()]


def draw_figure(record: RunRecord, path: Path) -> None:
    """Draw each test image as a point, with mean ± standard deviation over images beside the points.

    A line joins the values of an image before and after training. Where some images are related to training
    images and some are not, their colors differ.

    Args:
        record: a run with at least one panel.
        path: output SVG.
    """
    from matplotlib.lines import Line2D

    shown = panels(record)
    unrelated = unrelated_images(record) if is_divided(record) else None
    with open_figure(path, 2.4 * len(shown), 2.8, kind="svg") as figure:
        for axes, panel in zip(np.atleast_1d(figure.subplots(1, len(shown))), shown, strict=True):
            _draw(axes, panel, unrelated)
        points = [
            Line2D([], [], linestyle="", marker="o", markersize=3.5, color=color, label=name)
            for color, name in _legend(record).items()
        ]
        if points:
            figure.legend(handles=points, loc="outside lower center", ncols=2)


def _legend(record: RunRecord) -> dict[str, str]:
    """Text by color; none if all points have one color."""
    if not is_divided(record):
        return {}
    unrelated = unrelated_images(record) or set()
    related = scored_images(record) - unrelated
    return {
        ORANGE: counted(len(related), "related image"),
        BLUE: counted(len(unrelated), "unrelated image"),
    }


def _mean(summary: Summary) -> str:
    return f"{summary.mean:.3f}"


def _column(stage: Stage, metric: str) -> dict[str, float]:
    return {one.image: one.metrics[metric] for one in stage.scores if metric in one.metrics}


def _draw(axes: Axes, panel: Panel, unrelated: set[str] | None) -> None:
    from matplotlib.collections import LineCollection

    stages, images = list(panel.stages), list(panel.stages["after"])
    many = len(images) > MANY
    values = np.array([[panel.stages[name].get(image, np.nan) for name in stages] for image in images])
    shift = np.random.default_rng(0).uniform(-SPREAD, SPREAD, len(images))  # points of equal value stay apart
    places = np.arange(len(stages)) + shift[:, None]
    lines = np.stack([places, values], axis=-1)
    axes.add_collection(LineCollection(list(lines), colors=GRAY, linewidths=0.4, alpha=0.6, rasterized=many))
    colors = [BLUE if unrelated is None or image in unrelated else ORANGE for image in images]
    for column in range(len(stages)):
        axes.scatter(
            places[:, column], values[:, column], 6, colors, alpha=0.7, linewidths=0, rasterized=many
        )
    for index, name in enumerate(stages):
        summary = Summary.of(list(panel.stages[name].values()))
        outside = 1 if index == len(stages) - 1 else -1
        side = index + outside * ASIDE
        axes.errorbar(side, summary.mean, summary.std, fmt="_", color="black", capsize=2.5, markersize=7)
        style: dict[str, Any] = {"ha": "left" if outside > 0 else "right", "va": "center", "fontsize": 7}
        place = (6 * outside, 0)
        axes.annotate(_mean(summary), (side, summary.mean), place, textcoords="offset points", **style)
    axes.set(ylabel=panel.label, xlim=(-0.85, len(stages) - 0.15))
    axes.set_xticks(range(len(stages)), stages)
