"""Fields of view: adjacent tiles, found by border lines that continue each other.

Many data sets consist of tiles that were cut from larger fields of view. A tile in the test split whose
neighbor is in the training split is not independent of it.

Two borders are reported as a seam if all of these hold:

1. The border lines correlate (Pearson, `CORRELATION`). Intensities are first replaced by their square root,
   which makes the noise of photon counting independent of brightness, and smoothed by one pixel.
2. No other border comes near: 1 - correlation is at most `SECOND_BEST` times that of the best alternative
   among borders that cannot be adjacent. This is the ratio test of Lowe, International Journal of Computer
   Vision 60, 91-110 (2004), section 7.1, with its ratio of distances of 0.8. A line through dark background,
   which fits many others, is therefore never reported.
3. The step across the seam is at most `STEP` times the step between neighboring lines within the tiles
   (mean square over the line, and median over its parts). Two tiles with different background fail here.
4. Each of the two borders is the best match of the other.

Borders that cannot be adjacent are left and left, left and top, ..., and any border read backwards. They are
the alternatives in 2. They are also a control: `find_seams(..., control=...)` reports those that pass all
tests. The value of `SECOND_BEST` is from the publication and that of `STEP` states what a seam is.
`CORRELATION` was chosen on this control alone, without regard to the accuracy of any model: at 0.9, no pair
of borders of DSB 2018 that do not face each other passes, at 0.8 one does. Of the borders read backwards,
one pair passes at any value: each holds one bright spot in a corner. The tiles of MDCK ZO-1 were not used to
choose the value; their file names tell which are adjacent. All 310 seams are found there, and no others.

Limits: tiles whose contrast was stretched one by one, tiles that overlap (see `near_duplicates`), tiles with
a gap between them, and tiles whose common borders differ in length are not found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from scipy import ndimage

CORRELATION = 0.9
SECOND_BEST = 0.64  # 0.8², because 1 - correlation is proportional to a squared distance
STEP = 2.0
FLOOR = 0.1  # of the mean step of a line: the least step that is expected where an image is constant

LONGEST = 1024  # values that are kept of a border; a longer border is averaged
WIDTH = 4  # standard deviation in pixels of the window in which steps are compared
BLOCK = 1024  # borders that are compared with all others at a time
SHORTEST = 32  # pixels of a border; a shorter one holds too little
TINY = 1e-12  # keeps a division defined where an image is constant

Edge = Literal["left", "right", "top", "bottom"]
EDGES: tuple[Edge, ...] = ("left", "right", "top", "bottom")
Control = Literal["not facing", "backwards"]


class Borders(NamedTuple):
    """The border lines of an image, from left to right or from top to bottom.

    Attributes:
        outer: the outermost line of each of `EDGES`, (C, n) float32.
        inner: the line beside it.
    """

    outer: tuple[np.ndarray, ...]
    inner: tuple[np.ndarray, ...]


class Seam(NamedTuple):
    """Two adjacent tiles.

    Attributes:
        first: index of the left or upper tile.
        edge_of_first: "right" or "bottom", unless it is a control.
        second: index of the right or lower tile.
        edge_of_second: "left" or "top", unless it is a control.
        correlation: of the border lines.
    """

    first: int
    edge_of_first: Edge
    second: int
    edge_of_second: Edge
    correlation: float


def read_borders(image: np.ndarray) -> Borders:
    """Take the border lines of an image.

    Args:
        image: (C, H, W).

    Returns:
        Copies of the lines; at most `LONGEST` values of each.
    """
    lines = [
        (image[:, :, 0], image[:, :, 1 % image.shape[2]]),
        (image[:, :, -1], image[:, :, -2 % image.shape[2]]),
        (image[:, 0], image[:, 1 % image.shape[1]]),
        (image[:, -1], image[:, -2 % image.shape[1]]),
    ]
    outer, inner = zip(*[(_shorten(outer), _shorten(inner)) for outer, inner in lines], strict=True)
    return Borders(outer, inner)


def find_seams(borders: Sequence[Borders], *, control: Control | None = None) -> list[Seam]:
    """Find pairs of adjacent tiles.

    Args:
        borders: the border lines of each image.
        control: search among pairs that cannot be adjacent instead, so that every seam found is false:
            "not facing" (left and left, left and top, ...) or "backwards" (any two, one of them reversed).

    Returns:
        Seams by decreasing correlation.
    """
    groups: dict[tuple[int, ...], list[tuple[int, int]]] = defaultdict(list)
    for index, one in enumerate(borders):
        for edge, line in enumerate(one.outer):
            if line.shape[1] >= SHORTEST:
                groups[line.shape].append((index, edge))
    seams = []
    for members in groups.values():
        group = _Group(borders, members)
        seams += group.seams(control)
    return sorted(seams, key=lambda seam: -seam.correlation)


def border_correlation(first: Borders, second: Borders, *, beside: bool) -> float:
    """Correlate the border lines of two tiles across their seam, as `find_seams` does.

    Args:
        first: of the left or upper tile.
        second: of the right or lower tile.
        beside: whether the tiles are side by side, not one above the other.

    Returns:
        Pearson correlation; 0 if a line is constant.
    """
    edges: tuple[Edge, Edge] = ("right", "left") if beside else ("bottom", "top")
    lines = [one.outer[EDGES.index(edge)] for one, edge in zip((first, second), edges, strict=True)]
    one, two = _comparable(np.stack(lines))
    return float((one * two).sum())


def fields(count: int, links: Sequence[tuple[int, int]]) -> list[int]:
    """Join images that are linked, directly or through others.

    Args:
        count: number of images.
        links: pairs of indices, such as those of seams.

    Returns:
        Number of the field of each image, from 0 in the order of first appearance.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not links:
        return list(range(count))
    rows, columns = zip(*links, strict=True)
    graph = coo_array((np.ones(len(links), bool), (rows, columns)), shape=(count, count))
    labels = connected_components(graph, directed=False)[1]
    _, numbers = np.unique(labels, return_index=True)
    rank = np.argsort(np.argsort(numbers))
    return [int(rank[label]) for label in labels]


