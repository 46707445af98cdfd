"""Intensity normalization: the same in training, in prediction and in a BioImage.IO package.

All follow bioimageio.core 0.11 (`bioimageio.core.proc_ops`: ScaleRange, ZeroMeanUnitVariance, ScaleLinear).
Statistics are computed per channel over the whole image. An eps other than the default of 1e-6 and the linear
scale exist for models that were published with them.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Protocol

import numpy as np
from pydantic import Field, model_validator

from cards.errors import DataError
from finetune.errors import RecipeError, unknown
from finetune.utils.options import Options, build_options, option_errors

EPS = 1e-6  # the default in the BioImage.IO specification
CLIP = 20.0
"""Limit of values normalized by percentiles. The largest of 657 ordinary images (DSB 2018 nuclei and ZO-1
boundaries of MDCK cells) was 6.4. Where both percentiles coincide, as in sparse, thresholded or saturated
images, the division by eps would give up to 1e11, and a single such image would ruin batch statistics."""

PERCENTILE: dict[str, Any] = {"name": "percentile", "low": 1.0, "high": 99.8}
"""Normalization if neither the recipe nor the model specifies one."""

Epsilon = Annotated[
    float, Field(gt=0, le=0.1, description="added to the divisor; the limits are BioImage.IO's")
]
Factors = float | Annotated[list[float], Field(min_length=1)]


class Normalize(Protocol):
    """Intensity normalization of one image."""

    name: ClassVar[str]

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Normalize an image.

        Args:
            image: (C, H, W), any numeric dtype.

        Returns:
            (C, H, W) float32.
        """

    def apply(self, image: np.ndarray, statistics: np.ndarray) -> np.ndarray:
        """Normalize a part of an image by the statistics of the whole image.

        Args:
            image: (C, H, W), any numeric dtype.
            statistics: (2, C) float64, as `finetune.data.streaming_statistics.measure` returns them.

        Returns:
            (C, H, W) float32.
        """

    def options(self) -> dict[str, Any]:
        """Options that rebuild this normalization.

        Returns:
            Values by option name.
        """

    def bioimageio_preprocessing(self) -> list[dict[str, Any]]:
        """Equivalent BioImage.IO preprocessing.

        Returns:
            Operations with `id` and `kwargs`.
        """


class Percentile(Options):
    """Scale each channel so that its `low` percentile becomes 0 and its `high` percentile 1.

    Values beyond ± `clip` are clipped. A constant channel becomes 0.
    """

    name: ClassVar[str] = "percentile"
    low: float = Field(1.0, ge=0, lt=100, description="percentile that becomes 0")
    high: float = Field(99.8, gt=1, le=100, description="percentile that becomes 1")
    eps: Epsilon = EPS
    clip: float = Field(CLIP, ge=1, description="normalized values are clipped to ± this")

    @model_validator(mode="after")
    def _ordered(self) -> Percentile:
        if self.low >= self.high:
            raise ValueError(f"low must be smaller than high, got {self.low:g} and {self.high:g}")
        return self

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Compute (x - low) / (high - low + eps) per channel and clip it; percentiles interpolated linearly.

        Args:
            image: (C, H, W), any numeric dtype.

        Returns:
            (C, H, W) float32.
        """
        image = np.asarray(image, dtype=np.float32)
        return self.apply(image, np.percentile(image, [self.low, self.high], axis=(1, 2)).astype(np.float64))

    def apply(self, image: np.ndarray, statistics: np.ndarray) -> np.ndarray:
        """Normalize a part of an image; statistics are both percentiles. See `Normalize.apply`."""
        image = np.asarray(image, dtype=np.float32)
        low, high = statistics[:, :, None, None]
        scaled = (image - low) / (high - low + self.eps)
        return np.clip(scaled, -self.clip, self.clip, out=scaled).astype(np.float32)

    def options(self) -> dict[str, Any]:
        """Options that rebuild this normalization.

        Returns:
            Values by option name; eps and clip only if they are not the default.
        """
        return _without_defaults(self.model_dump())

    def bioimageio_preprocessing(self) -> list[dict[str, Any]]:
        """Equivalent BioImage.IO preprocessing.

        Returns:
            The operations `scale_range` and `clip`.
        """
        kwargs = {
            "axes": ["y", "x"],
            "min_percentile": self.low,
            "max_percentile": self.high,
            "eps": self.eps,
        }
        limits = {"min": -self.clip, "max": self.clip}
        return [{"id": "scale_range", "kwargs": kwargs}, {"id": "clip", "kwargs": limits}]


class ZeroMeanUnitVariance(Options):
    """Scale each channel to mean 0 and (population) standard deviation 1. A constant channel becomes 0."""

    name: ClassVar[str] = "zero_mean_unit_variance"
    eps: Epsilon = EPS

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Compute (x - mean) / (std + eps) per channel.

        Args:
            image: (C, H, W), any numeric dtype.

        Returns:
            (C, H, W) float32.
        """
        image = np.asarray(image, dtype=np.float32)
        # float32 sums of 16-bit images lose digits, and a constant image would not come out as 0
        mean = image.mean(axis=(1, 2), dtype=np.float64)
        return self.apply(image, np.stack([mean, image.std(axis=(1, 2), dtype=np.float64)]))

    def apply(self, image: np.ndarray, statistics: np.ndarray) -> np.ndarray:
        """Normalize a part of an image; statistics are mean and deviation. See `Normalize.apply`."""
        image = np.asarray(image, dtype=np.float32)
        mean, std = statistics[:, :, None, None]
        return ((image - mean) / (std + self.eps)).astype(np.float32)

    def options(self) -> dict[str, Any]:
        """Options that rebuild this normalization.

        Returns:
            Values by option name; eps only if it is not the default.
        """
        return _without_defaults(self.model_dump())

    def bioimageio_preprocessing(self) -> list[dict[str, Any]]:
        """Equivalent BioImage.IO preprocessing.

        Returns:
            The operation `zero_mean_unit_variance`.
        """
        return [{"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x"], "eps": self.eps}}]


