import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.segmentation import relabel_sequential

from finetune.data.images import read_labels
from finetune.data.tile_labels import number_instances, renumber_tile, take_labels


def put_together(labels: np.ndarray, rows: list[int], columns: list[int]) -> np.ndarray:
    """Cut a label image, number the instances of each tile from 1, and join the tiles again."""
    grid = [np.hsplit(band, columns) for band in np.vsplit(labels, rows)]
    tiles = {
        (y, x): relabel_sequential(tile)[0].astype(np.int32)
        for y, band in enumerate(grid)
        for x, tile in enumerate(band)
    }
    known = {place: take_labels(tile) for place, tile in tiles.items()}
    numbers = number_instances(known)
    new = {place: renumber_tile(tile, known[place].values, numbers[place]) for place, tile in tiles.items()}
    return np.block([[new[y, x] for x in range(len(columns) + 1)] for y in range(len(rows) + 1)])


def same_instances(one: np.ndarray, two: np.ndarray) -> bool:
    pairs = np.unique(np.stack([one.ravel(), two.ravel()]), axis=1)
    return len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]


@given(st.integers(0, 1000), st.integers(1, 63), st.integers(1, 63))
@settings(max_examples=30)
def test_divided_instances_become_whole_again(seed: int, row: int, column: int) -> None:
    rng, labels = np.random.default_rng(seed), np.zeros((64, 64), np.int32)
    y, x = np.mgrid[:64, :64]
    for number in range(1, 13):
        distance, radius = np.hypot(y - rng.uniform(0, 64), x - rng.uniform(0, 64)), rng.uniform(2, 9)
        if not labels[distance < radius + 2].any():
            labels[distance < radius] = number
    joined = put_together(labels, [row], [column])
    assert same_instances(joined, labels)
    assert sorted(np.unique(joined)) == list(range(joined.max() + 1))


def test_neighbors_that_touch_at_a_seam_stay_two() -> None:
    labels = np.zeros((20, 20), np.int32)
    labels[2:12, 3:10] = 1
    labels[9:19, 10:16] = 2  # in contact along 3 of 10 pixels
    joined = put_together(labels, [], [10])
    assert same_instances(joined, labels)


def test_a_grid_without_instances() -> None:
    assert not put_together(np.zeros((8, 8), np.int32), [4], [4]).any()


@pytest.mark.slow
def test_nuclei_that_a_seam_divides_become_whole_again() -> None:
    root = os.environ.get("FINETUNE_DSB2018")
    if not root:
        pytest.skip("FINETUNE_DSB2018: folder with train/")
    divided = whole = 0
    for path in sorted(Path(root, "train", "masks").glob("*.tif"))[::2]:
        labels = read_labels(path)
        row, column = labels.shape[0] // 2, labels.shape[1] // 2
        joined = put_together(labels, [row], [column])
        across = set(labels[row - 1]) & set(labels[row]) | set(labels[:, column - 1]) & set(labels[:, column])
        for number in across - {0}:
            found = np.unique(joined[labels == number])
            divided += 1
            whole += len(found) == 1 and len(np.unique(labels[joined == found[0]])) == 1
    assert divided > 1000 and whole / divided > 0.99
