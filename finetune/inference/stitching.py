"""Instances of an image that is decoded block by block: each is decided by one block.

Three rules, by the attribute `stitching` of the target:

- "pixels": a label depends on its own pixel only. Blocks are decoded side by side.
- "components": instances are the 4-connected components of the labeled pixels. Components of neighboring
  blocks that touch are joined.
- "instances", for all other targets: a block is decoded with a margin, and keeps the instances whose first
  pixel in reading order lies in the block itself, similar to StarDist (`stardist.big`, Weigert et al. 2020,
  https://arxiv.org/abs/1908.03636). If one of them touches the end of the margin, the margin is doubled.

An instance that lies within the margin of its block, and is not influenced by pixels beyond, is that of the
whole image. Instances are numbered by their first pixel in reading order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from finetune.data.labels import convert
from finetune.inference.tiling import Span

BLOCK = 2048  # height and width of a block in pixels
MARGIN = 128  # pixels around a block that are decoded with it
LARGEST_WINDOW = 1 << 28  # values of the maps of a block with its margin; 1 GiB

ReadMaps = Callable[[slice, slice], np.ndarray]
"""Rows and columns of the image -> maps (K, h, w) float32."""


@dataclass(frozen=True)
class Block:
    """A block of the image.

    Attributes:
        rows: first row and end.
        columns: first column and end.
    """

    rows: Span
    columns: Span


@dataclass(frozen=True)
class DecodedBlock:
    """Labels of a block, and the pixels of its instances that lie in other blocks.

    Attributes:
        labels: (h, w) int32, instances numbered from 1 within the block.
        first: (n,) int64, index in the flat image of the first pixel of each instance.
        beyond: (m,) int64, indices in the flat image of pixels in other blocks.
        beyond_labels: (m,) int32, their instances.
    """

    labels: np.ndarray
    first: np.ndarray
    beyond: np.ndarray
    beyond_labels: np.ndarray

    def save(self, path: Path) -> None:
        """Write the block to a file.

        Args:
            path: the file, a NumPy archive.
        """
        with path.open("wb") as file:
            np.savez(
                file,
                labels=self.labels,
                first=self.first,
                beyond=self.beyond,
                beyond_labels=self.beyond_labels,
            )

    @classmethod
    def load(cls, path: Path) -> DecodedBlock:
        """Read a block from a file.

        Args:
            path: the file.

        Returns:
            The block.
        """
        with np.load(path) as arrays:
            return cls(**{name: arrays[name] for name in arrays.files})


def blocks_of(height: int, width: int, side: int = BLOCK) -> list[list[Block]]:
    """Divide an image into blocks.

    Args:
        height: of the image in pixels.
        width: of the image in pixels.
        side: height and width of a block in pixels; those at the lower right are smaller.

    Returns:
        Rows of blocks.
    """
    rows, columns = (
        [(start, min(start + side, length)) for start in range(0, length, side)] for length in (height, width)
    )
    return [[Block(row, column) for column in columns] for row in rows]


def decode_block(
    target: Any, read: ReadMaps, block: Block, shape: tuple[int, int], margin: int = MARGIN
) -> DecodedBlock:
    """Decode the instances for which a block is responsible; see above.

    Args:
        target: its `decode` and, if it has one, its `stitching`.
        read: reads the maps of a part of the image.
        block: the block.
        shape: height and width of the image in pixels.
        margin: pixels around the block that are decoded with it at first.

    Returns:
        The labels of the block.
    """
    if getattr(target, "stitching", "instances") != "instances":
        labels = target.decode(read(slice(*block.rows), slice(*block.columns)))
        first = _first_pixels(labels, block.rows[0], block.columns[0], shape[1])
        nothing = np.empty(0, np.int64)
        return DecodedBlock(labels, first, nothing, nothing.astype(np.int32))
    while True:
        rows, columns = (
            (max(start - margin, 0), min(end + margin, length))
            for (start, end), length in zip((block.rows, block.columns), shape, strict=True)
        )
        maps = read(slice(*rows), slice(*columns))
        labels = _decode(target, maps, (rows[0], columns[0]), shape)
        first = _first_pixels(labels, rows[0], columns[0], shape[1])
        y, x = np.divmod(first, shape[1])
        own = (y >= block.rows[0]) & (y < block.rows[1]) & (x >= block.columns[0]) & (x < block.columns[1])
        whole = rows == (0, shape[0]) and columns == (0, shape[1])
        if whole or not own[_at_ends(labels, rows, columns, shape) - 1].any():
            break
        margin *= 2
        sides = (end - start + 2 * margin for start, end in (block.rows, block.columns))
        if len(maps) * prod(sides) > LARGEST_WINDOW:
            break
    return _owned(labels, first, own, block, rows, columns, shape[1])


def enclosed_regions(decoded: DecodedBlock, block: Block, width: int) -> DecodedBlock:
    """The regions that a boundary encloses, as far as they lie in a block.

    Args:
        decoded: labels of the block, not 0 on the boundary.
        block: the block.
        width: of the image in pixels.

    Returns:
        The regions; where they touch those of neighboring blocks, they are joined ("components").
    """
    labels = convert(decoded.labels, "boundary", "instances")
    first = _first_pixels(labels, block.rows[0], block.columns[0], width)
    return replace(decoded, labels=labels, first=first)


def _decode(target: Any, maps: np.ndarray, origin: tuple[int, int], shape: tuple[int, int]) -> np.ndarray:
    """Labels of a window; by `decode_window` for a target whose result depends on the place in the image."""
    if not hasattr(target, "decode_window"):
        return np.asarray(target.decode(maps))
    return np.asarray(target.decode_window(maps, origin, shape))


def _owned(
    labels: np.ndarray,
    first: np.ndarray,
    own: np.ndarray,
    block: Block,
    rows: Span,
    columns: Span,
    width: int,
) -> DecodedBlock:
    """The instances of a window that belong to the block, numbered anew."""
    numbers = np.concatenate([[0], np.cumsum(own) * own]).astype(np.int32)
    labels = numbers[labels]
    inner = (
        slice(block.rows[0] - rows[0], block.rows[1] - rows[0]),
        slice(block.columns[0] - columns[0], block.columns[1] - columns[0]),
    )
    core = labels[inner].copy()
    labels[inner] = 0
    y, x = np.nonzero(labels)
    beyond = (y + rows[0]).astype(np.int64) * width + x + columns[0]
    return DecodedBlock(core, first[own], beyond, labels[y, x])


def _first_pixels(labels: np.ndarray, top: int, left: int, width: int) -> np.ndarray:
    """Index in the flat image of the first pixel of each label 1, 2, …; −1 for a label without pixels."""
    flat = labels.ravel()
    where = np.flatnonzero(flat)
    first = np.full(int(labels.max(initial=0)), -1, np.int64)
    first[flat[where[::-1]] - 1] = where[::-1]  # the last assignment to a label counts
    y, x = np.divmod(first, labels.shape[1])
    return np.where(first < 0, -1, (y + top) * width + x + left)


def _at_ends(labels: np.ndarray, rows: Span, columns: Span, shape: tuple[int, int]) -> np.ndarray:
    """Labels at the ends of a window that are no ends of the image."""
    ends = [
        labels[0] if rows[0] > 0 else None,
        labels[-1] if rows[1] < shape[0] else None,
        labels[:, 0] if columns[0] > 0 else None,
        labels[:, -1] if columns[1] < shape[1] else None,
    ]
    found = np.unique(np.concatenate([np.zeros(1, labels.dtype), *(end for end in ends if end is not None)]))
    return found[found > 0]
