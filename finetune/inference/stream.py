"""A large image and its finished parts: what is read, predicted and decoded of it, one part at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from finetune.data.channels import select_channels
from finetune.data.streaming_statistics import measure_windows
from finetune.data.windows import Windows
from finetune.inference.image_statistics import Sums
from finetune.inference.label_bands import LabelBands
from finetune.inference.preprocess import check_channels
from finetune.inference.scratch_job import LAYERS, ScratchJob
from finetune.inference.shared_statistics import Statistics
from finetune.inference.stitching import BLOCK, MARGIN, Block, DecodedBlock, blocks_of, decode_block
from finetune.inference.tiling import TILE, Grid, Tile
from finetune.inference.views import LayerValues, View, views_of

LARGE = 4096**2  # pixels; larger images are not kept in memory
FEW_MAPS = 8  # with more, blocks are smaller

Report = Callable[[str, int, int], None]
"""Name of a stage, finished parts and all parts."""

SumAhead = Callable[[int, LayerValues, int], None]
"""Number of a pass over the image, statistics that the layers use, number of rows of tiles."""


@dataclass(frozen=True)
class StreamOptions:
    """Sizes of the parts of an image.

    Attributes:
        tile: height and width of a tile in pixels.
        block: height and width of a block in pixels; None for 2048, or 1024 with more than 8 maps.
        margin: pixels around a block that are decoded with it.
        batch: tiles that pass through the network together; None for 1 on a CPU and 4 on a GPU.
        large: pixels above which an image is segmented part by part.
    """

    tile: int = TILE
    block: int | None = None
    margin: int = MARGIN
    batch: int | None = None
    large: int = LARGE


class Stream:
    """The prediction of one image, part by part; the steps of `segment_stream`.

    Attributes:
        views: what is averaged, see `finetune.inference.views`.
        single: the only view; None if there are several.
        tiles: tiles of the image; of several views, only their kept parts count.
        blocks: rows of blocks of the image.
    """

    def __init__(self, model: Any, windows: Windows, job: ScratchJob, options: StreamOptions) -> None:
        """Prepare; nothing is read.

        Args:
            model: a model for which `finetune.inference.views.can_tile` is true.
            windows: the image.
            job: finished parts.
            options: sizes of tiles and blocks.

        Raises:
            DataError: if the image has too many or too few channels.
        """
        self.model, self.windows, self.job, self.options = model, windows, job, options
        _, height, width = windows.shape
        self.views = views_of(model, windows, options.tile)
        views = [view for group in self.views for view in group]
        self.single = views[0] if len(views) == 1 else None
        divisor = math.lcm(*(view.network.divisor for view in views))
        halo = max(view.network.halo for view in views)
        grid = self.single.grid if self.single else Grid(height, width, divisor, options.tile, halo)
        self.tiles: list[Tile] = list(grid)
        side = options.block or (BLOCK if model.target.channels <= FEW_MAPS else BLOCK // 2)
        self.blocks = blocks_of(height, width, side)
        for view in views:
            pixel = select_channels(windows.read(slice(0, 1), slice(0, 1)), view.network.select)
            check_channels(len(pixel), model.channels)

    @property
    def batch(self) -> int:
        """Tiles that pass through the network together."""
        if self.single is None:
            return 1
        return self.options.batch or (4 if self.single.network.device.type == "cuda" else 1)

    @property
    def stitching(self) -> str:
        """How instances of blocks are joined; see `finetune.inference.stitching`."""
        return str(getattr(self.model.target, "stitching", "instances"))

    def measure(self, report: Report | None = None, sum_ahead: SumAhead | None = None) -> list[np.ndarray]:
        """Statistics of the whole image for the normalization of each member, and of layers that need some.

        Args:
            report: called with a stage, finished rows of tiles and all rows.
            sum_ahead: called before each pass over the image, to sum rows elsewhere, as `sum_row` does.

        Returns:
            Each (2, C) float64, see `finetune.data.streaming_statistics.measure`.
        """
        found = []
        for number, group in enumerate(self.views):
            statistics = self._input_statistics(number)
            found.append(statistics)
            # Each orientation has statistics of its own: kernels are not symmetric, so that the values of a
            # layer in a turned image are not those of the image, turned.
            for turned, view in enumerate(group):
                if view.shares_statistics:
                    sum_rows = partial(self._sum_rows, number, turned, report, sum_ahead)
                    measure_layers = partial(view.measure_layers, statistics, sum_rows)
                    view.share(self.job.remember(f"{LAYERS}-{number}-{turned}", measure_layers))
        return found

    def sum_row(self, member: int, turned: int, step: int, row: int, layers: LayerValues) -> Sums:
        """Sums of the values of each layer over a row of tiles, in one of the passes over the image.

        Args:
            member: number of the member.
            turned: number of the orientation.
            step: number of the pass.
            row: number of the row.
            layers: statistics that the layers use.

        Returns:
            The sums.
        """
        compute = partial(self.views[member][turned].sum_row, row, self._input_statistics(member), layers)
        sums: Sums = self.job.remember(f"{LAYERS}-{member}-{turned}-{step}-{row}", compute)
        return sums

    def _sum_rows(
        self,
        member: int,
        turned: int,
        report: Report | None,
        sum_ahead: SumAhead | None,
        step: int,
        used: Statistics,
    ) -> list[Sums]:
        layers = [[mean.tolist(), variance.tolist()] for mean, variance in used]
        rows = self.views[member][turned].rows
        if sum_ahead:
            sum_ahead(step, layers, rows)
        sums = []
        for row in range(rows):
            sums.append(self.sum_row(member, turned, step, row, layers))
            if report:
                report(f"measuring statistics, pass {step + 1}", row + 1, rows)
        return sums

    def _input_statistics(self, member: int) -> np.ndarray:
        network = self.views[member][0].network

        def measure_input() -> list[list[float]]:
            return measure_windows(network.normalize, self.windows, network.select).tolist()

        return np.array(self.job.remember(f"statistics-{member}", measure_input), np.float64)

    def read_tiles(self, numbers: Sequence[int], statistics: Sequence[np.ndarray]) -> list[torch.Tensor]:
        """Inputs of the networks for a batch of tiles; one tile if there are several views.

        Args:
            numbers: of the tiles.
            statistics: of the whole image, for each member.

        Returns:
            (N, C, h, w) float32 for each view, on the CPU.
        """
        return [
            torch.stack([view.read(tile, found) for tile in self._placed(numbers, view)])
            for group, found in zip(self.views, statistics, strict=True)
            for view in group
        ]

    def predict(self, numbers: Sequence[int], images: Sequence[torch.Tensor]) -> list[np.ndarray]:
        """Maps of a batch of tiles, averaged over the views.

        Args:
            numbers: of the tiles.
            images: (N, C, h, w) float32 for each view, as `read_tiles` returns them.

        Returns:
            The kept part of the maps of each tile, (K, h, w) float32.
        """
        inputs = iter(images)
        members = [
            [view.predict(self._placed(numbers, view), next(inputs)) for view in group]
            for group in self.views
        ]
        return [
            _mean([_mean([maps[index] for maps in views]) for views in members])
            for index in range(len(numbers))
        ]

    def _placed(self, numbers: Sequence[int], view: View) -> list[Tile]:
        tiles = [self.tiles[number] for number in numbers]
        return tiles if self.single else [view.place(tile.core) for tile in tiles]

    def save_tile(self, number: int, maps: np.ndarray) -> None:
        """Write the maps of a tile, or those of the few pixels that the target decodes.

        Args:
            number: of the tile.
            maps: the kept part (K, h, w) float32.

        Raises:
            OSError: if the disk is full.
        """
        used = getattr(self.model.target, "used", None)
        self.job.save_tile(number, maps, used(maps) if used else None)

    def read_maps(self, rows: slice, columns: slice) -> np.ndarray:
        """Maps of a part of the image, from finished tiles.

        Args:
            rows: rows of the image.
            columns: columns of the image.

        Returns:
            Maps (K, h, w) float32.
        """
        size = (rows.stop - rows.start, columns.stop - columns.start)
        maps = np.empty((self.model.target.channels, *size), np.float32)
        for number, tile in enumerate(self.tiles):
            common = [
                (max(start, wanted.start), min(end, wanted.stop))
                for (start, end), wanted in zip(tile.core, (rows, columns), strict=True)
            ]
            if any(start >= end for start, end in common):
                continue
            part = self.job.load_tile(number)
            inside, outside = (
                tuple(
                    slice(start - origin, end - origin)
                    for (start, end), origin in zip(common, o, strict=True)
                )
                for o in ((tile.core[0][0], tile.core[1][0]), (rows.start, columns.start))
            )
            maps[:, *outside] = part[:, *inside]
        return maps

    def decode(self, number: int) -> None:
        """Decode a block and save it.

        Args:
            number: of the block.
        """
        columns = len(self.blocks[0])
        block: Block = self.blocks[number // columns][number % columns]
        shape = self.windows.shape[1:]
        decoded = decode_block(self.model.target, self.read_maps, block, shape, self.options.margin)
        self.job.save("blocks", number, decoded.save)

    def labels(self) -> LabelBands:
        """The label image, once all blocks are decoded.

        Returns:
            Its bands.
        """
        load = lambda number: DecodedBlock.load(self.job.path("blocks", number))  # noqa: E731
        return LabelBands(self.blocks, load, self.stitching)


def _mean(maps: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of maps, rounded as `EnsembleModel` and `SymmetricModel` round it."""
    if len(maps) == 1:
        return maps[0]
    total = np.zeros_like(maps[0])
    for one in maps:
        total += one
    return total / len(maps)
