"""Outlines of instances from the object probability or the foreground, near the polygons of the target rays.

A polygon of 32 distances, all predicted by one pixel, misses details of the outline and is often a pixel or
two off. The object probability falls to 0 at the outline, that of the foreground to 1/2, and each pixel
predicts its own.
"""

from __future__ import annotations

import numpy as np

NEGLIGIBLE = 0.05  # greatest probability that counts as 0 beside any threshold
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
    return np.where(probability > threshold, expand_labels(labels, REACH), 0).astype(labels.dtype)
