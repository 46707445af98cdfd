"""What is averaged in each tile of a large image: one or several networks, each for 1 or 8 orientations.

The maps are those that `EnsembleModel` and `SymmetricModel` average in memory: each view of the image is
padded as a whole in its own orientation, and its tiles start at multiples of its network's divisor, counted
from the corner that is its upper left one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from finetune.data.channels import select_channels
from finetune.data.windows import Windows
from finetune.inference.ensemble import EnsembleModel
from finetune.inference.image_statistics import SumRows, Sums, image_statistics, rows_of, sum_tiles
from finetune.inference.protocol import Predictor
from finetune.inference.shared_statistics import Statistics, share_statistics
from finetune.inference.symmetries import SYMMETRIES, SymmetricModel, turn_back
from finetune.inference.tile_network import TileNetwork
from finetune.inference.tiling import Grid, Span, Tile
from finetune.targets.pixels import orient_pixels

Rectangle = tuple[Span, Span]
LayerValues = list[list[list[float]]]
"""Mean and variance of each group, for each layer."""


class View:
    """A network and an orientation of an image.

    Attributes:
        network: the network.
        grid: tiles of the oriented image.
    """

    def __init__(
        self, network: TileNetwork, windows: Windows, target: Any, rotations: int = 0, flip: bool = False
    ) -> None:
        """Prepare; nothing is read.

        Args:
            network: the network.
            windows: the image.
            target: turns maps back.
            rotations: quarter turns of the image, as `np.rot90`.
            flip: whether the image is mirrored after the rotation.
        """
        self.network, self._windows, self._target = network, windows, target
        self._rotations, self._flip = rotations, flip
        self._shape = (windows.shape[1], windows.shape[2])
        height, width = self._shape[::-1] if rotations % 2 else self._shape
        self.grid = Grid(height, width, network.divisor, network.tile, network.halo, network.alignment)
        self._run = network.network

    def place(self, core: Rectangle) -> Tile:
        """A tile of the oriented image.

        Args:
            core: part of the image that is kept from the tile.

        Returns:
            The tile: it starts and ends at multiples of the divisor, has at least the halo around its kept
            part, or ends where the padded image ends.
        """
        turned = turn(core, self._shape, self._rotations, self._flip)
        unit, halo = self.network.alignment or self.network.divisor, self.network.halo
        rows, columns = (
            (max((start - halo) // unit * unit, 0), min(-(-(end + halo) // unit) * unit, padded))
            for (start, end), padded in zip(turned, map(self.grid.padded, self._lengths), strict=True)
        )
        return Tile((rows, columns), turned)

    def read(self, tile: Tile, statistics: np.ndarray) -> torch.Tensor:
        """Input of the network for a tile.

        Args:
            tile: a tile of the oriented image.
            statistics: of the whole image, for the normalization.

        Returns:
            (C, h, w) float32, on the CPU.
        """
        rows, columns = (
            self.grid.continued(span, length) for span, length in zip(tile.window, self._lengths, strict=True)
        )
        part = self._read_turned((_cover(rows), _cover(columns)))
        if _is_continued(rows) or _is_continued(columns):
            part = part[:, (rows - rows.min())[:, None], columns - columns.min()]
        return torch.from_numpy(self.network.normalize.apply(part, statistics))

    @torch.no_grad()  # not inference_mode: TorchScript that has been trained refuses its tensors
    def predict(self, tiles: Sequence[Tile], images: torch.Tensor) -> list[np.ndarray]:
        """Maps of a batch of tiles of equal size.

        Args:
            tiles: tiles of the oriented image.
            images: (N, C, h, w) float32, as `read` returns them.

        Returns:
            The kept part of the maps of each tile, (K, h, w) float32, in the orientation of the image.
        """
        maps = self.network.activate(self._run(images.to(self.network.device)).float())
        return [
            self._turn_back(maps[index, :, *tile.inner].contiguous().cpu().numpy())
            for index, tile in enumerate(tiles)
        ]

    @property
    def shares_statistics(self) -> bool:
        """Whether layers use the same statistics in all tiles."""
        return self.network.shares_statistics and min(self._lengths) >= self.network.divisor

    @property
    def rows(self) -> int:
        """Number of rows of tiles."""
        return len(rows_of(self.grid))

    def measure_layers(self, statistics: np.ndarray, sum_rows: SumRows) -> LayerValues:
        """Statistics that layers have in the whole image.

        Args:
            statistics: of the whole image, for the normalization of the input.
            sum_rows: sums over all rows of tiles, of `sum_row`.

        Returns:
            Mean and variance of each group, for each layer.
        """
        read = self._reader(statistics)
        found = image_statistics(self.network.network, self.grid, read, sum_rows)
        return [[mean.tolist(), variance.tolist()] for mean, variance in found]

    def sum_row(self, row: int, statistics: np.ndarray, layers: LayerValues) -> Sums:
        """Sums of the values of each layer over a row of tiles.

        Args:
            row: number of the row.
            statistics: of the whole image, for the normalization of the input.
            layers: statistics that the layers use.

        Returns:
            The sums.
        """
        tiles, read = rows_of(self.grid)[row], self._reader(statistics)
        return sum_tiles(self.network.network, self.grid, tiles, read, self._tensors(layers))

    def share(self, layers: LayerValues) -> None:
        """Use the same statistics in all tiles.

        Args:
            layers: as `measure_layers` returns them.
        """
        self._run = share_statistics(self.network.network, self._tensors(layers))

    def _reader(self, statistics: np.ndarray) -> Callable[[Tile], torch.Tensor]:
        return lambda tile: self.read(tile, statistics).to(self.network.device)

    def _tensors(self, layers: LayerValues) -> Statistics:
        device = self.network.device
        return [
            (torch.tensor(mean, device=device), torch.tensor(variance, device=device))
            for mean, variance in layers
        ]

    @property
    def _lengths(self) -> tuple[int, int]:
        return self.grid.height, self.grid.width

    def _read_turned(self, rectangle: Rectangle) -> np.ndarray:
        """Pixels (C, h, w) of a part of the oriented image."""
        unflipped = turn(rectangle, self._lengths, 0, self._flip)
        rows, columns = turn(unflipped, self._lengths, -self._rotations % 4)
        part = select_channels(self._windows.read(slice(*rows), slice(*columns)), self.network.select)
        return orient_pixels(part, self._rotations, self._flip) if self._is_turned else part

    def _turn_back(self, maps: np.ndarray) -> np.ndarray:
        return turn_back(self._target, maps, self._rotations, self._flip) if self._is_turned else maps

    @property
    def _is_turned(self) -> bool:
        return bool(self._rotations or self._flip)


def turn(rectangle: Rectangle, shape: tuple[int, int], rotations: int, flip: bool = False) -> Rectangle:
    """Where a part of an image lies once the image is rotated and mirrored.

    Args:
        rectangle: rows and columns, each as start and end.
        shape: height and width of the image in pixels.
        rotations: quarter turns, 0 to 3, as `np.rot90`.
        flip: whether the image is mirrored left to right after the rotation.

    Returns:
        Rows and columns in the oriented image.
    """
    rows, columns = rectangle
    for _ in range(rotations):
        rows, columns = (shape[1] - columns[1], shape[1] - columns[0]), rows
        shape = (shape[1], shape[0])
    return (rows, (shape[1] - columns[1], shape[1] - columns[0])) if flip else (rows, columns)


def views_of(model: Predictor, windows: Windows, tile: int) -> list[list[View]]:
    """The views of an image whose maps are averaged.

    Args:
        model: a model for which `can_tile` is true.
        windows: the image.
        tile: height and width of a tile in pixels.

    Returns:
        The views of each member of an ensemble. Maps are averaged over the views of a member, then over the
        members.
    """
    groups = []
    for (member, inner), network in zip(_members(model), networks_of(model, tile), strict=True):
        orientations = SYMMETRIES if isinstance(member, SymmetricModel) else ((0, False),)
        groups.append([View(network, windows, inner.target, *one) for one in orientations])
    return groups


def networks_of(model: Predictor, tile: int) -> list[TileNetwork]:
    """The networks whose maps are averaged.

    Args:
        model: a model for which `can_tile` is true.
        tile: height and width of a tile in pixels.

    Returns:
        One per member of an ensemble.
    """
    return [inner.tile_network(tile) for _, inner in _members(model)]


def can_tile(model: Predictor) -> bool:
    """Whether maps of a model are predicted tile by tile: all but prompted models and some packages.

    Args:
        model: any model.

    Returns:
        False if an image must pass through the model in one piece.
    """
    return all(
        hasattr(inner, "tile_network")
        and not inner.target.whole
        and inner.can_tile(turned=isinstance(member, SymmetricModel))
        for member, inner in _members(model)
    )


def _members(model: Any) -> list[tuple[Any, Any]]:
    """Members of an ensemble or the model itself, each with the model that its symmetries are taken of."""
    members = model.members if isinstance(model, EnsembleModel) else [model]
    return [(one, one.model if isinstance(one, SymmetricModel) else one) for one in members]


def _cover(index: np.ndarray) -> Span:
    return int(index.min()), int(index.max()) + 1


def _is_continued(index: np.ndarray) -> bool:
    return bool((np.diff(index) != 1).any())
