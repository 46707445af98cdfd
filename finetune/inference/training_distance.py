"""How far an image lies outside of the range of the training images.

The unit is the difference from which `finetune predict` warns (see `similarity`), so that brightness,
contrast, object size and pixel size are comparable.
"""

from __future__ import annotations

from math import log

from cards.image_statistics import ImageStatistics, Spread
from finetune.data.statistics import Measured
from finetune.inference.similarity import BRIGHTER, LARGER_OBJECTS, LARGER_PIXELS, MIDDLE


def training_distance(image: Measured, training: ImageStatistics) -> float | None:
    """Compare one image with the training images.

    Args:
        image: its statistics; the diameter is that of the predicted objects.
        training: from the record.

    Returns:
        The largest difference of the properties that both state: 0 within the range of the training images,
        1 at the difference from which `finetune predict` warns. None if the numbers of channels differ.
    """
    if len(image.bright) != len(training.channels):
        return None
    differences = [0.0]
    for bright, middle, channel in zip(image.bright, image.middle, training.channels, strict=True):
        differences.append(_outside(middle, channel.middle) / MIDDLE)
        if image.dtype == training.dtype:  # a camera of 12 bits fills a sixteenth of 16 bits
            differences.append(_times(bright, channel.bright, BRIGHTER))
    for value, expected, limit in (
        (image.diameter, training.diameter_px, LARGER_OBJECTS),
        (image.pixel_size, training.pixel_size_um, LARGER_PIXELS),
    ):
        if value is not None and expected is not None:
            differences.append(_times(value, expected, limit))
    return max(differences)


def _outside(value: float, expected: Spread) -> float:
    return max(0.0, expected.low - value, value - expected.high)


def _times(value: float, expected: Spread, limit: float) -> float:
    """Ratio of a value to the nearer end of a range, on a logarithmic scale on which `limit` is 1."""
    if value <= 0 or expected.low <= 0:
        return 0.0
    return max(0.0, log(expected.low / value), log(value / expected.high)) / log(limit)
