"""One field of view that is put together from its tiles, a row of tiles at a time."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator
from itertools import accumulate, chain
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np

from cards.base import LabelKind
from cards.errors import DataError
from cards.scores import csv_text
from finetune.data.annotations.registry import read_pair_labels
from finetune.data.calibration import Calibration, read_calibration
from finetune.data.fields import Borders, border_correlation, read_borders
from finetune.data.images import read_image
from finetune.data.pairs import Pair
from finetune.data.tile_labels import TileLabels, number_instances, renumber_tile, take_labels
from finetune.inference.label_tiff import describe
from finetune.inference.large_labels import cut_tiles, write_tiled_tiff

Place = tuple[int, int]


class _Tile(NamedTuple):
    """What is kept of a tile after its pixels are released."""

    shape: tuple[int, ...]
    dtype: np.dtype
    borders: Borders
    labels: TileLabels | None


class JoinedField:
    """A field of view and its tiles.

    Attributes:
        name: of the field.
        tiles: by row and column.
        shape: channels, height and width.
        tops: first row of each row of tiles.
        lefts: first column of each column of tiles.
        correlation: median over the seams of the correlation of the border lines; None without seams.
    """

    def __init__(
        self, name: str, tiles: list[list[Pair]], labels: LabelKind | None, advance: Callable[[], None]
    ) -> None:
        """Read every tile once and check that they fit together.

        Args:
            name: of the field.
            tiles: by row and column.
            labels: content of the masks; None for images without masks.
            advance: called after each tile.

        Raises:
            DataError: if a tile cannot be read or does not fit.
        """
        self.name, self.tiles, self._kind = name, tiles, labels
        self._digest, self._found = hashlib.sha256(), {}
        for place, tile in self._places():
            self._found[place] = self._inspect(tile)
            advance()
        first = self._found[0, 0]
        heights, widths = self._lengths()
        self.tops, self.lefts = ([0, *accumulate(lengths)] for lengths in (heights, widths))
        self.shape = (first.shape[0], self.tops.pop(), self.lefts.pop())
        self._dtype = first.dtype
        self.correlation = self._correlation()

    def write(self, image: Path, mask: Path | None, advance: Callable[[], None]) -> None:
        """Write the image and the mask as OME-TIFF, with the pixel size of the first tile.

        Args:
            image: new file.
            mask: new file; None for images without masks.
            advance: called after each tile.

        Raises:
            OSError: if a file cannot be written or the disk is full.
        """
        calibration = read_calibration(self.tiles[0][0].image)
        channels = (cut_tiles(self._pixels(channel, advance)) for channel in range(self.shape[0]))
        self._write(image, self.shape, self._dtype, chain.from_iterable(channels), calibration)
        if mask is not None:
            numbers = self._numbers()
            largest = max((int(found.max()) for found in numbers.values() if found.size), default=0)
            tiles = cut_tiles(self._labels(numbers))
            self._write(mask, self.shape[1:], np.min_scalar_type(largest), tiles, calibration)

    def table(self, image: str) -> list[tuple[str, str, int, int, int, int]]:
        """Say where each tile lies.

        Args:
            image: path of the written image, relative to the folder of the data set.

        Returns:
            Name of the tile, path of the image, top, left, height and width of the tile in pixels.
        """
        rows = []
        for (row, column), tile in self._places():
            _, height, width = self._found[row, column].shape
            rows.append(
                (csv_text(tile.name), csv_text(image), self.tops[row], self.lefts[column], height, width)
            )
        return rows

    def _places(self) -> Iterator[tuple[Place, Pair]]:
        for row, tiles in enumerate(self.tiles):
            for column, tile in enumerate(tiles):
                yield (row, column), tile

    def _inspect(self, tile: Pair) -> _Tile:
        image, labels = read_image(tile.image, tile.page), None
        self._digest.update(image.data)
        if self._kind is not None:
            mask = read_pair_labels(tile.image, tile.label, tile.page)
            if mask.shape != image.shape[1:]:
                raise DataError(f"{tile.label}: has shape {mask.shape}, its image {image.shape[1:]}")
            self._digest.update(mask.data)
            labels = take_labels(mask)
        return _Tile(image.shape, image.dtype, read_borders(image), labels)

    def _lengths(self) -> tuple[list[int], list[int]]:
        """Height of each row of tiles and width of each column."""
        first = self._found[0, 0]
        heights = [self._found[row, 0].shape[1] for row in range(len(self.tiles))]
        widths = [self._found[0, column].shape[2] for column in range(len(self.tiles[0]))]
        for (row, column), tile in self._places():
            found = self._found[row, column]
            expected = (first.shape[0], heights[row], widths[column])
            if (found.shape, found.dtype) != (expected, first.dtype):
                raise DataError(
                    f"{tile.image}: has shape {found.shape} and type {found.dtype}; with the other tiles of "
                    f"{self.name} it must have shape {expected} and type {first.dtype}"
                )
        return heights, widths

    def _correlation(self) -> float | None:
        found = self._found
        seams = [
            border_correlation(tile.borders, found[other].borders, beside=beside)
            for (row, column), tile in found.items()
            for other, beside in (((row, column + 1), True), ((row + 1, column), False))
            if other in found
        ]
        return median(seams) if seams else None

    def _pixels(self, channel: int, advance: Callable[[], None]) -> Iterator[np.ndarray]:
        for row in self.tiles:
            yield np.hstack([read_image(tile.image, tile.page)[channel] for tile in row])
            for _ in row if channel == 0 else ():
                advance()

    def _numbers(self) -> dict[Place, np.ndarray]:
        """New labels of each tile; only those of instances are changed."""
        known = {place: tile.labels for place, tile in self._found.items() if tile.labels is not None}
        if self._kind == "instances":
            return number_instances(known)
        return {place: labels.values for place, labels in known.items()}

    def _labels(self, numbers: dict[Place, np.ndarray]) -> Iterator[np.ndarray]:
        for row, tiles in enumerate(self.tiles):
            parts = []
            for column, tile in enumerate(tiles):
                labels = self._found[row, column].labels
                assert labels is not None
                mask = read_pair_labels(tile.image, tile.label, tile.page)
                parts.append(renumber_tile(mask, labels.values, numbers[row, column]))
            yield np.hstack(parts)

    def _write(
        self,
        path: Path,
        shape: tuple[int, ...],
        dtype: np.dtype,
        tiles: Iterator[np.ndarray],
        calibration: Calibration,
    ) -> None:
        metadata, options = describe("CYX"[-len(shape) :], self.name, calibration)
        metadata["UUID"] = str(
            uuid.uuid5(uuid.NAMESPACE_OID, f"{self._digest.hexdigest()} {path.parent.name}")
        )
        write_tiled_tiff(path, tiles, shape, dtype, metadata, **options)
