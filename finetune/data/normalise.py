"""Normalisation of intensities: the same in training, in `predict` and in a BioImage.IO package.

Both follow bioimageio.core 0.11 (`bioimageio.core.proc_ops`: ScaleRange, ZeroMeanUnitVariance) with its eps
of 1e-6, per channel over the whole image.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol

import numpy as np

from cards.errors import InputError
from finetune.names import unknown

EPS = 1e-6  # the default of both operations in the BioImage.IO specification


class Normalise(Protocol):
    """An image (C, H, W) of any type -> the same shape, float32."""

    name: str

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Normalise one image (C, H, W)."""

    def options(self) -> dict[str, Any]:
        """The keyword arguments that build this normalisation again."""

    def bioimageio_preprocessing(self) -> list[dict[str, Any]]:
        """The BioImage.IO operations that do the same."""


@dataclass(frozen=True)
class Percentile:
    """The `low` percentile becomes 0 and the `high` percentile 1, without clipping.

    A constant channel becomes 0.
    """

    low: float = 1.0
    high: float = 99.8
    name = "percentile"

    def __post_init__(self) -> None:
        """Bounds as in the BioImage.IO specification of `scale_range`."""
        if not (0 <= self.low < 100 and 1 < self.high <= 100 and self.low < self.high):
            raise InputError(
                f"percentile normalisation from {self.low} to {self.high}: "
                "they must lie between 0 and 100, the low one first"
            )

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """(x - low) / (high - low + eps) per channel, percentiles interpolated linearly."""
        image = np.asarray(image, dtype=np.float32)
        low, high = np.percentile(image, [self.low, self.high], axis=(1, 2), keepdims=True).astype(np.float64)
        return ((image - low) / (high - low + EPS)).astype(np.float32)

    def options(self) -> dict[str, Any]:
        """The keyword arguments that build this normalisation again."""
        return asdict(self)

    def bioimageio_preprocessing(self) -> list[dict[str, Any]]:
        """The BioImage.IO operation `scale_range`."""
        kwargs = {"axes": ["y", "x"], "min_percentile": self.low, "max_percentile": self.high, "eps": EPS}
        return [{"id": "scale_range", "kwargs": kwargs}]


@dataclass(frozen=True)
class ZeroMeanUnitVariance:
    """Mean 0 and standard deviation 1 (of the population) per channel. A constant channel becomes 0."""

    name = "zero_mean_unit_variance"

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """(x - mean) / (std + eps) per channel."""
        image = np.asarray(image, dtype=np.float32)
        # float32 sums of 16-bit images lose digits, and a constant image would not come out as 0
        mean = image.mean(axis=(1, 2), keepdims=True, dtype=np.float64)
        std = image.std(axis=(1, 2), keepdims=True, dtype=np.float64)
        return ((image - mean) / (std + EPS)).astype(np.float32)

    def options(self) -> dict[str, Any]:
        """No options."""
        return {}

    def bioimageio_preprocessing(self) -> list[dict[str, Any]]:
        """The BioImage.IO operation `zero_mean_unit_variance`."""
        return [{"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x"], "eps": EPS}}]


NORMALISATIONS: dict[str, type[Percentile] | type[ZeroMeanUnitVariance]] = {
    Percentile.name: Percentile,
    ZeroMeanUnitVariance.name: ZeroMeanUnitVariance,
}


def build_normalise(described: dict[str, Any]) -> Normalise:
    """Build a normalisation from its name and options, e.g. `{"name": "percentile", "low": 1, "high": 99.8}`.

    Raises:
        InputError: if there is no such normalisation, it has no such option, or an option is impossible.
    """
    options = dict(described)
    name = str(options.pop("name", "none"))
    if name not in NORMALISATIONS:
        raise unknown("normalisation", name, NORMALISATIONS)
    known = [field.name for field in fields(NORMALISATIONS[name])]
    for option, value in options.items():
        if option not in known:
            raise unknown(f"option of normalisation {name}", option, known)
        if not isinstance(value, int | float):
            raise InputError(f"option {option} of normalisation {name} is a number, not {value!r}")
    return NORMALISATIONS[name](**options)
