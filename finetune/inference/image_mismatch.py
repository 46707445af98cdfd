"""Tile mismatch of one image that is predicted, measured on that image.

The mismatch of a network with global attention differs from image to image, and grows with the image. The
figure of a run, which was measured on its test images, does not hold for other images. Here windows that
cover the image are predicted in one piece and in tiles. An image no larger than a window is one window. All
windows are compared: single windows hold most of the pixels that differ, so that a sample misses them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch

from cards.errors import ModelError
from finetune.data.channels import select_channels
from finetune.data.headers import Header
from finetune.data.streaming_statistics import measure_windows
from finetune.data.windows import Windows
from finetune.inference.model import Model
from finetune.inference.streaming import Progress
from finetune.inference.tile_mismatch import count_mismatches
from finetune.inference.tiling import TILE, WHOLE


@dataclass(frozen=True)
class ImageMismatch:
    """Tile mismatch of an image.

    Attributes:
        tile: height and width of the tiles in pixels.
        window: height and width, in pixels, of the windows that were also predicted in one piece.
        windows: number of windows; they cover the image, and neighbors may overlap.
        mismatch: fraction of the pixels of the windows whose label differs, as in
            `finetune.inference.tile_mismatch`; None if the memory does not suffice for a window.
    """

    tile: int
    window: tuple[int, int]
    windows: int
    mismatch: float | None

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
        share = f"tile mismatch: {100 * self.mismatch:.2g}% of the pixels"
        return share if self.windows == 1 else f"{share} of {self.windows} windows of {height} × {width} px"


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
    report: Progress | None = None,
) -> ImageMismatch | None:
    """Measure the tile mismatch of an image.

    Args:
        model: the model.
        images: the image, or each plane of a stack; all have the same height and width.
        tile: height and width of the tiles in pixels.
        window: largest height and width, in pixels, that is predicted in one piece.
        report: called with a stage, finished windows and all windows.

    Returns:
        The mismatch; None for an image no larger than a tile, which is predicted in one piece.

    Raises:
        DataError: if the image cannot be read.
    """
    _, height, width = images[0].shape
    if max(height, width) <= tile:
        return None
    rows, columns = _spans(height, window, model.divisor), _spans(width, window, model.divisor)
    count = len(images) * len(rows) * len(columns)
    shares: list[float] = []
    for image in images:
        statistics = measure_windows(model.normalize, image, model.select)
        for row, column in product(rows, columns):
            pixels = select_channels(image.read(row, column), model.select)
            prepared = torch.from_numpy(model.normalize.apply(pixels, statistics)).to(model.device)
            try:
                shares.append(_share(model, prepared, tile))
            except (MemoryError, RuntimeError) as error:  # torch reports missing memory as a RuntimeError
                if isinstance(error, RuntimeError) and "memory" not in str(error):
                    raise
                return ImageMismatch(tile, (rows[0].stop, columns[0].stop), count, None)
            if report:
                report("comparing tiles", len(shares), count)
    return ImageMismatch(tile, (rows[0].stop, columns[0].stop), count, float(np.mean(shares)))


def _share(model: Model, image: torch.Tensor, tile: int) -> float:
    """Fraction of the pixels of a prepared window whose label differs."""
    tiled, whole = (
        model.target.decode(model.predict_maps(image, tile=side)) for side in (tile, max(image.shape[-2:]))
    )
    return count_mismatches(tiled, whole) / tiled.size


def _spans(length: int, window: int, divisor: int) -> list[slice]:
    """Windows of equal size that cover an axis, evenly placed; neighbors may overlap."""
    size = length if length <= window else window // divisor * divisor
    count, last = -(-length // size), length - size
    starts = [-(-last * index // (max(count - 1, 1) * divisor)) * divisor for index in range(count)]
    return [slice(min(start, last), min(start, last) + size) for start in starts]
