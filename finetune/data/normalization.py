"""Normalization of intensities: the same in training, in `predict` and in a BioImage.IO package.

All follow bioimageio.core 0.11 (`bioimageio.core.proc_ops`: ScaleRange, ZeroMeanUnitVariance, ScaleLinear);
statistics are taken per channel over the whole image. An eps other than the default of 1e-6, and a linear
scale, are there for models that come with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol

import numpy as np

from cards.errors import DataError
from finetune.errors import unknown

EPS = 1e-6  # the default in the BioImage.IO specification


class Normalize(Protocol):
    """An image (C, H, W) of any type -> the same shape, float32."""

    name: str

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Normalize one image (C, H, W)."""

    def options(self) -> dict[str, Any]:
        """The keyword arguments that build this normalization again."""

    def bioimageio_preprocessing(self) -> list[dict[str, Any]]:
        """The BioImage.IO operations that do the same."""


@dataclass(frozen=True)
class Percentile:
    """The `low` percentile becomes 0 and the `high` percentile 1, without clipping.

    A constant channel becomes 0.
    """

    low: float = 1.0
    high: float = 99.8
    eps: float = EPS
    name = "percentile"

    def __post_init__(self) -> None:
        """Bounds as in the BioImage.IO specification of `scale_range`."""
        if not (0 <= self.low < 100 and 1 < self.high <= 100 and self.low < self.high):
            raise DataError(
                f"percentile normalization from {self.low} to {self.high}: "
                "they must lie between 0 and 100, the low one first"
            )
        _check_eps(self.name, self.eps)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """(x - low) / (high - low + eps) per channel, percentiles interpolated linearly."""
        image = np.asarray(image, dtype=np.float32)
        low, high = np.percentile(image, [self.low, self.high], axis=(1, 2), keepdims=True).astype(np.float64)
        return ((image - low) / (high - low + self.eps)).astype(np.float32)

    def options(self) -> dict[str, Any]:
        """The keyword arguments that build this normalization again."""
        return _without_default(asdict(self))

    def bioimageio_preprocessing(self) -> list[dict[str, Any]]:
        """The BioImage.IO operation `scale_range`."""
        kwargs = {
            "axes": ["y", "x"],
            "min_percentile": self.low,
            "max_percentile": self.high,
            "eps": self.eps,
        }
        return [{"id": "scale_range", "kwargs": kwargs}]


@dataclass(frozen=True)
class ZeroMeanUnitVariance:
    """Mean 0 and standard deviation 1 (of the population) per channel. A constant channel becomes 0."""

    eps: float = EPS
    name = "zero_mean_unit_variance"

    def __post_init__(self) -> None:
        """Bounds as in the BioImage.IO specification."""
        _check_eps(self.name, self.eps)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """(x - mean) / (std + eps) per channel."""
        image = np.asarray(image, dtype=np.float32)
        # float32 sums of 16-bit images lose digits, and a constant image would not come out as 0
        mean = image.mean(axis=(1, 2), keepdims=True, dtype=np.float64)
        std = image.std(axis=(1, 2), keepdims=True, dtype=np.float64)
        return ((image - mean) / (std + self.eps)).astype(np.float32)

    def options(self) -> dict[str, Any]:
        """The keyword arguments that build this normalization again."""
        return _without_default(asdict(self))

    def bioimageio_preprocessing(self) -> list[dict[str, Any]]:
        """The BioImage.IO operation `zero_mean_unit_variance`."""
        return [{"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x"], "eps": self.eps}}]


@dataclass(frozen=True)
class ScaleLinear:
    """gain · x + offset: the same for every image; a number, or one a channel."""

    gain: float | Sequence[float] = 1.0
    offset: float | Sequence[float] = 0.0
    name = "scale_linear"

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Scale every channel by its own numbers.

        Raises:
            DataError: if there are not as many channels as numbers.
        """
        gain, offset = np.atleast_1d(self.gain), np.atleast_1d(self.offset)
        for numbers in (gain, offset):
            if len(numbers) not in (1, len(image)):
                raise DataError(
                    f"normalization {self.name} is for {len(numbers)} channels, the image has {len(image)}"
                )
        scaled = gain[:, None, None] * np.asarray(image, np.float64) + offset[:, None, None]
        return scaled.astype(np.float32)

    def options(self) -> dict[str, Any]:
        """The keyword arguments that build this normalization again."""
        return asdict(self)

    def bioimageio_preprocessing(self) -> list[dict[str, Any]]:
        """The BioImage.IO operation `scale_linear`, which may not leave everything as it is."""
        gain, offset = (np.atleast_1d(numbers).tolist() for numbers in (self.gain, self.offset))
        if set(gain) == {1} and set(offset) == {0}:
            return [{"id": "ensure_dtype", "kwargs": {"dtype": "float32"}}]
        if len(gain) == len(offset) == 1:
            return [{"id": "scale_linear", "kwargs": {"gain": gain[0], "offset": offset[0]}}]
        count = max(len(gain), len(offset))
        gain, offset = (numbers * count if len(numbers) == 1 else numbers for numbers in (gain, offset))
        return [{"id": "scale_linear", "kwargs": {"axis": "channel", "gain": gain, "offset": offset}}]


NORMALIZATIONS: dict[str, type[Percentile] | type[ZeroMeanUnitVariance] | type[ScaleLinear]] = {
    Percentile.name: Percentile,
    ZeroMeanUnitVariance.name: ZeroMeanUnitVariance,
    ScaleLinear.name: ScaleLinear,
}


def build_normalize(described: dict[str, Any]) -> Normalize:
    """Build a normalization from its name and options, e.g. `{"name": "percentile", "low": 1, "high": 99.8}`.

    Raises:
        DataError: if there is no such normalization, it has no such option, or an option is impossible.
    """
    options = dict(described)
    name = str(options.pop("name", "none"))
    if name not in NORMALIZATIONS:
        raise unknown("normalization", name, NORMALIZATIONS)
    known = [field.name for field in fields(NORMALIZATIONS[name])]
    for option, value in options.items():
        if option not in known:
            raise unknown(f"option of normalization {name}", option, known)
        if not isinstance(value, int | float) and not (name == ScaleLinear.name and _are_numbers(value)):
            raise DataError(f"option {option} of normalization {name} is a number, not {value!r}")
    return NORMALIZATIONS[name](**options)


def _are_numbers(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, int | float) for each in value)


def _check_eps(name: str, eps: float) -> None:
    if not 0 < eps <= 0.1:
        raise DataError(f"option eps of normalization {name} lies above 0 and up to 0.1, not {eps}")


def _without_default(options: dict[str, Any]) -> dict[str, Any]:
    """What differs from everybody's eps is worth a word on the card; what does not, is not."""
    return {key: value for key, value in options.items() if (key, value) != ("eps", EPS)}
