"""Instances of adjacent tiles, numbered as those of the whole: one that a seam divides gets one number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from finetune.data.fields import fields

CONTACT = 0.5
"""Fraction of the shorter border of two instances along a seam that must be in contact to make them one. The
outlines of two instances that touch usually cross the seam, so only a few pixels of either are in contact."""

Place = tuple[int, int]


class TileLabels(NamedTuple):
    """What is kept of the label image of a tile.

    Attributes:
        values: its labels without 0, ascending.
        left: (H,) labels along the left border.
        right: (H,) labels along the right border.
        top: (W,) labels along the upper border.
        bottom: (W,) labels along the lower border.
    """

    values: np.ndarray
    left: np.ndarray
    right: np.ndarray
    top: np.ndarray
    bottom: np.ndarray


def take_labels(labels: np.ndarray) -> TileLabels:
    """Keep the labels of a tile and those along its borders.

    Args:
        labels: (H, W) int32, 0 is background.

    Returns:
        Copies.
    """
    values = np.unique(labels)
    borders = (labels[:, 0], labels[:, -1], labels[0], labels[-1])
    return TileLabels(values[values > 0], *(border.copy() for border in borders))


def number_instances(tiles: Mapping[Place, TileLabels]) -> dict[Place, np.ndarray]:
    """Number the instances of a grid of tiles.

    Args:
        tiles: by row and column.

    Returns:
        New labels of each tile, in the order of its `values`, int32 from 1.
    """
    starts, total = {}, 0
    for place, tile in tiles.items():
        starts[place], total = total, total + len(tile.values)
    links: list[tuple[int, int]] = []
    for (row, column), tile in tiles.items():
        for other, one, two in (((row, column + 1), "right", "left"), ((row + 1, column), "bottom", "top")):
            if other in tiles:
                joined = _joined(getattr(tile, one), getattr(tiles[other], two))
                first = starts[row, column] + np.searchsorted(tile.values, joined[:, 0])
                second = starts[other] + np.searchsorted(tiles[other].values, joined[:, 1])
                links += zip(first.tolist(), second.tolist(), strict=True)
    numbers = np.array(fields(total, links), np.int32) + 1
    return {place: numbers[start : start + len(tiles[place].values)] for place, start in starts.items()}


def renumber_tile(labels: np.ndarray, values: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Replace the labels of a tile.

    Args:
        labels: (H, W) int32, 0 is background.
        values: its labels without 0, ascending.
        numbers: their new numbers.

    Returns:
        (H, W) int32.
    """
    return np.concatenate([[0], numbers]).astype(np.int32)[np.searchsorted(values, labels, "right")]


def _joined(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Pairs of labels (n, 2) on both sides of a seam that belong to the same instance."""
    both = (one > 0) & (two > 0)
    pairs, contact = np.unique(np.stack([one[both], two[both]], 1), axis=0, return_counts=True)
    shorter = [
        min(np.count_nonzero(one == first), np.count_nonzero(two == second)) for first, second in pairs
    ]
    return pairs[contact >= CONTACT * np.array(shorter)]
