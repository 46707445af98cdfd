"""Drawing on images: colors, contrast, resizing, outlines, and figures saved as PNG."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Colors that color-blind readers can distinguish: Okabe and Ito 2008, https://jfly.uni-koeln.de/color/
ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
PALETTE = (ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE)
GRAY = "#9A9A9A"

# The same on cards and in report.html.
REFERENCE, PREDICTION = SKY, ORANGE
MISSED, SPURIOUS, OUTLINE = VERMILION, BLUE, YELLOW

DOTS = 160  # per inch
PERCENTILES = (1, 99.8)  # of the intensity, which become black and white

STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "finetune",
}


@contextmanager
def open_figure(
    path: Path,
    width: float,
    height: float,
    layout: str | None = "constrained",
    software: str | None = None,
    kind: Literal["png", "svg"] = "png",
) -> Iterator[Figure]:
    """Open a figure, which is saved as PNG or SVG when the block ends. Equal figures give equal files.

    Args:
        path: output file, with any suffix.
        width: in inches.
        height: in inches.
        layout: layout engine of matplotlib; None for fixed positions.
        software: text of the PNG chunk Software; None leaves it out.
        kind: format. The text of an SVG stays text.

    Yields:
        The figure.
    """
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(["default", STYLE]):
        figure = Figure(figsize=(width, height), layout=layout)  # type: ignore[arg-type]
        yield figure
        metadata = {"Software": software} if kind == "png" else {"Date": None, "Creator": None}
        figure.savefig(path, dpi=DOTS, format=kind, metadata=metadata)


def stretch(image: np.ndarray, limits: np.ndarray | None = None) -> np.ndarray:
    """Stretch the contrast of an image from its 1st to its 99.8th percentile.

    Args:
        image: (C, H, W) or (H, W); three channels are red, green and blue, any other number is averaged.
        limits: (2, C), both percentiles of the whole image, if `image` is a part of it.

    Returns:
        RGB (H, W, 3) float32 from 0 to 1.
    """
    channels = np.atleast_3d(image.T).T.astype(np.float32)
    if limits is None:
        limits = np.percentile(channels, PERCENTILES, axis=(1, 2))
    low, high = limits.astype(np.float32)[:, :, None, None]
    channels = np.clip((channels - low) / np.maximum(high - low, 1e-6), 0, 1)
    if len(channels) != 3:
        channels = np.repeat(channels.mean(axis=0, keepdims=True), 3, axis=0)
    return np.moveaxis(channels, 0, -1)


def resize_image(canvas: np.ndarray, factor: float) -> np.ndarray:
    """Resize an image with linear interpolation, which averages all pixels if the image becomes smaller.

    Args:
        canvas: RGB (H, W, 3) from 0 to 1.
        factor: scale factor.

    Returns:
        The resized image; no side is shorter than one pixel.
    """
    from PIL import Image

    colors = (Image.fromarray(color) for color in np.moveaxis(canvas.astype(np.float32, copy=False), -1, 0))
    size = _resized(canvas.shape, factor)
    resized = [np.asarray(color.resize(size, Image.Resampling.BILINEAR)) for color in colors]
    return np.clip(np.stack(resized, axis=-1), 0, 1)


def resize_labels(labels: np.ndarray, factor: float) -> np.ndarray:
    """Resize a label image by nearest neighbor.

    Args:
        labels: (H, W) integer.
        factor: scale factor.

    Returns:
        The resized labels; no side is shorter than one pixel.
    """
    from PIL import Image

    image = Image.fromarray(labels.astype(np.int32, copy=False))
    resized = image.resize(_resized(labels.shape, factor), Image.Resampling.NEAREST)
    return np.asarray(resized).astype(labels.dtype)


def _resized(shape: tuple[int, ...], factor: float) -> tuple[int, int]:
    """Width and height of a resized image (H, W, …), in the order of Pillow."""
    height, width = (max(1, round(side * factor)) for side in shape[:2])
    return width, height


def outline(labels: np.ndarray, width: int) -> np.ndarray:
    """Outlines of all instances.

    Args:
        labels: (H, W) integer, 0 is background.
        width: of the line, an odd number of pixels.

    Returns:
        (H, W) bool.
    """
    from skimage.morphology import dilation, footprint_rectangle
    from skimage.segmentation import find_boundaries

    edge = find_boundaries(labels, mode="inner")
    return edge if width == 1 else dilation(edge, footprint_rectangle((width, width)))


def rgb(color: str) -> tuple[float, float, float]:
    """Convert a color.

    Args:
        color: hexadecimal, such as "#56B4E9".

    Returns:
        Red, green and blue from 0 to 1.
    """
    red, green, blue = (int(color[start : start + 2], 16) / 255 for start in (1, 3, 5))
    return red, green, blue
