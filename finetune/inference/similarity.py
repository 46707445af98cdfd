"""Comparison of new images with the training images that the record describes.

Intensities are compared even if the model normalizes them, because a different exposure or staining also
changes noise and contrast; the limits are wide, and a warning is no verdict. Intensities of different data
types are not comparable: a camera of 12 bits fills a sixteenth of 16 bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cards.errors import DataError
from cards.image_statistics import ChannelStatistics, ImageStatistics, Spread
from finetune.data.channels import Channels, select_channels
from finetune.data.headers import Header
from finetune.data.images import read_image
from finetune.data.statistics import Measured, measure_image, summarize
from finetune.data.windows import has_windows, open_windows

SAMPLED_IMAGES = 16  # spread evenly over all images
MOST_PIXELS = 2**26  # channels × height × width of an image that is read as a whole for the comparison
WINDOWS, WINDOW = 4, 512  # of a larger one, 4 × 4 windows of 512 × 512 pixels are read

BRIGHTER = 2.0  # times outside of the range of the training images
LARGER_PIXELS = 1.25
LARGER_OBJECTS = 1.5
MIDDLE = 0.2  # of the contrast

NOT_RECORDED = "not compared: the record of the model holds no statistics of its training images"
NO_RECORD = "not compared: the model has no record"


@dataclass
class Comparison:
    """New images beside the training images.

    Attributes:
        reason: why nothing was compared; None if something was.
        training: statistics of the training images.
        images: statistics of the new images.
        warnings: one sentence per difference, with figures.
    """

    reason: str | None = None
    training: ImageStatistics | None = None
    images: ImageStatistics | None = None
    warnings: list[str] = field(default_factory=list)

    @property
    def not_compared(self) -> str | None:
        """What could not be compared, and why; None if nothing."""
        if self.reason or not self.training or not self.images:
            return self.reason
        if self.images.dtype and self.images.dtype == self.training.dtype:
            return None
        here, there = (one.dtype or "of several types" for one in (self.images, self.training))
        return f"intensity was not compared: the images are {here}, the training images {there}"

    def compare_objects(self, diameters: Sequence[float]) -> str | None:
        """Compare the size of predicted instances with that of the training labels.

        Args:
            diameters: typical diameter of the instances of each image, in pixels.

        Returns:
            A warning, which is also kept; None if the sizes agree or are not known.
        """
        expected = self.training.diameter_px if self.training else None
        if expected is None or not diameters:
            return None
        found = Spread(low=min(diameters), median=float(np.median(diameters)), high=max(diameters))
        if self.images:
            self.images = self.images.model_copy(update={"diameter_px": found})
        text = _ratio(found.median, expected, LARGER_OBJECTS, ("larger", "smaller"))
        if text is None:
            return None
        warning = (
            f"predicted objects are {text} than the objects in the training images (typical diameter "
            f"{found.median:.1f} px; training images {_range(expected)} px)"
        )
        self.warnings.append(warning)
        return warning

    def to_json(self) -> dict[str, Any]:
        """The comparison for other programs.

        Returns:
            JSON-compatible values.
        """
        return {
            "not_compared": self.not_compared,
            "images": self.images.model_dump() if self.images else None,
            "training_images": self.training.model_dump() if self.training else None,
            "warnings": self.warnings,
        }


def compare_images(
    headers: Mapping[Path, Header],
    training: ImageStatistics | None,
    select: Channels,
    *,
    planes: bool = False,
    reason: str = NOT_RECORDED,
) -> Comparison:
    """Compare a sample of the images with the training images, before anything is predicted.

    Args:
        headers: of the images that can be read.
        training: from the record; None if it holds none.
        select: channels that the model uses.
        planes: whether the planes of a stack are segmented; the first is compared.
        reason: why there are no statistics.

    Returns:
        The comparison.
    """
    if training is None:
        return Comparison(reason)
    measured = [
        one for path in _sample(headers, planes) if (one := _measure(path, headers[path], select, planes))
    ]
    found = summarize([one for one in measured if len(one.bright) == len(training.channels)])
    if found is None:
        return Comparison("not compared: the images have other channels, or are too large", training)
    return Comparison(None, training, found, _differences(found, training))


def _sample(headers: Mapping[Path, Header], planes: bool) -> list[Path]:
    readable = [
        path for path, header in headers.items() if not _is_large(header) or not planes and has_windows(path)
    ]
    count = min(SAMPLED_IMAGES, len(readable))
    indices = np.unique(np.linspace(0, len(readable) - 1, count).round().astype(int))
    return [readable[index] for index in indices]


def _is_large(header: Header) -> bool:
    return header.channels * header.height * header.width > MOST_PIXELS


def _measure(path: Path, header: Header, select: Channels, planes: bool) -> Measured | None:
    """Statistics of an image, or of the first plane of a stack; None if it cannot be read."""
    try:
        pixels = _read_windows(path) if _is_large(header) else read_image(path, 0 if planes else None)
        finite = pixels.dtype.kind != "f" or bool(np.isfinite(pixels).all())
        return measure_image(select_channels(pixels, select, str(path)), path) if finite else None
    except DataError:  # reported when the image is segmented
        return None


def _read_windows(path: Path) -> np.ndarray:
    """Windows (C, h, w) that are spread evenly over a large image, side by side."""
    with open_windows(path) as windows:
        _, height, width = windows.shape
        rows, columns = (
            [
                slice(int(start), int(start) + min(WINDOW, size))
                for start in np.linspace(0, max(0, size - WINDOW), WINDOWS)
            ]
            for size in (height, width)
        )
        return np.concatenate([windows.read(y, x) for y in rows for x in columns], axis=-1)


def _differences(found: ImageStatistics, training: ImageStatistics) -> list[str]:
    warnings = []
    if found.pixel_size_um and training.pixel_size_um:
        text = _ratio(
            found.pixel_size_um.median, training.pixel_size_um, LARGER_PIXELS, ("larger", "smaller")
        )
        if text:
            warnings.append(
                f"pixels are {text} than those of the training images (pixel size "
                f"{found.pixel_size_um.median:g} µm; training images {_range(training.pixel_size_um)} µm)"
            )
    same_type = found.dtype is not None and found.dtype == training.dtype
    pairs = list(zip(found.channels, training.channels, strict=True))
    for index, (channel, expected) in enumerate(pairs):
        where = f" in channel {index}" if len(pairs) > 1 else ""
        if same_type:
            warnings += _brightness(channel, expected, where, "float" in str(found.dtype))
        warnings += _contrast(channel, expected, where)
    return warnings


def _brightness(
    found: ChannelStatistics, expected: ChannelStatistics, where: str, floating: bool
) -> list[str]:
    scale = "" if floating else " of the range of the data type"
    text = _ratio(found.bright.median, expected.bright, BRIGHTER, ("brighter", "darker"))
    if text is None:
        return []
    return [
        f"images are {text} than the training images{where} (99.8th percentile "
        f"{found.bright.median:.3g}{scale}; training images {_range(expected.bright)})"
    ]


def _contrast(found: ChannelStatistics, expected: ChannelStatistics, where: str) -> list[str]:
    middle = found.middle.median
    if expected.middle.low - MIDDLE <= middle <= expected.middle.high + MIDDLE:
        return []
    word = "bright" if middle > expected.middle.high else "dark"
    return [
        f"more of an image is {word} than in the training images{where} (the median lies at {middle:.2f} of "
        f"the contrast; training images {_range(expected.middle)}): is the contrast inverted?"
    ]


def _ratio(value: float, expected: Spread, limit: float, words: tuple[str, str]) -> str | None:
    """How many times a value exceeds the range of the training images, in words; None within the limit.

    The ratio is that of the medians.
    """
    if expected.low <= 0 or value <= 0 or expected.low / limit <= value <= expected.high * limit:
        return None
    ratio = value / expected.median
    return f"{ratio:.1f} times {words[0]}" if ratio > 1 else f"{1 / ratio:.1f} times {words[1]}"


def _range(spread: Spread) -> str:
    low, high = f"{spread.low:.3g}", f"{spread.high:.3g}"
    return low if low == high else f"{low} to {high}"
