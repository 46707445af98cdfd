"""The pictures of a card. The same input gives the same file, byte for byte.

Figures use matplotlib's default style and their own canvas, independent of the caller's backend and style.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cards.canvas import (
    BLUE,
    DOTS,
    GRAY,
    ORANGE,
    PALETTE,
    PREDICTION,
    REFERENCE,
    open_figure,
    outline,
    resize_image,
    resize_labels,
    rgb,
    stretch,
)
from cards.metrics import PRIMARY
from cards.scores import Stage
from cards.training import Epoch

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BOTH = "#FFFFFF"  # pixels of reference and prediction

LONGEST = 1024  # pixels of the longer side of an example: wide enough to zoom, small enough to publish
SHORTEST = 768
COVER_BYTES = 500_000  # BioImage.IO asks for covers below 500 kB, 2:1 or 1:1


def histogram(after: Stage, before: Stage | None, path: Path) -> None:
    """Draw the histogram of Dice over the test images, after and, if measured, before training.

    Args:
        after: metrics after training.
        before: metrics before training, or None.
        path: output PNG.
    """
    from matplotlib.ticker import MaxNLocator

    stages = [("before", before, GRAY), ("after", after, BLUE)]
    dice = {name: [score.metrics[PRIMARY] for score in stage.scores] for name, stage, _ in stages if stage}
    low = np.floor(10 * min(map(min, dice.values()))) / 10 if all(dice.values()) else 0.0
    bins = np.linspace(min(low, 0.9), 1, 21)
    with open_figure(path, 6, 2.8) as figure:
        axes = figure.add_subplot()
        for name, stage, color in stages:
            if stage:
                label = f"{name}: mean {stage.summary[PRIMARY].mean:.4f}"
                axes.hist(dice[name], list(bins), color=color, alpha=0.7, label=label, edgecolor="white")
                axes.axvline(stage.summary[PRIMARY].mean, color=color, linewidth=1.5, linestyle="--")
        axes.set(xlabel="Dice", ylabel="images", xlim=(bins[0], 1))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(loc="upper left")


def training_curve(history: Sequence[Epoch], path: Path, best_epoch: int | None = None) -> None:
    """Draw training loss and validation Dice, or IoU, by epoch.

    Args:
        history: one entry for each epoch.
        path: output PNG.
        best_epoch: epoch whose weights were selected, marked by a line.

    Raises:
        ValueError: if there is no epoch.
    """
    if not history:
        raise ValueError("no epoch to draw")
    with open_figure(path, 7.5, 2.6) as figure:
        loss, reached = figure.subplots(1, 2)
        measure = "IoU" if any(epoch.validation_iou is not None for epoch in history) else "Dice"
        _curve(loss, history, "loss", "training", BLUE)
        _curve(reached, history, f"validation_{measure.lower()}", "validation", ORANGE)
        loss.set(title="Loss", xlabel="epoch")
        reached.set(title=measure, xlabel="epoch")
        for axes in (loss, reached):
            if best_epoch is not None:
                axes.axvline(best_epoch, color=GRAY, linewidth=1, linestyle=":", label="selected epoch")
            axes.xaxis.get_major_locator().set_params(integer=True)
            if axes.get_legend_handles_labels()[0]:  # none without validation
                axes.legend()


def _curve(axes: Axes, history: Sequence[Epoch], field: str, label: str, color: str) -> None:
    points = [(epoch.epoch, value) for epoch in history if (value := getattr(epoch, field)) is not None]
    if points:
        epochs, values = zip(*points, strict=True)
        marker = "o" if len(points) < 10 else None
        axes.plot(epochs, values, color=color, label=label, marker=marker, markersize=3)


def overlay(
    image: np.ndarray,
    reference: np.ndarray,
    prediction: np.ndarray,
    path: Path,
    title: str = "",
    filled: bool = False,
) -> None:
    """Draw an image with the outlines of reference and prediction.

    Args:
        image: (C, H, W) or (H, W), any range; the contrast is stretched.
        reference: (H, W) integer labels, 0 is background.
        prediction: (H, W) integer labels.
        path: output PNG.
        title: a line above the image.
        filled: color pixels instead of outlining instances, for labels that are boundaries.
    """
    from matplotlib.patches import Patch

    scale = _scale(reference.shape)
    canvas = resize_image(stretch(image), scale)
    parts = [resize_labels(labels, scale) for labels in (reference, prediction)]
    masks = [part > 0 for part in parts] if filled else [outline(parts[0], 5), outline(parts[1], 3)]
    canvas[masks[0]], canvas[masks[1]] = rgb(REFERENCE), rgb(PREDICTION)
    names = [("reference", REFERENCE), ("prediction", PREDICTION)]
    if filled:
        canvas[masks[0] & masks[1]] = rgb(BOTH)
        names = [("reference only", REFERENCE), ("prediction only", PREDICTION), ("both", BOTH)]

    height, width = (side / DOTS for side in canvas.shape[:2])
    margin = 0.28  # inches, above and below
    with open_figure(path, width, height + 2 * margin, layout=None) as figure:
        axes = figure.add_axes((0, margin / (height + 2 * margin), 1, height / (height + 2 * margin)))
        axes.imshow(canvas, interpolation="none", aspect="auto")
        axes.axis("off")
        figure.text(0.01, 0.995, title, va="top", fontsize=9)
        handles = [Patch(facecolor=color, edgecolor=GRAY, linewidth=0.4, label=name) for name, color in names]
        figure.legend(handles=handles, loc="lower left", ncols=3, borderaxespad=0.2, handlelength=1.2)


def cover(image: np.ndarray, prediction: np.ndarray, path: Path) -> None:
    """Draw the cover of a BioImage.IO package: image and prediction side by side, 2:1, at most 500 kB.

    Args:
        image: (C, H, W) or (H, W); the central square is shown.
        prediction: (H, W) integer labels, 0 is background.
        path: output PNG.
    """
    from matplotlib.image import imsave

    square = _middle(prediction.shape)
    gray, labels = stretch(image)[square], prediction[square]
    for side in (512, 400, 320, 256, 192, 128):
        factor = side / min(labels.shape)
        left, right = resize_image(gray, factor), resize_labels(labels, factor)
        pair = np.concatenate([left, _colored(left, right)], axis=1)
        imsave(path, pair, metadata={"Software": ""})
        if path.stat().st_size <= COVER_BYTES:
            return


def _scale(shape: tuple[int, ...]) -> float:
    """Scale factor that brings the longer side between SHORTEST and LONGEST; an integer if it enlarges."""
    longer = max(shape)
    return LONGEST / longer if longer > LONGEST else float(-(-SHORTEST // longer))


def _middle(shape: tuple[int, ...]) -> tuple[slice, slice]:
    side = min(shape)
    top, left = ((length - side) // 2 for length in shape)
    return slice(top, top + side), slice(left, left + side)


def _colored(canvas: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The image with each instance in its own color, outlined."""
    colors = np.array([rgb(color) for color in PALETTE], np.float32)
    result = canvas * 0.6
    inside = labels > 0
    own = colors[labels[inside] % len(PALETTE)]
    result[inside] = 0.45 * own + 0.55 * canvas[inside]
    edge = outline(labels, 1)
    result[edge] = colors[labels[edge] % len(PALETTE)]
    return result
