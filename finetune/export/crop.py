"""Center crops in a size that a BioImage.IO package takes without padding."""

from __future__ import annotations

import numpy as np

from cards.bioimageio_parts import shortest


def crop(image: np.ndarray, divisor: int, longest: int) -> np.ndarray:
    """Crop the center of an image, as large as possible.

    Args:
        image: (..., H, W).
        divisor: height and width of the crop are multiples of this, in pixels, and at least
            `shortest(divisor)`. A smaller image is padded with its edge at the lower right.
        longest: largest height and width, in pixels.

    Returns:
        (..., h, w).
    """
    least = shortest(divisor)
    missing = [max(0, least - side) for side in image.shape[-2:]]
    if any(missing):
        image = np.pad(image, [(0, 0)] * (image.ndim - 2) + [(0, more) for more in missing], mode="edge")
    height, width = (_middle(side, divisor, longest) for side in image.shape[-2:])
    return image[..., height, width]


def _middle(length: int, divisor: int, longest: int) -> slice:
    kept = max(shortest(divisor), min(length, longest) // divisor * divisor)
    start = (length - kept) // 2
    return slice(start, start + kept)
