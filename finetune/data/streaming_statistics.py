"""Statistics for normalization of an image that is read block by block: those of the image in memory.

Percentiles are exact. Values of 8 and 16 bits are counted in one pass. Other values are compared as float32:
the first pass counts the upper 16 bits of each value, the second pass the lower 16 bits of the few groups
that hold a percentile. The memory does not depend on the size of the image. Mean and standard deviation
come from sums in float64, and differ from those of the image in memory in the last digits at most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from cards.errors import DataError
from finetune.data.channels import Channels, select_channels
from finetune.data.normalization import Normalize, Percentile, ZeroMeanUnitVariance
from finetune.data.windows import Windows

Blocks = Callable[[], Iterator[np.ndarray]]
"""Reads the blocks of an image, (C, h, w) of any numeric dtype, from the first one on at every call."""

ROWS, COLUMNS = 1024, 16384  # height and width in pixels of the parts that are read at once
HALF = 16  # bits that one pass counts


def measure(normalize: Normalize, blocks: Blocks) -> np.ndarray:
    """Compute the statistics by which a normalization scales an image.

    Args:
        normalize: the normalization.
        blocks: reads the image; blocks do not overlap.

    Returns:
        (2, C) float64: both percentiles, or mean and standard deviation; (2, 0) if the normalization needs
        none.

    Raises:
        DataError: if pixels are NaN or infinite.
    """
    if isinstance(normalize, Percentile):
        return _percentiles(blocks, (normalize.low, normalize.high))
    if isinstance(normalize, ZeroMeanUnitVariance):
        return _mean_and_deviation(blocks)
    for block in blocks():
        _check_finite(block)
    return np.empty((2, 0))


def measure_windows(normalize: Normalize, windows: Windows, select: Channels) -> np.ndarray:
    """Compute the statistics by which a normalization scales an image that is read window by window.

    Args:
        normalize: the normalization.
        windows: the image.
        select: which channels are used.

    Returns:
        (2, C) float64, see `measure`.

    Raises:
        DataError: if the image cannot be read, or pixels are NaN or infinite.
    """
    _, height, width = windows.shape

    def blocks() -> Iterator[np.ndarray]:
        for top in range(0, height, ROWS):
            for left in range(0, width, COLUMNS):
                rows = slice(top, min(top + ROWS, height))
                columns = slice(left, min(left + COLUMNS, width))
                yield select_channels(windows.read(rows, columns), select)

    return measure(normalize, blocks)


def _percentiles(blocks: Blocks, percents: tuple[float, float]) -> np.ndarray:
    """Percentiles (2, C), interpolated linearly as `numpy.percentile` does for float32."""
    counts, small, pixels = _count_upper(blocks)
    ranks, fractions = [], []
    for percent in percents:
        position = (pixels - 1) * (np.float64(percent) / np.float32(100))
        ranks += [int(position), min(int(position) + 1, pixels - 1)]
        fractions.append(position - int(position))
    values = _values_at(blocks, counts, small, ranks)
    result = np.empty((2, len(counts)))
    for row, fraction in enumerate(fractions):
        below, above = values[2 * row], values[2 * row + 1]
        step = above - below
        result[row] = below + step * fraction if fraction < 0.5 else above - step * (1 - fraction)
    return result


def _count_upper(blocks: Blocks) -> tuple[np.ndarray, bool, int]:
    """Histogram (C, 65536) of small integers, or of the upper bits; which of both; pixels per channel."""
    counts, small, pixels = np.zeros((0, 0), np.int64), False, 0
    for block in blocks():
        if not counts.size:
            counts, small = np.zeros((len(block), 1 << HALF), np.int64), _is_small(block)
        _check_finite(block)
        pixels += block[0].size
        for channel, values in enumerate(block):
            keys = values.ravel() if small else _keys(values) >> HALF
            counts[channel] += np.bincount(keys, minlength=1 << HALF)
    return counts, small, pixels


def _values_at(blocks: Blocks, counts: np.ndarray, small: bool, ranks: list[int]) -> np.ndarray:
    """Values (ranks, C) float32 at ranks of the sorted pixels."""
    ends = counts.cumsum(axis=1)
    groups = np.array([[np.searchsorted(end, rank, side="right") for end in ends] for rank in ranks])
    if small:
        return groups.astype(np.float32)
    lower = np.zeros((*groups.shape, 1 << HALF), np.int64)
    for block in blocks():
        for channel, values in enumerate(block):
            keys = _keys(values)
            upper = keys >> HALF
            for group in set(groups[:, channel].tolist()):
                found = np.bincount(keys[upper == group] & ((1 << HALF) - 1), minlength=1 << HALF)
                lower[groups[:, channel] == group, channel] += found
    result = np.empty(groups.shape, np.uint32)
    for row, rank in enumerate(ranks):
        for channel, group in enumerate(groups[row]):
            before = int(ends[channel, group] - counts[channel, group])
            digit = np.searchsorted(lower[row, channel].cumsum(), rank - before, side="right")
            result[row, channel] = (int(group) << HALF) | int(digit)
    return _from_keys(result)


def _keys(values: np.ndarray) -> np.ndarray:
    """Unsigned integers in the same order as the float32 values."""
    bits = np.ascontiguousarray(values, np.float32).ravel().view(np.uint32)
    return np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))


def _from_keys(keys: np.ndarray) -> np.ndarray:
    bits = np.where(keys >> 31, keys & np.uint32((1 << 31) - 1), ~keys)
    return bits.astype(np.uint32).view(np.float32)


def _mean_and_deviation(blocks: Blocks) -> np.ndarray:
    """Mean and population standard deviation (2, C), in two passes."""
    mean, pixels = _sums(blocks, None)
    mean /= pixels
    squares, _ = _sums(blocks, mean)
    return np.stack([mean, np.sqrt(squares / pixels)])


def _sums(blocks: Blocks, mean: np.ndarray | None) -> tuple[np.ndarray, int]:
    """Sums per channel of values, or of squared differences from the mean; pixels per channel."""
    total, pixels = np.zeros(0), 0
    for block in blocks():
        _check_finite(block)
        values = block.astype(np.float32).astype(np.float64)
        if mean is not None:
            values = np.square(values - mean[:, None, None])
        sums = values.sum(axis=(1, 2))
        total = total + sums if total.size else sums
        pixels += block[0].size
    return total, pixels


def _is_small(block: np.ndarray) -> bool:
    return block.dtype in (np.uint8, np.uint16, np.bool_)


def _check_finite(block: np.ndarray) -> None:
    if block.dtype.kind == "f" and not np.isfinite(block).all():
        raise DataError("the image has pixels that are NaN or infinite: replace them and save it again")
