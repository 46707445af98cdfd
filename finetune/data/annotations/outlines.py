"""Drawing outlines into a label image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cards.errors import DataError
from cards.formatting import counted

OUTSIDE = 0.2  # fraction of the objects of a file that may miss its image


def check_drawn(drawn: Sequence[bool], path: Path, shape: tuple[int, int], image: str = "") -> None:
    """Refuse outlines that were drawn on an image of another size.

    Args:
        drawn: whether each object covers a pixel of the image.
        path: file of the outlines.
        shape: height and width of the image.
        image: name of the image, where the file holds the outlines of several.

    Raises:
        DataError: if more than `OUTSIDE` of the objects cover none.
    """
    missing = sum(not one for one in drawn)
    if missing > OUTSIDE * len(drawn):
        objects = f"{counted(len(drawn), 'object')}{image and ' of '}{image}"
        raise DataError(
            f"{path}: {missing} of {objects} cover no pixel of the image ({shape[0]} × {shape[1]}, height × "
            "width): export the outlines in pixels of this image"
        )


def fill(labels: np.ndarray, rings: Sequence[Any], number: int) -> bool:
    """Draw one polygon in place.

    Coordinates count from the upper left corner of the image, as in ImageJ and QuPath: the center of the
    first pixel is (0.5, 0.5). A pixel belongs to the polygon if its center does.

    Args:
        labels: (H, W) integers, changed in place.
        rings: the outline and any holes, each (N, 2) with x and y in pixels.
        number: label of the polygon.

    Returns:
        Whether it covers a pixel.
    """
    from skimage.draw import polygon

    view, outlines = _window(labels, rings)
    inside = np.zeros(view.shape, bool)
    for index, points in enumerate(outlines):
        inside[polygon(points[:, 1], points[:, 0], view.shape)] = index == 0
    view[inside] = number
    return bool(inside.any())


def _window(labels: np.ndarray, rings: Sequence[Any]) -> tuple[np.ndarray, list[np.ndarray]]:
    """The part of a label image that rings cover, so that the time does not grow with the image.

    Returns:
        A view of the labels, and the rings in its coordinates, with the centers of pixels at integers.
    """
    outlines = [np.asarray(ring, float)[:, :2] - 0.5 for ring in rings]
    points = np.concatenate([*outlines, np.zeros((0, 2))])
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        return labels[:0, :0], []
    height, width = labels.shape
    left, top = np.clip(np.floor(points.min(axis=0)), 0, (width, height)).astype(int)
    right, bottom = np.clip(np.ceil(points.max(axis=0)) + 1, 0, (width, height)).astype(int)
    return labels[top:bottom, left:right], [one - (left, top) for one in outlines]


def fill_even_odd(labels: np.ndarray, rings: Sequence[Any], number: int) -> bool:
    """Draw the area between rings in place: a pixel in an odd number of rings belongs to it.

    ImageJ defines composite regions like this (`java.awt.geom.GeneralPath.WIND_EVEN_ODD`).

    Args:
        labels: (H, W) integers, changed in place.
        rings: outlines of parts and holes, each (N, 2) with x and y in pixels, as for `fill`.
        number: label of the region.

    Returns:
        Whether it covers a pixel.
    """
    from skimage.draw import polygon

    view, outlines = _window(labels, rings)
    inside = np.zeros(view.shape, bool)
    for points in outlines:
        inside[polygon(points[:, 1], points[:, 0], view.shape)] ^= True
    view[inside] = number
    return bool(inside.any())
