"""Statistics of a whole image for layers that need them, found in a few passes over its tiles.

The statistics of a layer depend on those of all layers before it: finding them one layer after the other
would take as many passes over the image as there are layers. Instead, windows that are spread over the image
pass through the network together, and their own statistics serve as the first estimate. A pass over all tiles
with an estimate shows how much the statistics of the image differ from those of the windows, layer by layer.
The next estimate is that of the windows, computed anew, plus these differences. This is a defect correction
(Stetter 1978, https://doi.org/10.1007/BF01432879), in which the windows approximate the image. Each pass
reduces the error by the factor by which windows and image differ, typically 10 to 100, so that 2 or 3 passes
are enough. If the windows show nothing of the image but background, it takes more, at most one for each
layer, after which the statistics are exact in any case.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from finetune.inference.shared_statistics import (
    Intercepted,
    Layer,
    Moments,
    Network,
    Statistics,
    window_moments,
)
from finetune.inference.tiling import Grid, Span, Tile

ONE_PIECE = 2  # an image with no more pixels than the square of this many tiles is measured in one piece
WINDOWS = 3  # windows along each axis; together, they have 9 / 4 of the pixels of a tile
PART = 1 / 2  # height and width of a window, as a part of those of a tile
TOLERANCE = 1e-5  # of the statistics, in standard deviations of their layer
TINY = 1e-12  # added to variances, which are 0 in an empty image

Read = Callable[[Tile], torch.Tensor]
"""Input of the network (C, h, w) for the window of a tile, on its device."""

Sums = list[list[list[float]]]
"""For each layer, the number of values, and for each group their sum and sum of squares."""

SumRows = Callable[[int, Statistics], list[Sums]]
"""Number of a pass and statistics in use -> sums over each row of tiles."""


def image_statistics(network: Network, grid: Grid, read: Read, sum_rows: SumRows | None = None) -> Statistics:
    """Find the statistics that the layers have in the whole image.

    Args:
        network: (N, C, H, W) float32 -> raw output, in evaluation mode.
        grid: tiles of the image, at least as large as the divisor.
        read: reads tiles.
        sum_rows: computes the sums of a pass, as by `sum_tiles` for each of `rows_of`, which is the default.

    Returns:
        The statistics; empty if the network has no layers that need them.
    """
    if grid.height * grid.width <= (ONE_PIECE * grid.tile) ** 2:
        return _measure_whole(network, grid, read)
    windows = sample_windows(grid.height, grid.width, grid.divisor, grid.tile)
    sample = torch.stack([read(Tile(window, window)) for window in windows])
    rows = rows_of(grid)
    own, used = _measure_windows(network, sample, None)
    before = 0.1  # a cautious guess: the first pass reduces the error by as much as the error is below this
    for number in range(len(used)):
        if sum_rows:
            sums = sum_rows(number, used)
        else:
            sums = [sum_tiles(network, grid, row, read, used) for row in rows]
        found = _moments(sums, used)
        error = _difference(used, found)
        own, used = _measure_windows(network, sample, _corrections(own, found))
        if error * min(error / before, 1.0) <= TOLERANCE:  # the expected error of the next estimate
            break
        before = error
    return used


@torch.no_grad()
def _measure_whole(network: Network, grid: Grid, read: Read) -> Statistics:
    """Statistics of the image in one piece, with its padding."""
    found: Statistics = []

    def use(number: int, layer: Layer) -> Moments:
        variance, mean = torch.var_mean(layer.values((slice(None), slice(None))), (0, 2), correction=0)
        found.append((mean, variance))
        return found[-1]

    window = (0, grid.padded(grid.height)), (0, grid.padded(grid.width))
    with Intercepted(use):
        network(read(Tile(window, window))[None])
    return found


def rows_of(grid: Grid) -> list[list[Tile]]:
    """Rows of the tiles of an image.

    Args:
        grid: the tiles.

    Returns:
        The tiles of each row.
    """
    tiles = list(grid)
    starts = sorted({tile.core[0][0] for tile in tiles})
    return [[tile for tile in tiles if tile.core[0][0] == start] for start in starts]


@torch.no_grad()
def sum_tiles(network: Network, grid: Grid, tiles: list[Tile], read: Read, used: Statistics) -> Sums:
    """Sums of the values of each layer over the kept parts of tiles, and over the padding of the image.

    Args:
        network: (N, C, H, W) float32 -> raw output, in evaluation mode.
        grid: all tiles of the image.
        tiles: some of them.
        read: reads tiles.
        used: statistics that the layers use.

    Returns:
        The sums.
    """
    totals = [np.zeros((3, len(mean))) for mean, _ in used]
    for tile in tiles:
        with Intercepted(partial(_add, totals, used, _parts(grid, tile))):
            try:
                network(read(tile)[None])
            except _LastLayerError:
                continue
    return [total.tolist() for total in totals]


class _LastLayerError(Exception):
    """What follows the last layer with statistics is not needed."""


def _add(
    totals: list[np.ndarray], used: Statistics, parts: list[tuple[int, int, int]], number: int, layer: Layer
) -> Moments:
    """Add the values of a layer in the kept part of a tile; it then uses the given statistics."""
    lengths = layer.input.shape[2:]
    inner = tuple(
        slice(start * length // whole, end * length // whole)
        for (start, end, whole), length in zip(parts, lengths, strict=True)
    )
    values = layer.values(inner)
    variance, mean = (
        moment.double().cpu().numpy() for moment in torch.var_mean(values, (0, 2), correction=0)
    )
    count = values.shape[0] * values.shape[2]
    totals[number] += np.stack([np.full(len(mean), count), count * mean, count * (variance + mean**2)])
    if number == len(used) - 1:
        raise _LastLayerError
    return used[number]


def _parts(grid: Grid, tile: Tile) -> list[tuple[int, int, int]]:
    """Start and end of the kept part within a tile, and the length of the tile, for both axes."""
    parts = []
    for (start, end), (first, last), length in zip(
        tile.window, tile.core, (grid.height, grid.width), strict=True
    ):
        last = end if last == length else last  # the padding belongs to the padded image
        parts.append((first - start, last - start, end - start))
    return parts


def _moments(rows: list[Sums], like: Statistics) -> Statistics:
    """Mean and variance of each layer from the sums over all rows."""
    found = []
    for layer, (given, _) in enumerate(like):
        count, total, squares = np.sum([row[layer] for row in rows], axis=0)
        mean = total / count
        variance = np.maximum(squares / count - mean**2, 0)
        on_device = partial(torch.tensor, dtype=torch.float32, device=given.device)
        found.append((on_device(mean), on_device(variance)))
    return found


def _corrections(own: Statistics, found: Statistics) -> Statistics:
    """Differences of the means in standard deviations, and ratios of the variances."""
    return [
        ((mean - base) / (spread + TINY).sqrt(), (variance + TINY) / (spread + TINY))
        for (base, spread), (mean, variance) in zip(own, found, strict=True)
    ]


@torch.no_grad()
def _measure_windows(
    network: Network, windows: torch.Tensor, corrections: Statistics | None
) -> tuple[Statistics, Statistics]:
    """Statistics of the windows, and those that the layers use: with corrections."""
    own: Statistics = []
    used: Statistics = []

    def use(number: int, layer: Layer) -> Moments:
        mean, variance = window_moments(layer)
        own.append((mean, variance))
        if corrections:
            shift, ratio = corrections[number]
            mean, variance = mean + shift * (variance + TINY).sqrt(), (variance + TINY) * ratio
        used.append((mean, variance))
        return used[-1]

    with Intercepted(use):
        network(windows)
    return own, used


def _difference(used: Statistics, found: Statistics) -> float:
    """The largest difference between two estimates, in standard deviations."""
    largest = 0.0
    for (mean, variance), (other, spread) in zip(used, found, strict=True):
        shift = (mean - other).abs() / (spread + TINY).sqrt()
        ratio = ((variance + TINY) / (spread + TINY)).log().abs() / 2
        largest = max(largest, float(shift.max()), float(ratio.max()))
    return largest


def sample_windows(height: int, width: int, divisor: int, tile: int) -> list[tuple[Span, Span]]:
    """Windows that are spread evenly over an image.

    Args:
        height: height of the image in pixels, at least `divisor`.
        width: its width.
        divisor: windows start at multiples of this; their height and width are multiples, too.
        tile: height and width of a tile in pixels.

    Returns:
        Rows and columns of each window, each as start and end; all windows have the same size.
    """
    side = math.ceil(PART * tile / divisor) * divisor
    rows, columns = (
        _spread(length, min(side, length // divisor * divisor), divisor) for length in (height, width)
    )
    return [(row, column) for row in rows for column in columns]


def _spread(length: int, side: int, divisor: int) -> list[Span]:
    count = min(WINDOWS, -(-length // side))
    starts = (np.arange(count) + 0.5) * length / count - side / 2  # in the middle of equal parts of the image
    starts = starts.clip(0, length - side).astype(int) // divisor * divisor
    return [(int(start), int(start) + side) for start in starts]
