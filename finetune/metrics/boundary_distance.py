"""Distance between the boundaries of two label images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BoundaryDistance:
    """Distances from each boundary pixel to the nearest boundary pixel of the other image.

    Attributes:
        mean: average symmetric distance (ASSD) in pixels: mean over the boundary pixels of both images.
        percentile_95: the larger one of the 95th percentiles of both directions (HD95) in pixels.
    """

    mean: float
    percentile_95: float


def boundary_distance(prediction: np.ndarray, reference: np.ndarray) -> BoundaryDistance | None:
    """Measure how far the boundaries of two images are apart.

    The definitions are those of Maier-Hein et al. 2024, "Metrics reloaded",
    https://doi.org/10.1038/s41592-023-02151-z: average symmetric surface distance and the 95th percentile of
    the Hausdorff distance. Pixels are square.

    Args:
        prediction: boundary pixels (H, W) bool.
        reference: boundary pixels of the same shape.

    Returns:
        The distances, zero for two images without a boundary; None if one image alone has no boundary,
        because no distance is defined then.

    Raises:
        ValueError: if the shapes differ.
    """
    if prediction.shape != reference.shape:
        raise ValueError(f"prediction {prediction.shape} and reference {reference.shape} differ in shape")
    if not prediction.any() or not reference.any():
        return None if prediction.any() or reference.any() else BoundaryDistance(0.0, 0.0)
    forth, back = _nearest(prediction, reference), _nearest(reference, prediction)
    return BoundaryDistance(
        mean=float(np.concatenate([forth, back]).mean()),
        percentile_95=float(max(np.percentile(forth, 95), np.percentile(back, 95))),
    )


def _nearest(pixels: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Distance of each of the pixels to the nearest one of the others."""
    from scipy.ndimage import distance_transform_edt

    return distance_transform_edt(~others)[pixels]
