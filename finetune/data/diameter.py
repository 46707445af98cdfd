"""How large the objects of label images are: what Cellpose's networks are told before they look."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from cards.errors import DataError

SMALLEST = 5.0  # pixels


def diameter(labels: np.ndarray) -> float | None:
    """Median diameter of the objects of a label image (H, W), in pixels; None if there are none.

    That of a disc of the same area, 2 √(area / π), as `cellpose.utils.diameters` takes it.
    """
    areas = np.bincount(labels.ravel())[1:]
    areas = areas[areas > 0]
    return float(np.median(np.sqrt(areas)) * 2 / np.sqrt(np.pi)) if len(areas) else None


def mean_diameter(images: Iterable[np.ndarray]) -> float:
    """Mean over label images (H, W) of each one's median diameter, in pixels, rounded to a tenth.

    As `cellpose.train` takes it from the training labels: an image counts as 5 pixels at least. Images
    without objects do not count.

    Raises:
        DataError: if no image holds an object.
    """
    found = [max(SMALLEST, size) for labels in images if (size := diameter(labels)) is not None]
    if not found:
        raise DataError("diameter: auto: no training label holds an object to measure: give it in pixels")
    return round(float(np.mean(found)), 1)
