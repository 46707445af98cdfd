"""Orientation tags: cameras and scanners store an image as recorded, and how to turn it upright."""

from __future__ import annotations

import numpy as np

TAG = 274
"""Number of the tag Orientation, both in TIFF 6.0 (section 8) and in Exif 2.3 (section 4.6.4)."""


def turn_upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Turn an image as its orientation tag says, like `PIL.ImageOps.exif_transpose`.

    Args:
        image: (C, H, W).
        orientation: value of the tag, 1 (upright) to 8; any other value leaves the image unchanged.

    Returns:
        (C, H, W), or (C, W, H) for values 5 to 8; a view where possible.
    """
    match orientation:
        case 2:
            return image[:, :, ::-1]
        case 3:
            return image[:, ::-1, ::-1]
        case 4:
            return image[:, ::-1]
        case 5:
            return image.swapaxes(1, 2)
        case 6:
            return np.rot90(image, -1, axes=(1, 2))
        case 7:
            return image[:, ::-1, ::-1].swapaxes(1, 2)
        case 8:
            return np.rot90(image, 1, axes=(1, 2))
    return image
