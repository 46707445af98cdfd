"""Prediction of the maps of an image of any size, in overlapping tiles.

Tiles give the maps of the whole image, pixel for pixel, if the halo covers the receptive field of the
network: see `Grid`. `finetune.inference.receptive_field` measures the receptive field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F

from cards.errors import DataError
from finetune.targets.base import Decoding

TILE = 1024  # height and width in pixels; larger images are tiled, so that memory use does not grow
# Largest height and width, in pixels, of an image that cannot be tiled: its 100 maps take 1.7 GB, and a
# network holds three copies.
WHOLE = 2048
HALO = 64  # pixels that a tile discards on each side if no halo is known
LEAST_STEP = 0.5  # tiles grow with the halo, so that each keeps at least this part of its height and width

Span = tuple[int, int]


@dataclass(frozen=True)
class Tile:
    """A tile, and the part of it that is kept.

    Attributes:
        window: rows and columns of the tile in the padded image, each as start and end.
        core: rows and columns of the image that are kept from the tile, each as start and end. The cores of
            all tiles cover the image once.
    """

    window: tuple[Span, Span]
    core: tuple[Span, Span]

    @property
    def inner(self) -> tuple[slice, slice]:
        """The kept part within the tile."""
        (top, _), (left, _) = self.window
        rows, columns = self.core
        return slice(rows[0] - top, rows[1] - top), slice(columns[0] - left, columns[1] - left)

    @property
    def outer(self) -> tuple[slice, slice]:
        """The kept part within the image."""
        return slice(*self.core[0]), slice(*self.core[1])


@dataclass(frozen=True)
class Grid:
    """Tiles of an image.

    The image is padded as a whole, at the lower right. Tiles start at multiples of `alignment`, so that a
    network that pools, or predicts every other pixel, groups the pixels of a tile as those of the image. A
    tile has at least `halo` pixels around its kept part, or ends exactly where the padded image ends, so that
    the padding inside the network is that of the whole image. All tiles along an axis have the same size.

    Attributes:
        height: height of the image in pixels.
        width: width of the image in pixels.
        divisor: the network takes heights and widths that are multiples of this, in pixels.
        tile: largest height and width of a tile in pixels, unless the halo requires more.
        halo: pixels of context around the kept part of a tile.
        alignment: tiles start at multiples of this, in pixels; `divisor` if 0.
    """

    height: int
    width: int
    divisor: int
    tile: int = TILE
    halo: int = HALO
    alignment: int = 0

    def __len__(self) -> int:
        """Number of tiles."""
        return len(self._spans(self.height)) * len(self._spans(self.width))

    def __iter__(self) -> Iterator[Tile]:
        """Tiles, row by row."""
        columns = self._spans(self.width)
        for window, core in self._spans(self.height):
            for window_x, core_x in columns:
                yield Tile((window, window_x), (core, core_x))

    def padded(self, length: int) -> int:
        """Height or width of the padded image.

        Args:
            length: height or width of the image in pixels.

        Returns:
            Pixels, at least `length`.
        """
        step = self.divisor if length <= self.tile else self.alignment or self.divisor
        return _up(length, step)

    @property
    def padding(self) -> Literal["reflect", "replicate"]:
        """How the image is continued: a tiny one with its edge, because mirroring needs more pixels."""
        tiny = any(self.padded(length) - length >= length for length in (self.height, self.width))
        return "replicate" if tiny else "reflect"

    def continued(self, span: Span, length: int) -> np.ndarray:
        """Rows or columns of the image that a window shows.

        Args:
            span: start and end of the window in the padded image.
            length: height or width of the image in pixels.

        Returns:
            (end − start,) int64 indices, from 0 to length − 1.
        """
        index = np.arange(*span)
        beyond = 2 * (length - 1) - index if self.padding == "reflect" else length - 1
        return np.where(index < length, index, beyond)

    def _spans(self, length: int) -> list[tuple[Span, Span]]:
        """Window and kept part of the tiles along one axis."""
        unit, whole = self.alignment or self.divisor, self.padded(length)
        halo = _up(self.halo, unit)
        side = max(self.tile // unit, 1) * unit
        if side - 2 * halo < LEAST_STEP * side:  # 2 × halo is more than the rest of a tile
            side = _up(int(2 * halo / (1 - LEAST_STEP)) + 1, self.divisor)
        if whole <= side or length <= self.tile:
            return [((0, whole), (0, length))]
        step = (side - 2 * halo) // unit * unit
        spans = []
        for start in range(0, length, step):
            window = min(max(start - halo, 0), whole - side)
            end = length if window + side == whole else min(start + step, length)
            spans.append(((window, window + side), (start, end)))
            if end == length:
                break
        return spans


@torch.no_grad()  # not inference_mode: TorchScript that has been trained refuses its tensors
def predict_maps(
    network: Callable[[torch.Tensor], torch.Tensor],
    target: Decoding,
    image: torch.Tensor,
    divisor: int,
    *,
    tile: int = TILE,
    halo: int = HALO,
    alignment: int = 0,
) -> np.ndarray:
    """Predict the maps of one normalized image.

    Images no larger than `tile` are predicted in one piece, larger ones in overlapping tiles, of which the
    inner part is kept, unless the target's maps cannot be tiled (`Decoding.whole`). Images are padded at the
    lower right by reflection to a multiple of `divisor`.

    Args:
        network: (1, C, H, W) float32 -> raw output (1, K, H, W).
        target: converts raw output to maps.
        image: (C, H, W) float32, on the network's device.
        divisor: the network takes heights and widths that are multiples of this, in pixels.
        tile: height and width of a tile in pixels.
        halo: pixels of context around the part of a tile that is kept.
        alignment: tiles start at multiples of this, in pixels; `divisor` if 0.

    Returns:
        Maps (K, H, W) float32, on the CPU.

    Raises:
        DataError: if an image that cannot be tiled is larger than `WHOLE` × `WHOLE` pixels.
    """
    height, width = image.shape[-2:]
    if target.whole:
        check_size(target, height, width, "the image")
        tile = max(height, width)
    grid = Grid(height, width, divisor, tile, halo, alignment)
    maps = np.empty((target.channels, height, width), np.float32)
    read = read_padded(image, grid)
    for part in grid:
        raw = network(read(part)[None])
        maps[:, *part.outer] = target.activate(raw.float())[0, :, *part.inner].cpu().numpy()
    return maps


def check_size(target: Decoding, height: int, width: int, which: str) -> None:
    """Check that an image is small enough to be predicted in one piece, if the target requires it.

    Args:
        target: the target.
        height: height of the image in pixels.
        width: width of the image in pixels.
        which: name of the image in the error.

    Raises:
        DataError: if the image has more than `WHOLE` × `WHOLE` pixels.
    """
    if target.whole and height * width > WHOLE**2:
        raise DataError(
            f"{which} is {height} × {width} pixels, too large for target {target.name}, which cannot tile "
            f"images: crop or downsample it to at most {WHOLE} × {WHOLE} pixels"
        )


def read_padded(image: torch.Tensor, grid: Grid) -> Callable[[Tile], torch.Tensor]:
    """Read tiles from an image that is continued at the lower right, as by `Grid.continued`.

    Args:
        image: (C, H, W).
        grid: its tiles.

    Returns:
        A function from a tile to the pixels (C, h, w) of its window.
    """
    bottom, right = grid.padded(grid.height) - grid.height, grid.padded(grid.width) - grid.width
    padded = F.pad(image, (0, right, 0, bottom), mode=grid.padding) if bottom or right else image
    return lambda tile: padded[:, slice(*tile.window[0]), slice(*tile.window[1])]


def _up(length: int, unit: int) -> int:
    """The smallest multiple of a unit that is not smaller."""
    return -(-length // unit) * unit
