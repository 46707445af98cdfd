"""The label image of decoded blocks: instances joined and numbered, read band by band."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np

from finetune.inference.stitching import Block, DecodedBlock, enclosed_regions
from finetune.utils.distinct_rows import distinct_rows

Load = Callable[[int], DecodedBlock]
"""Number of a block, row by row -> its labels."""


class LabelBands:
    """A label image that is read in bands of the height of a block.

    Attributes:
        shape: height and width in pixels.
        instances: number of instances, or the largest label where labels are not numbered.
    """

    def __init__(self, blocks: Sequence[Sequence[Block]], load: Load, stitching: str) -> None:
        """Join and number the instances of all blocks.

        Args:
            blocks: rows of blocks, as `finetune.inference.stitching.blocks_of` returns them.
            load: reads a decoded block.
            stitching: rule of the target; see `finetune.inference.stitching`.
        """
        self._blocks, self._load = blocks, lru_cache(maxsize=2)(load)
        self.shape = (blocks[-1][-1].rows[1], blocks[-1][-1].columns[1])
        self._numbers: list[np.ndarray] = []
        self._beyond: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
        if stitching == "pixels":
            largest = [int(load(index).labels.max(initial=0)) for index in range(self._count)]
            self.instances = max(largest)
            self._numbers = [np.arange(self.instances + 1, dtype=np.int32)] * self._count
        else:
            self._number(stitching == "components")

    @property
    def dtype(self) -> str:
        """uint16; int32 with more than 65,535 instances."""
        return "uint16" if self.instances < 2**16 else "int32"

    def __iter__(self) -> Iterator[np.ndarray]:
        """Bands (h, W) of the label image, from top to bottom; all but the last have the same height."""
        for row, blocks in enumerate(self._blocks):
            band = np.zeros((blocks[0].rows[1] - blocks[0].rows[0], self.shape[1]), self.dtype)
            for column, block in enumerate(blocks):
                index = row * len(blocks) + column
                band[:, slice(*block.columns)] = self._numbers[index][self._load(index).labels]
            flat, start = band.reshape(-1), blocks[0].rows[0] * self.shape[1]
            for positions, labels in self._beyond.get(row, ()):
                free = flat[positions - start] == 0
                flat[positions[free] - start] = labels[free]
            yield band

    def enclosed_regions(self) -> LabelBands:
        """The regions that a boundary encloses.

        Returns:
            The label image of the regions, if this one is not 0 on a boundary.
        """
        columns = len(self._blocks[0])

        def load(index: int) -> DecodedBlock:
            block = self._blocks[index // columns][index % columns]
            return enclosed_regions(self._load(index), block, self.shape[1])

        return LabelBands(self._blocks, load, "components")

    @property
    def _count(self) -> int:
        return sum(map(len, self._blocks))

    def _number(self, join: bool) -> None:
        first, sizes = [], []
        pairs: list[np.ndarray] = []
        above: list[np.ndarray] = []
        left = np.empty(0, np.int64)
        offset, columns = 0, len(self._blocks[0])
        ends: list[tuple[int, np.ndarray, np.ndarray]] = []
        for index in range(self._count):
            decoded = self._load(index)
            numbered = np.where(decoded.labels > 0, decoded.labels + np.int64(offset), 0) if join else None
            if numbered is not None:
                if index % columns:
                    pairs.append(_touching(left, numbered[:, 0]))
                if index >= columns:
                    pairs.append(_touching(above[index - columns], numbered[0]))
                left = numbered[:, -1]
                above.append(numbered[-1].copy())
                if index >= columns:
                    above[index - columns] = np.empty(0, np.int64)
            if len(decoded.beyond):
                ends.append((offset, decoded.beyond, decoded.beyond_labels))
            first.append(decoded.first)
            sizes.append(len(decoded.first))
            offset += len(decoded.first)
        ids = _ids(np.concatenate(first), np.concatenate([np.empty((0, 2), np.int64), *pairs]))
        self.instances = int(ids.max(initial=0))
        bounds = np.cumsum([0, *sizes])
        for start, end in zip(bounds[:-1], bounds[1:], strict=True):
            self._numbers.append(np.concatenate([np.zeros(1, np.int32), ids[start:end]]))
        side = self._blocks[0][0].rows[1]
        for start, positions, labels in ends:
            row = positions // self.shape[1] // side
            for found in np.unique(row):
                chosen = row == found
                part = (positions[chosen], ids[start + labels[chosen] - 1])
                self._beyond.setdefault(int(found), []).append(part)


def _touching(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pairs of instances (n, 2) on both sides of the border between two blocks."""
    both = (first > 0) & (second > 0)
    return distinct_rows(np.stack([first[both], second[both]], axis=1) - 1)[0]


def _ids(first: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Numbers of the instances, from 1, by their first pixel; instances of a pair are one."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(first)
    if not count:
        return np.empty(0, np.int32)
    graph = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    groups, group = connected_components(graph, directed=False) if len(pairs) else (count, np.arange(count))
    earliest = np.full(groups, np.iinfo(np.int64).max)
    np.minimum.at(earliest, group, first)
    rank = np.empty(groups, np.int32)
    rank[np.argsort(earliest, kind="stable")] = np.arange(1, groups + 1, dtype=np.int32)
    return rank[group]
