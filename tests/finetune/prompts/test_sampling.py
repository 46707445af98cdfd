"""Prompt sampling: points inside instances, boxes around them, corrections in errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sam2.modeling.sam2_utils import get_next_point, sample_box_points

from finetune.networks.prompt_labels import NEGATIVE, NONE, POSITIVE
from finetune.prompts.sampling import box, correction, point


def rectangle(rows: slice, columns: slice, shape: tuple[int, int] = (40, 60)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[rows, columns] = True
    return mask


def ring() -> np.ndarray:
    """Its middle is not of it."""
    y, x = np.mgrid[:41, :41]
    distance = np.hypot(y - 20, x - 20)
    return (distance < 18) & (distance > 8)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("source", [None, rng()])
def test_a_point_lies_in_its_instance(source: np.random.Generator | None) -> None:
    mask = ring()
    for _ in range(50):
        x, y, label = point(mask, source)
        assert mask[int(y), int(x)]
        assert label == POSITIVE


def test_every_pixel_of_an_instance_is_as_likely() -> None:
    mask = rectangle(slice(3, 5), slice(10, 15))
    source = rng()
    drawn = [point(mask, source)[:2] for _ in range(5000)]
    _, counts = np.unique(drawn, axis=0, return_counts=True)
    assert len(counts) == mask.sum()
    assert counts.min() > 400 and counts.max() < 600  # 500 each; 5 standard deviations are 106


def test_without_chance_the_point_is_the_innermost() -> None:
    mask = rectangle(slice(0, 9), slice(20, 31))
    mask[4, 31:50] = True  # a thin tail does not draw it away
    x, y, _ = point(mask)
    assert y == 4 and 24 <= x <= 26
    theirs, _ = get_next_point(torch.from_numpy(mask)[None, None], None, "center")
    assert [x, y] == theirs[0, 0].tolist()


def test_an_exact_box_is_the_smallest_around() -> None:
    mask = rectangle(slice(5, 12), slice(20, 50))
    assert box(mask).tolist() == [20, 5, 49, 11]
    theirs, _ = sample_box_points(torch.from_numpy(mask)[None, None], noise=0.0)
    assert box(mask).tolist() == theirs.flatten().tolist()


def test_a_drawn_box_strays_by_a_tenth_of_its_side_and_stays_in_the_image() -> None:
    mask, source = rectangle(slice(5, 16), slice(20, 41)), rng()
    boxes = np.array([box(mask, source) for _ in range(500)])
    off = np.abs(boxes - box(mask)).max(axis=0)
    assert (off <= [2, 1, 2, 1]).all() and (off > [1.9, 0.95, 1.9, 0.95]).all()
    whole = np.array([box(rectangle(slice(None), slice(None)), source) for _ in range(200)])
    assert whole.min() >= 0
    assert whole[:, 2].max() <= 59 and whole[:, 3].max() <= 39


def test_a_large_box_strays_by_twenty_pixels_at_most() -> None:
    mask, source = rectangle(slice(100, 900), slice(100, 900), (1000, 1000)), rng()
    off = np.abs(np.array([box(mask, source) for _ in range(200)]) - box(mask))
    assert 19 < off.max() <= 20


@pytest.mark.parametrize("source", [None, rng()])
def test_a_correction_says_this_where_the_answer_missed(source: np.random.Generator | None) -> None:
    mask, answer = rectangle(slice(5, 25), slice(5, 45)), rectangle(slice(5, 25), slice(5, 25))
    for _ in range(20):
        x, y, label = correction(answer, mask, source)
        assert label == POSITIVE
        assert (mask & ~answer)[int(y), int(x)]


@pytest.mark.parametrize("source", [None, rng()])
def test_a_correction_says_not_this_where_the_answer_went_beyond(source: np.random.Generator | None) -> None:
    mask, answer = rectangle(slice(5, 25), slice(5, 25)), rectangle(slice(5, 25), slice(5, 45))
    for _ in range(20):
        x, y, label = correction(answer, mask, source)
        assert label == NEGATIVE
        assert (answer & ~mask)[int(y), int(x)]


def test_of_two_errors_chance_takes_either_and_its_absence_the_larger() -> None:
    mask, answer = rectangle(slice(10, 30), slice(10, 30)), rectangle(slice(10, 30), slice(14, 42))
    source = rng()
    labels = [correction(answer, mask, source).label for _ in range(300)]
    assert 45 < labels.count(POSITIVE) < 105  # 4 columns of 16 are missed: 75; 4 standard deviations are 30
    x, y, label = correction(answer, mask)
    assert label == NEGATIVE and 34 <= x <= 37
    theirs, sign = get_next_point(*(torch.from_numpy(one)[None, None] for one in (mask, answer)), "center")
    assert sign.item() == NEGATIVE and answer[int(theirs[0, 0, 1]), int(theirs[0, 0, 0])]


def test_where_nothing_is_wrong_there_is_no_point() -> None:
    assert correction(ring(), ring()).label == NONE
    assert correction(ring(), ring(), rng()).label == NONE


def test_the_same_seed_gives_the_same_clicks() -> None:
    mask = ring()
    one, two, other = (
        [*point(mask, source), *box(mask, source), *correction(~mask, mask, source)]
        for source in (rng(3), rng(3), rng(4))
    )
    assert one == two
    assert one != other