def _shorten(line: np.ndarray) -> np.ndarray:
    """Average neighboring values of a line (C, n) until at most `LONGEST` are left."""
    step = -(-line.shape[1] // LONGEST)
    used = line.shape[1] // step * step
    values = line[:, :used].reshape(len(line), -1, step).mean(axis=2, dtype=np.float32)
    return np.ascontiguousarray(values)


class _Group:
    """Borders of equal length and number of channels, compared with each other."""

    def __init__(self, borders: Sequence[Borders], members: list[tuple[int, int]]) -> None:
        self.image = np.array([index for index, _ in members])
        self.edge = np.array([edge for _, edge in members])
        self.outer = np.stack([borders[index].outer[edge] for index, edge in members])
        steps = (self.outer - np.stack([borders[index].inner[edge] for index, edge in members])) ** 2
        self.step = steps.mean(axis=(1, 2))
        self.local = ndimage.gaussian_filter1d(steps, WIDTH, axis=2)
        self.lines = _comparable(self.outer)
        self.backwards = np.ascontiguousarray(self.lines[..., ::-1]).reshape(len(members), -1)
        self.lines = self.lines.reshape(len(members), -1)

    def seams(self, control: Control | None) -> list[Seam]:
        """Pairs that pass all tests; for a control, pairs that cannot be adjacent."""
        best, found = self._best(control)
        seams = []
        for i, j, correlation in found:
            if best.get(i, (-1, 0.0))[0] != j or best.get(j, (-1, 0.0))[0] != i:
                continue
            if self._continues(i, j, backwards=control == "backwards"):
                first, second = int(self.image[i]), int(self.image[j])
                edges = EDGES[self.edge[i]], EDGES[self.edge[j]]
                seams.append(Seam(first, edges[0], second, edges[1], correlation))
        return seams

    def _best(
        self, control: Control | None
    ) -> tuple[dict[int, tuple[int, float]], list[tuple[int, int, float]]]:
        """Best candidate of each border, and the pairs that pass the tests of correlation and ratio."""
        limit = np.empty(len(self.image), np.float32)
        kept: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for start in range(0, len(self.image), BLOCK):
            rows = slice(start, start + BLOCK)
            forward, reverse = self.lines[rows] @ self.lines.T, self.lines[rows] @ self.backwards.T
            other = self.image[rows, None] != self.image
            facing = self._is_facing(self.edge[rows, None], self.edge)
            impossible = other & ~facing & ~self._is_facing(self.edge, self.edge[rows, None])
            allowed = {None: other & facing, "not facing": impossible, "backwards": other}[control]
            values = reverse if control == "backwards" else forward
            i, j = np.nonzero(allowed & (values >= CORRELATION))
            kept.append((i + start, j, values[i, j]))
            alternatives = [np.where(impossible, forward, -1), np.where(other, reverse, -1)]
            # In a control, a candidate is no alternative to itself: the second best is.
            place = 1 if control else 0
            limit[rows] = -np.partition(-np.concatenate(alternatives, axis=1), place, axis=1)[:, place]
        i, j, value = (np.concatenate(part) for part in zip(*kept, strict=True))
        near = 1 - value <= SECOND_BEST * (1 - np.maximum(limit[i], limit[j]))
        best: dict[int, tuple[int, float]] = {}
        found = []
        for one, two, correlation in zip(*(part[near].tolist() for part in (i, j, value)), strict=True):
            for here, there in ((one, two), (two, one)):
                if correlation > best.get(here, (-1, -1.0))[1]:
                    best[here] = (there, correlation)
            if control is None or one < two:
                found.append((one, two, correlation))
        return best, found

    @staticmethod
    def _is_facing(one: np.ndarray, two: np.ndarray) -> np.ndarray:
        """Whether the first edge is the right or lower one of a seam and the second edge the other."""
        right, left, bottom, top = (EDGES.index(edge) for edge in ("right", "left", "bottom", "top"))
        return ((one == right) & (two == left)) | ((one == bottom) & (two == top))

    def _continues(self, i: int, j: int, *, backwards: bool) -> bool:
        """Whether the step from one line to the other is like the steps within the tiles."""
        line, local = self.outer[j], self.local[j]
        if backwards:
            line, local = line[:, ::-1], local[:, ::-1]
        across = (self.outer[i] - line) ** 2
        step = (self.step[i] + self.step[j]) / 2
        if across.mean() > STEP * step:
            return False
        within = np.maximum((self.local[i] + local) / 2, FLOOR * step)
        return bool(
            np.median(ndimage.gaussian_filter1d(across, WIDTH, axis=1) / np.maximum(within, TINY)) <= STEP
        )


def _comparable(lines: np.ndarray) -> np.ndarray:
    """Lines (n, C, length) whose products are correlations; see test 1 above."""
    roots = np.sqrt(lines - lines.min())
    return _standardize(ndimage.gaussian_filter1d(roots, 1, axis=2))


def _standardize(lines: np.ndarray) -> np.ndarray:
    """Mean 0 for each channel, norm 1 over all channels; a constant line becomes zeros."""
    centered = lines - lines.mean(axis=2, keepdims=True)
    norm = np.linalg.norm(centered, axis=(1, 2), keepdims=True)
    return centered / np.maximum(norm, 1e-6)
