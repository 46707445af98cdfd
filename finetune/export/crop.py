"""The middle of an image, in a size that a BioImage.IO package takes as it is."""

from __future__ import annotations

import numpy as np

MINIMUM = 64  # pixels: with less to look at, a network of some depth sees little but its own padding


def shortest(divisor: int) -> int:
    """The shortest side that packages say they take: a multiple of the divisor, at least `MINIMUM`."""
    return -(-MINIMUM // divisor) * divisor


def crop(image: np.ndarray, divisor: int, longest: int) -> np.ndarray:
    """The middle of an image (..., H, W), as much of it as fits.

    Sides are multiples of `divisor`, from `shortest(divisor)` to `longest` pixels. An image that is too
    small is enlarged to that by repeating its edge at the lower right.
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
