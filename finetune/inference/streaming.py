"""Prediction of an image of any size: read, predicted and decoded part by part, with finished parts on disk.

Three stages, each of which continues where a killed process stopped: the statistics of the whole image, the
maps of each tile, the labels of each block. While the network runs, the next tiles are read and the
last ones are written by other threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import torch

from finetune.data.channels import select_channels
from finetune.data.streaming_statistics import measure
from finetune.data.windows import Windows
from finetune.inference.label_bands import LabelBands
from finetune.inference.model import Model
from finetune.inference.preprocess import check_channels
from finetune.inference.scratch_job import ScratchJob
from finetune.inference.stitching import BLOCK, MARGIN, Block, DecodedBlock, blocks_of, decode_block
from finetune.inference.tiling import TILE, Grid, Tile

LARGE = 4096**2  # pixels; larger images are not kept in memory
READ, READ_COLUMNS = 1024, 16384  # height and width of the parts that are read for the statistics
FEW_MAPS = 8  # with more, blocks are smaller
AHEAD = 2  # batches that are read before they are needed
BEHIND = 4  # tiles that wait to be written

Progress = Callable[[str, int, int], None]
"""Name of a stage, finished parts and all parts."""

T = TypeVar("T")


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
        grid: tiles of the image.
        blocks: rows of blocks of the image.
    """

    def __init__(self, model: Model, windows: Windows, job: ScratchJob, options: StreamOptions) -> None:
        """Prepare; nothing is read.

        Args:
            model: the model; its target's maps can be tiled.
            windows: the image.
            job: finished parts.
            options: sizes of tiles and blocks.

        Raises:
            DataError: if the image has too many or too few channels.
        """
        self.model, self.windows, self.job, self.options = model, windows, job, options
        _, height, width = windows.shape
        halo = model.tile_halo(options.tile)
        self.grid = Grid(height, width, model.divisor, options.tile, halo)
        self.tiles: list[Tile] = list(self.grid)
        side = options.block or (BLOCK if model.target.channels <= FEW_MAPS else BLOCK // 2)
        self.blocks = blocks_of(height, width, side)
        check_channels(self._pixels(slice(0, 1), slice(0, 1)).shape[0], model.channels)
        model.network.eval()

    @property
    def stitching(self) -> str:
        """How instances of blocks are joined; see `finetune.inference.stitching`."""
        return str(getattr(self.model.target, "stitching", "instances"))

    def measure(self) -> np.ndarray:
        """Statistics for the normalization of the whole image.

        Returns:
            (2, C) float64, see `finetune.data.streaming_statistics.measure`.
        """
        height, width = self.windows.shape[1:]

        def blocks() -> Iterator[np.ndarray]:
            for top in range(0, height, READ):
                for left in range(0, width, READ_COLUMNS):
                    rows = slice(top, min(top + READ, height))
                    yield self._pixels(rows, slice(left, min(left + READ_COLUMNS, width)))

        return self.job.remember("statistics", lambda: measure(self.model.normalize, blocks))

    def read_tile(self, number: int, statistics: np.ndarray) -> torch.Tensor:
        """Input of the network for a tile.

        Args:
            number: of the tile.
            statistics: of the whole image.

        Returns:
            (C, h, w) float32, on the CPU.
        """
        tile, (height, width) = self.tiles[number], self.windows.shape[1:]
        rows, columns = (
            self.grid.continued(span, length)
            for span, length in zip(tile.window, (height, width), strict=True)
        )
        part = self._pixels(_cover(rows), _cover(columns))
        if _is_continued(rows) or _is_continued(columns):
            part = part[:, (rows - rows.min())[:, None], columns - columns.min()]
        return torch.from_numpy(self.model.normalize.apply(part, statistics))

    @torch.no_grad()
    def predict(self, numbers: Sequence[int], images: torch.Tensor) -> list[np.ndarray]:
        """Maps of a batch of tiles.

        Args:
            numbers: of the tiles.
            images: (N, C, h, w) float32.

        Returns:
            The kept part of the maps of each tile, (K, h, w) float32.
        """
        raw = self.model.run(images.to(self.model.device))
        maps = self.model.target.activate(raw.float())
        return [
            maps[index, :, *self.tiles[number].inner].contiguous().cpu().numpy()
            for index, number in enumerate(numbers)
        ]

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

    def _pixels(self, rows: slice, columns: slice) -> np.ndarray:
        return select_channels(self.windows.read(rows, columns), self.model.select)


def segment_stream(stream: Stream, progress: Progress | None = None) -> LabelBands:
    """Predict the label image of an image of any size.

    Args:
        stream: model, image and finished parts.
        progress: called after each part.

    Returns:
        The label image, read in bands from the finished parts.

    Raises:
        DataError: if the image cannot be read, or has pixels that are not finite.
        OSError: if the disk is full.
    """
    report = progress or (lambda stage, done, total: None)
    predict_tiles(stream, partial(report, "predicting"))
    total = sum(map(len, stream.blocks))
    missing = stream.job.missing("blocks", total)
    with ThreadPoolExecutor(max(1, torch.get_num_threads())) as pool:
        for done, _ in enumerate(pool.map(stream.decode, missing), total - len(missing) + 1):
            report("finding instances", done, total)
    return stream.labels()


def predict_tiles(stream: Stream, report: Callable[[int, int], None]) -> None:
    """Predict the maps of all tiles that are not finished.

    Args:
        stream: model, image and finished parts.
        report: called with the number of finished tiles and of all tiles.
    """
    total = len(stream.tiles)
    missing = stream.job.missing("tiles", total)
    if not missing:
        return
    statistics = stream.measure()
    size = stream.options.batch or (4 if stream.model.device.type == "cuda" else 1)
    batches = [missing[start : start + size] for start in range(0, len(missing), size)]

    def load(numbers: list[int]) -> tuple[list[int], torch.Tensor]:
        return numbers, torch.stack([stream.read_tile(number, statistics) for number in numbers])

    done = total - len(missing)
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        written: deque[Future[None]] = deque()
        for numbers, images in _ahead(reader, load, batches):
            for number, maps in zip(numbers, stream.predict(numbers, images), strict=True):
                written.append(writer.submit(stream.save_tile, number, maps))
            while len(written) > BEHIND:
                written.popleft().result()
            done += len(numbers)
            report(done, total)
        for future in written:
            future.result()


def _ahead(pool: ThreadPoolExecutor, load: Callable[[Any], T], items: Iterable[Any]) -> Iterator[T]:
    """Results of a function in order, computed in another thread before they are needed."""
    waiting = iter(items)
    futures = deque(pool.submit(load, item) for item in islice(waiting, AHEAD))
    while futures:
        result = futures.popleft().result()
        futures.extend(pool.submit(load, item) for item in islice(waiting, 1))
        yield result


def _cover(index: np.ndarray) -> slice:
    return slice(int(index.min()), int(index.max()) + 1)


def _is_continued(index: np.ndarray) -> bool:
    return bool((np.diff(index) != 1).any())
