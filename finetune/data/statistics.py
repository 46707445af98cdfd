"""Statistics of images: brightness, contrast, size of objects and of pixels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np

from cards.errors import DataError
from cards.image_statistics import ChannelStatistics, ImageStatistics, Spread
from finetune.data.calibration import read_calibration
from finetune.data.diameter import typical_diameter

PERCENTILES = (1, 50, 99.8)
SAMPLED = 65_536  # pixels of a channel from which percentiles are taken


class Measured(NamedTuple):
    """Statistics of one image.

    Attributes:
        dark: 1st percentile of each channel, as a fraction of the range of the data type; of float as stored.
        bright: 99.8th percentile of each channel.
        middle: position of the median between both.
        dtype: type of the pixels.
        diameter: typical diameter of the instances in pixels; None if there are none, or no labels.
        pixel_size: in µm; None if the file does not state it or pixels are not square.
    """

    dark: tuple[float, ...]
    bright: tuple[float, ...]
    middle: tuple[float, ...]
    dtype: str
    diameter: float | None
    pixel_size: float | None


def measure_image(pixels: np.ndarray, path: Path, labels: np.ndarray | None = None) -> Measured:
    """Measure an image.

    Args:
        pixels: (C, H, W), the channels that the network uses.
        path: of the image file.
        labels: (H, W) integer, 0 is background; None if there are none yet.

    Returns:
        Its statistics.
    """
    flat = pixels.reshape(len(pixels), -1)
    sample = flat[:, :: max(1, flat.shape[1] // SAMPLED)]
    low, mid, high = np.percentile(sample, PERCENTILES, axis=1).astype(float)
    scale = 1.0 if pixels.dtype.kind == "f" else float(np.iinfo(pixels.dtype).max)
    middle = np.where(high > low, (mid - low) / np.where(high > low, high - low, 1), 0.5)
    return Measured(
        dark=tuple((low / scale).tolist()),
        bright=tuple((high / scale).tolist()),
        middle=tuple(middle.tolist()),
        dtype=str(pixels.dtype),
        diameter=None if labels is None else typical_diameter(labels),
        pixel_size=pixel_size(path),
    )


def summarize(images: Sequence[Measured]) -> ImageStatistics | None:
    """Summarize the statistics of images.

    Args:
        images: statistics of images with equal numbers of channels.

    Returns:
        The summary; None if there are no images.
    """
    if not images:
        return None
    dtypes = {one.dtype for one in images}
    channels = [
        ChannelStatistics(
            dark=_spread([one.dark[channel] for one in images]),
            bright=_spread([one.bright[channel] for one in images]),
            middle=_spread([one.middle[channel] for one in images]),
        )
        for channel in range(len(images[0].bright))
    ]
    diameters = [one.diameter for one in images if one.diameter is not None]
    sizes = [one.pixel_size for one in images if one.pixel_size is not None]
    return ImageStatistics(
        images=len(images),
        dtype=dtypes.pop() if len(dtypes) == 1 else None,
        channels=channels,
        diameter_px=_spread(diameters) if diameters else None,
        pixel_size_um=_spread(sizes) if sizes else None,
    )


def _spread(values: Sequence[float]) -> Spread:
    low, middle, high = (float(f"{value:.4g}") for value in (min(values), median(values), max(values)))
    return Spread(low=low, median=middle, high=high)


def pixel_size(path: Path) -> float | None:
    """Read the pixel size from the header of an image.

    Args:
        path: of the image file.

    Returns:
        Side of a pixel in µm; None if the file does not state it, its header is damaged, or pixels are not
        square.
    """
    try:
        return read_calibration(path).size
    except DataError:  # the image was read; its pixel size is worth less than an error
        return None
