"""Drawing outlines into a label image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def fill(labels: np.ndarray, rings: Sequence[Any], number: int) -> None:
    """Draw one polygon in place.

    Coordinates count from the upper left corner of the image, as in ImageJ and QuPath: the center of the
    first pixel is (0.5, 0.5). A pixel belongs to the polygon if its center does.

    Args:
        labels: (H, W) integers, changed in place.
        rings: the outline and any holes, each (N, 2) with x and y in pixels.
        number: label of the polygon.
    """
    from skimage.draw import polygon

    inside = np.zeros(labels.shape, bool)
    for index, ring in enumerate(rings):
        points = np.asarray(ring, float)[:, :2] - 0.5
        inside[polygon(points[:, 1], points[:, 0], labels.shape)] = index == 0
    labels[inside] = number


def fill_even_odd(labels: np.ndarray, rings: Sequence[Any], number: int) -> None:
    """Draw the area between rings in place: a pixel in an odd number of rings belongs to it.

    ImageJ defines composite regions like this (`java.awt.geom.GeneralPath.WIND_EVEN_ODD`).

    Args:
        labels: (H, W) integers, changed in place.
        rings: outlines of parts and holes, each (N, 2) with x and y in pixels, as for `fill`.
        number: label of the region.
    """
    inside = np.zeros(labels.shape, bool)
    for ring in rings:
        one = np.zeros(labels.shape, np.uint8)
        fill(one, [ring], 1)
        inside ^= one > 0
    labels[inside] = number
