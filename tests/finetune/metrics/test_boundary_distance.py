from __future__ import annotations

import numpy as np
import pytest

from finetune.metrics.boundary_distance import boundary_distance


def line(row: int) -> np.ndarray:
    image = np.zeros((20, 10), bool)
    image[row] = True
    return image


def test_parallel_lines_are_as_far_apart_as_their_rows() -> None:
    result = boundary_distance(line(3), line(8))
    assert result is not None
    assert (result.mean, result.percentile_95) == (5, 5)


def test_one_stray_pixel_counts_in_the_mean_of_both_directions() -> None:
    stray = line(3)
    stray[13, 0] = True
    result = boundary_distance(stray, line(3))
    assert result is not None
    assert result.mean == pytest.approx(10 / (11 + 10))
    assert result.percentile_95 == pytest.approx(np.percentile([0] * 10 + [10], 95))


def test_both_directions_count() -> None:
    wide, short = line(3), np.zeros((20, 10), bool)
    short[3, :2] = True
    forth, back = boundary_distance(short, wide), boundary_distance(wide, short)
    assert forth == back
    assert forth is not None and forth.percentile_95 > 0


def test_an_image_without_a_boundary() -> None:
    empty = np.zeros((20, 10), bool)
    both = boundary_distance(empty, empty)
    assert both is not None and both.mean == 0
    assert boundary_distance(line(3), empty) is None
    assert boundary_distance(empty, line(3)) is None


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        boundary_distance(line(3), line(3)[1:])
