"""Tile mismatch of one image that is predicted, measured on that image.

The mismatch of a network with global attention differs from image to image, and grows with the image. The
figure of a run, which was measured on its test images, does not hold for other images. Here windows of the
image are predicted in one piece and in tiles. An image no larger than a window is one window, and the figure
is exact; of a larger one, random windows are compared until the mean is known to within 10 %.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from cards.errors import ModelError
from finetune.data.channels import select_channels
from finetune.data.headers import Header
from finetune.data.streaming_statistics import measure_windows
from finetune.data.windows import Windows
from finetune.inference.model import Model
from finetune.inference.tile_mismatch import count_mismatches
from finetune.inference.tiling import TILE, WHOLE

ACCURACY = 0.1  # half width of the interval, as a part of the mean
LEAST, MOST = 8, 64  # windows that are compared, if an image has as many
LEVEL = 0.95  # of the interval


@dataclass(frozen=True)
class ImageMismatch:
    """Tile mismatch of an image.

    Attributes:
        tile: height and width of the tiles in pixels.
        window: height and width, in pixels, of the windows that were also predicted in one piece.
        compared: number of windows that were compared, at random places of a grid that covers the image.
        windows: number of windows of that grid.
        mismatch: fraction of the pixels of these windows whose label differs, as in
            `finetune.inference.tile_mismatch`; None if the memory does not suffice for one window.
        interval: 95 % confidence interval of the fraction in all windows; None if all were compared, or no
            pixel differs.
    """

    tile: int
    window: tuple[int, int]
    compared: int
    windows: int
    mismatch: float | None
    interval: tuple[float, float] | None

    def sentence(self) -> str:
        """The figure in words.

        Returns:
            One sentence without a period.
        """
        height, width = self.window
        if self.mismatch is None:
            return (
                f"tile mismatch: not measured; memory does not suffice for {height} × {width} px in one piece"
            )
        share = f"{100 * self.mismatch:.2g}% of the pixels"
        if self.interval:
            low, high = (f"{100 * limit:.2g}" for limit in self.interval)
            share += f" (95 % confidence interval: {low} to {high}%)"
        if self.windows == 1:
            return f"tile mismatch: {share}"
        number = "all" if self.compared == self.windows else f"{self.compared} of"
        return f"tile mismatch: {share}, in {number} {self.windows} windows of {height} × {width} px"


def check_can_measure(model: Any) -> None:
    """Check that a model predicts maps whose tile mismatch can be measured.

    Args:
        model: the model.

    Raises:
        ModelError: if it is an ensemble, an average over symmetries, a package of others, or cannot be tiled.
    """
    if not isinstance(model, Model) or model.target.whole:
        raise ModelError(
            "--tile-mismatch: takes a single model that predicts maps in tiles, without --ensemble and "
            "--symmetries"
        )


def tiles_note(model: Any, headers: Iterable[Header]) -> str | None:
    """Say that labels depend on the tiles, if they do.

    Args:
        model: the model.
        headers: of the images.

    Returns:
        One sentence without a period, for a network with global attention, whose receptive field was
        measured, and images that are larger than a tile; otherwise None.
    """
    if (
        isinstance(model, Model)
        and not model.target.whole
        and model.receptive_field == "image"
        and not model.shares_statistics
        and any(max(header.height, header.width) > TILE for header in headers)
    ):
        return (
            "every label depends on the whole input of this network, so labels of images larger than "
            f"{TILE} × {TILE} pixels depend on the tiles; --tile-mismatch measures how many"
        )
    return None


def measure_image(
    model: Model,
    images: Sequence[Windows],
    tile: int = TILE,
    window: int = WHOLE,
    accuracy: float = ACCURACY,
    most: int = MOST,
) -> ImageMismatch | None:
    """Measure the tile mismatch of an image.

    Args:
        model: the model.
        images: the image, or each plane of a stack; all have the same height and width.
        tile: height and width of the tiles in pixels.
        window: largest height and width, in pixels, that is predicted in one piece.
        accuracy: half width of the confidence interval, as a part of the mean, at which no more windows are
            compared.
        most: windows that are compared at most.

    Returns:
        The mismatch; None for an image no larger than a tile, which is predicted in one piece.

    Raises:
        DataError: if the image cannot be read.
    """
    _, height, width = images[0].shape
    if max(height, width) <= tile:
        return None
    rows, columns = _spans(height, window, model.divisor), _spans(width, window, model.divisor)
    places = [(number, row, column) for number in range(len(images)) for row in rows for column in columns]
    statistics: dict[int, np.ndarray] = {}
    shares: list[float] = []
    for index in np.random.default_rng(0).permutation(len(places))[:most]:
        number, row, column = places[index]
        if number not in statistics:
            statistics[number] = measure_windows(model.normalize, images[number], model.select)
        pixels = select_channels(images[number].read(row, column), model.select)
        image = torch.from_numpy(model.normalize.apply(pixels, statistics[number])).to(model.device)
        try:
            shares.append(_share(model, image, tile))
        except (MemoryError, RuntimeError) as error:  # torch reports missing memory as a RuntimeError
            if isinstance(error, RuntimeError) and "memory" not in str(error):
                raise
            break
        if len(shares) >= LEAST and 0 < _half_width(shares, len(places)) <= accuracy * np.mean(shares):
            break
    mean = float(np.mean(shares)) if shares else None
    half = _half_width(shares, len(places))
    return ImageMismatch(
        tile=tile,
        window=(rows[0].stop, columns[0].stop),
        compared=len(shares),
        windows=len(places),
        mismatch=mean,
        interval=(max(mean - half, 0.0), min(mean + half, 1.0)) if mean and half else None,
    )


def _share(model: Model, image: torch.Tensor, tile: int) -> float:
    """Fraction of the pixels of a prepared window whose label differs."""
    tiled, whole = (
        model.target.decode(model.predict_maps(image, tile=side)) for side in (tile, max(image.shape[-2:]))
    )
    return count_mismatches(tiled, whole) / tiled.size


def _spans(length: int, window: int, divisor: int) -> list[slice]:
    """Windows of equal size that cover an axis, evenly placed; neighbors may overlap."""
    size, count = min(window, length), -(-length // window)
    last = length - size
    starts = [round(last * index / max(count - 1, 1) / divisor) * divisor for index in range(count)]
    return [slice(min(start, last), min(start, last) + size) for start in starts]


def _half_width(shares: Sequence[float], windows: int) -> float:
    """Half width of the confidence interval of the mean of all windows, of which a sample was drawn.

    Student's t with the correction for finite populations (Cochran, Sampling Techniques, 1977, section 2.8).
    """
    from scipy.special import stdtrit

    count = len(shares)
    if count < 2 or count == windows:
        return 0.0
    error = np.std(shares, ddof=1) * math.sqrt((1 - count / windows) / count)
    return float(stdtrit(count - 1, (1 + LEVEL) / 2) * error)
