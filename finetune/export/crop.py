"""The middle of an image, in a size that a network takes as it is."""

from __future__ import annotations

import numpy as np


def crop(image: np.ndarray, divisor: int, longest: int) -> np.ndarray:
    """The middle of an image (..., H, W), its sides multiples of `divisor` and at most `longest` where that allows it.

    A side shorter than `divisor` is lengthened to it by repeating the edge, at the lower right.
    """
    short = [max(0, divisor - side) for side in image.shape[-2:]]
    if any(short):
        image = np.pad(image, [(0, 0)] * (image.ndim - 2) + [(0, missing) for missing in short], mode="edge")
    height, width = image.shape[-2:]
    return image[..., _middle(height, divisor, longest), _middle(width, divisor, longest)]


def _middle(length: int, divisor: int, longest: int) -> slice:
    kept = max(divisor, min(length, longest) // divisor * divisor)
    start = (length - kept) // 2
    return slice(start, start + kept)