class ScaleLinear(Options):
    """Compute gain · x + offset, with numbers that do not depend on the image."""

    name: ClassVar[str] = "scale_linear"
    gain: Factors = Field(1.0, description="a number, or a list with one number per channel")
    offset: Factors = Field(0.0, description="a number, or a list with one number per channel")

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Compute gain · x + offset per channel.

        Args:
            image: (C, H, W), any numeric dtype.

        Returns:
            (C, H, W) float32.

        Raises:
            DataError: if the number of channels differs from the number of gains or offsets.
        """
        gain, offset = np.atleast_1d(self.gain), np.atleast_1d(self.offset)
        for numbers in (gain, offset):
            if len(numbers) not in (1, len(image)):
                raise DataError(
                    f"normalization {self.name} is for {len(numbers)} channels, the image has {len(image)}"
                )
        scaled = gain[:, None, None] * np.asarray(image, np.float64) + offset[:, None, None]
        return scaled.astype(np.float32)

    def apply(self, image: np.ndarray, statistics: np.ndarray) -> np.ndarray:
        """Normalize a part of an image; statistics are not used. See `Normalize.apply`."""
        return self(image)

    def options(self) -> dict[str, Any]:
        """Options that rebuild this normalization.

        Returns:
            Values by option name.
        """
        return self.model_dump()

    def bioimageio_preprocessing(self) -> list[dict[str, Any]]:
        """Equivalent BioImage.IO preprocessing.

        Returns:
            The operation `scale_linear`, or `ensure_dtype` for the identity, which `scale_linear` excludes.
        """
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
    """Build a normalization from its name and options.

    Args:
        described: name and options, e.g. `{"name": "percentile", "low": 1, "high": 99.8}`.

    Returns:
        The normalization.

    Raises:
        RecipeError: if the normalization or an option is unknown.
        InputError: if the value of an option is not allowed.
    """
    kind, options = _find(described)
    return build_options(kind, options, f"normalization {kind.name}")


def normalize_option_errors(described: dict[str, Any]) -> dict[str, str]:
    """Validate a normalization without building it.

    Args:
        described: name and options, see `build_normalize`.

    Returns:
        One message per option that is wrong, by option name; "" stands for several options together.

    Raises:
        RecipeError: if the normalization is unknown.
    """
    kind, options = _find(described)
    return option_errors(kind, options, f"normalization {kind.name}")


def _find(
    described: dict[str, Any],
) -> tuple[type[Percentile] | type[ZeroMeanUnitVariance] | type[ScaleLinear], dict[str, Any]]:
    options = dict(described)
    if "name" not in options:
        raise RecipeError(f"normalization without a name; known: {', '.join(NORMALIZATIONS)}")
    name = str(options.pop("name"))
    if name not in NORMALIZATIONS:
        raise unknown("normalization", name, NORMALIZATIONS)
    return NORMALIZATIONS[name], options


def _without_defaults(options: dict[str, Any]) -> dict[str, Any]:
    # Only an unusual eps or clip is worth a word on the card.
    usual = {"eps": EPS, "clip": CLIP}
    return {key: value for key, value in options.items() if usual.get(key) != value}
