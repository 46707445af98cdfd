"""Diameter of the objects of label images, to which Cellpose's networks expect images to be scaled."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from cards.errors import DataError

SMALLEST = 5.0  # pixels


def diameter(labels: np.ndarray) -> float | None:
    """Median diameter of the objects of a label image.

    The diameter of an object is that of a disc of the same area, 2 √(area / π), as in
    `cellpose.utils.diameters`.

    Args:
        labels: (H, W) integer, 0 is background.

    Returns:
        Pixels, or None if there are no objects.
    """
    areas = np.bincount(labels.ravel())[1:]
    areas = areas[areas > 0]
    return float(np.median(np.sqrt(areas)) * 2 / np.sqrt(np.pi)) if len(areas) else None


def typical_diameter(labels: np.ndarray) -> float | None:
    """Diameter of the objects to which most of the foreground belongs.

    The median of the diameters, 2 √(area / π), in which each object counts with its area: fragments that a
    network leaves in the background hardly change it.

    Args:
        labels: (H, W) integer, 0 is background.

    Returns:
        Pixels, or None if there are no objects.
    """
    return typical_of_areas(np.bincount(labels.ravel())[1:])


def typical_of_areas(areas: np.ndarray) -> float | None:
    """`typical_diameter` of objects of which the areas are known.

    Args:
        areas: (objects,) pixels; 0 for a label that no object has.

    Returns:
        Pixels, or None if there are no objects.
    """
    areas = np.sort(areas[areas > 0])
    if not len(areas):
        return None
    covered = np.cumsum(areas)
    return float(2 * np.sqrt(areas[np.searchsorted(covered, covered[-1] / 2)] / np.pi))


def mean_diameter(images: Iterable[np.ndarray]) -> float:
    """Mean over label images of the median diameter of their objects.

    As `cellpose.train` computes it from the training labels: an image counts as at least 5 pixels, and images
    without objects do not count.

    Args:
        images: label images (H, W).

    Returns:
        Pixels, rounded to a tenth.

    Raises:
        DataError: if no image holds an object.
    """
    found = [max(SMALLEST, size) for labels in images if (size := diameter(labels)) is not None]
    if not found:
        raise DataError("diameter: auto: no training label holds an object to measure: give it in pixels")
    return round(float(np.mean(found)), 1)
