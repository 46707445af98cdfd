"""Pixels as the browser shows them: contrast, label colors, outlines and errors, as 32-bit RGBA."""

from __future__ import annotations

import numpy as np

from cards import canvas
from cards.canvas import PALETTE, outline, rgb
from finetune.pipeline.previews import MISSED, OUTLINE, SPURIOUS
from finetune.viewer.pictures import Picture

OVERVIEW = 512
"""Pixels along each side from which the contrast is computed."""
CONTRAST = (1, 99.8)  # percentiles shown as black and white

ERRORS = {MISSED: canvas.MISSED, SPURIOUS: canvas.SPURIOUS, OUTLINE: canvas.OUTLINE}
"""Colors of the error classes, as in report.html."""
OPACITY = 190  # of 255: the image stays visible below errors

Limits = tuple[np.ndarray, np.ndarray]


def automatic_limits(picture: Picture) -> Limits:
    """Compute the contrast limits of an image from an overview of it.

    Args:
        picture: the image.

    Returns:
        Values of black and white, (C, 1, 1) each.
    """
    pixels = picture.part((0, picture.width), (0, picture.height), OVERVIEW).pixels
    finite = np.where(np.isfinite(pixels), pixels, np.nan) if pixels.dtype.kind == "f" else pixels
    black, white = np.nanpercentile(finite, CONTRAST, axis=(1, 2), keepdims=True)
    return black, white


def shade(pixels: np.ndarray, limits: Limits) -> np.ndarray:
    """Convert pixels to RGBA.

    Args:
        pixels: (C, h, w); three channels are red, green and blue, any other number is averaged.
        limits: from `automatic_limits`.

    Returns:
        (h, w) uint32.
    """
    black, white = limits
    values = np.clip((pixels - black) / np.maximum(white - black, 1e-6), 0, 1)
    if len(values) != 3:
        values = np.repeat(values.mean(axis=0, keepdims=True), 3, axis=0)
    opaque = np.concatenate([np.nan_to_num(values), np.ones((1, *values.shape[1:]))])
    return _pack(np.moveaxis(255 * opaque, 0, -1))


def color_labels(labels: np.ndarray) -> np.ndarray:
    """Give each instance a color; background is transparent.

    Args:
        labels: (h, w) integer, 0 is background.

    Returns:
        (h, w) uint32.
    """
    table = np.array([[*(255 * channel for channel in rgb(color)), 255] for color in PALETTE])
    colored = table[(labels.astype(np.int64) - 1) % len(PALETTE)]
    colored[labels == 0] = 0
    return _pack(colored)


def draw_outline(labels: np.ndarray, color: str) -> np.ndarray:
    """Draw the outlines of all instances.

    Args:
        labels: (h, w) integer, 0 is background.
        color: hexadecimal.

    Returns:
        (h, w) uint32, transparent between the outlines.
    """
    return _paint(labels.shape, [(outline(labels, 1), color, 255)])


def draw_errors(classes: np.ndarray) -> np.ndarray:
    """Mark the pixels in which prediction and reference differ.

    Args:
        classes: (h, w) integer, from `finetune.pipeline.previews.error_classes`.

    Returns:
        (h, w) uint32, transparent where both agree.
    """
    return _paint(classes.shape, [(classes == one, color, OPACITY) for one, color in ERRORS.items()])


def _paint(shape: tuple[int, ...], masks: list[tuple[np.ndarray, str, int]]) -> np.ndarray:
    canvas = np.zeros((*shape, 4))
    for mask, color, opacity in masks:
        canvas[mask] = [*(255 * channel for channel in rgb(color)), opacity]
    return _pack(canvas)


def _pack(canvas: np.ndarray) -> np.ndarray:
    """(h, w, 4) values from 0 to 255 as (h, w) uint32."""
    return np.ascontiguousarray(canvas.round().astype(np.uint8)).view(np.uint32)[..., 0]
