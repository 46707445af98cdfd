"""Parts of a large label image in which instances are complete, for outputs that describe each instance."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

import numpy as np

from cards.canvas import outline
from finetune.data.annotations.tracing import Polygon, trace
from finetune.inference.label_bands import LabelBands

ROWS = 512  # rows that are read at a time


class LabelPart(NamedTuple):
    """A part of a label image, of its whole width.

    Attributes:
        top: first row in the image.
        labels: (h, W) int32, instances numbered from 1; 0 also where an instance of another part lies.
        offset: number by which each label is larger in the image.
    """

    top: int
    labels: np.ndarray
    offset: int


def complete_parts(bands: LabelBands, step: int = ROWS) -> Iterator[LabelPart]:
    """Divide a label image so that each instance lies in one part, as a whole.

    An instance is kept in memory with all rows that it spans.

    Args:
        bands: the label image; instances are numbered by their first pixel in reading order.
        step: rows that are added at a time.

    Yields:
        Parts, from top to bottom; instances in ascending order.
    """
    last, top, done = _last_rows(bands), 0, 0
    rest = np.empty((0, bands.shape[1]), np.int32)
    for rows in _slices(bands, step):
        rest = np.concatenate([rest, rows])
        unfinished = np.flatnonzero(last[done + 1 :] >= top + len(rest))
        ready = done + int(unfinished[0]) if len(unfinished) else len(last) - 1
        if ready > done:
            inside = (rest > done) & (rest <= ready)
            yield LabelPart(top, np.where(inside, rest - done, 0), done)
            done = ready
        used = np.flatnonzero((rest > done).any(axis=1))
        free = int(used[0]) if len(used) else len(rest)
        rest, top = rest[free:], top + free


def trace_parts(bands: LabelBands) -> Iterator[tuple[int, list[Polygon]]]:
    """Trace the instances of a label image, as `finetune.data.annotations.tracing.trace` does in memory.

    Args:
        bands: the label image.

    Yields:
        Each label, in ascending order, and its parts.
    """
    for part in complete_parts(bands):
        shift = np.array([0, part.top])
        for label, polygons in trace(part.labels):
            shifted = [Polygon(one.outline + shift, [hole + shift for hole in one.holes]) for one in polygons]
            yield label + part.offset, shifted


def outlined_rows(bands: LabelBands, step: int = ROWS) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Rows of a label image with the outlines of its instances.

    Args:
        bands: the label image.
        step: rows that are read at a time.

    Yields:
        First row, labels (h, W) int32, and their outlines (h, W) bool, from top to bottom.
    """
    top, above, waiting = 0, np.empty((0, bands.shape[1]), np.int32), None
    for rows in chain(_slices(bands, step), [None]):
        if waiting is not None:
            below = waiting[:0] if rows is None else rows[:1]
            edge = outline(np.concatenate([above, waiting, below]), 1)
            yield top, waiting, edge[len(above) : len(above) + len(waiting)]
            top, above = top + len(waiting), waiting[-1:]
        waiting = rows


def instance_areas(bands: LabelBands) -> np.ndarray:
    """Areas of the instances of a label image.

    Args:
        bands: the label image.

    Returns:
        (instances,) int64, pixels by label, the first is that of label 1.
    """
    areas = np.zeros(bands.instances + 1, np.int64)
    for rows in _slices(bands):
        areas += np.bincount(rows.ravel(), minlength=len(areas))
    return areas[1:]


def _last_rows(bands: LabelBands) -> np.ndarray:
    """Last row of each label (n + 1,)."""
    last, top = np.zeros(bands.instances + 1, np.int64), 0
    for rows in _slices(bands):
        last[rows.ravel()] = np.repeat(np.arange(top, top + len(rows)), rows.shape[1])  # the last one counts
        top += len(rows)
    return last


def _slices(bands: LabelBands, step: int = ROWS) -> Iterator[np.ndarray]:
    for band in bands:
        for start in range(0, len(band), step):
            yield band[start : start + step].astype(np.int32)
