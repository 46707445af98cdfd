"""Probability targets: encoding, decoding, and errors for invalid input."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_opening, distance_transform_edt, find_objects
from skimage.segmentation import find_boundaries

from cards.errors import InputError
from finetune.metrics.registry import compute_metrics
from finetune.targets.pixels import inner_boundary, rescale_pixels
from finetune.targets.probability import probability_loss
from finetune.targets.registry import build_target

RADII = [1.5, 2, 3, 4, 5.5, 7, 9, 12]
DISCS = st.lists(st.tuples(st.integers(0, 47), st.integers(0, 47), st.sampled_from(RADII)), max_size=12)


def discs(circles: list[tuple[int, int, float]], size: int = 48) -> np.ndarray:
    """Labels of discs that touch but do not overlap; one that would overlap is moved away or dropped."""
    labels = np.zeros((size, size), np.int32)
    y, x = np.mgrid[:size, :size]
    for number, (row, column, radius) in enumerate(circles, 1):
        for shift in range(size):
            disc = (y - row) ** 2 + (x - column - shift) ** 2 <= radius**2
            if not labels[disc].any():  # with the smallest shift that is free, so that it touches
                whole = radius < min(row, column + shift) and max(row, column + shift) + radius < size
                labels[disc] = number * 3 if whole else 0
                break
    return labels


def same_partition(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two label images differ by the numbers of their instances only."""
    pairs = np.unique(np.stack([a.ravel(), b.ravel()]), axis=1)
    zero = (pairs == 0).any(axis=0)
    unique = len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]
    return unique and bool((pairs[:, zero] == 0).all())


def boxes(labels: np.ndarray) -> Iterator[tuple[int, tuple[slice, slice]]]:
    """Each instance with a box around it that leaves a margin of 3 pixels."""
    for instance, box in enumerate(find_objects(labels), 1):
        if box is not None:
            rows, columns = (slice(max(0, along.start - 3), along.stop + 3) for along in box)
            yield instance, (rows, columns)


def ambiguous(labels: np.ndarray) -> np.ndarray:
    """Pixels as far from the inside of another instance as from that of their own: the maps cannot tell."""
    inside = np.where(inner_boundary(labels), 0, labels)
    unclear = np.zeros(labels.shape, bool)
    for instance, box in boxes(labels):
        own = distance_transform_edt(inside[box] != instance)
        other = distance_transform_edt((inside[box] == instance) | (inside[box] == 0))
        unclear[box] |= (labels[box] == instance) & (other <= own)
    return unclear


@given(DISCS)
@settings(max_examples=150)
def test_touching_discs_come_back_from_foreground_and_boundary(circles: list[tuple[int, int, float]]) -> None:
    labels = discs(circles)
    target = build_target("foreground_boundary", {"smallest_seed": 1})
    decoded = target.decode(target.encode(labels))
    np.testing.assert_array_equal(decoded > 0, labels > 0)
    unclear = ambiguous(labels)
    assert unclear.sum() <= len(circles)  # at most a corner pixel here and there
    decoded[unclear] = 0
    assert same_partition(decoded, np.where(unclear, 0, labels))


def test_a_gap_in_a_line_is_no_instance_and_a_small_instance_alone_is_one() -> None:
    maps = np.zeros((2, 20, 40), np.float32)
    maps[0, 2:18, 2:30] = 1
    maps[1, 2:18, 14:18] = 0.3  # unsure of the line between two instances, and not at all in two pixels
    maps[1, 8:10, 15] = 0
    maps[0, 8:10, 35:37] = 1  # four pixels, far from the others
    assert build_target("foreground_boundary").decode(maps).max() == 3
    assert build_target("foreground_boundary", {"smallest_seed": 1}).decode(maps).max() == 4
    assert build_target("foreground_boundary", {"boundary_threshold": 0.5}).decode(maps).max() == 2


def thick(labels: np.ndarray) -> list[int]:
    """Instances that are nowhere thinner than 3 pixels."""
    square = np.ones((3, 3))
    masks = {instance: labels[box] == instance for instance, box in boxes(labels)}
    return [
        instance for instance, mask in masks.items() if np.array_equal(binary_opening(mask, square), mask)
    ]


def test_real_nuclei_come_back() -> None:
    from stardist.data import test_image_nuclei_2d

    labels = test_image_nuclei_2d(return_mask=True)[1].astype(np.int32)
    target = build_target("foreground_boundary")
    decoded = target.decode(target.encode(labels))
    np.testing.assert_array_equal(decoded > 0, labels > 0)
    # One reference instance is in two parts that hang together by a single pixel; some have thin tails.
    assert abs(decoded.max() - np.count_nonzero(np.unique(labels))) <= 1
    assert compute_metrics(decoded, labels)["ap75"] > 0.97
    chosen = thick(labels)
    assert len(chosen) > 40
    sure = np.isin(labels, chosen) & ~ambiguous(labels)
    assert sure.sum() > 0.995 * np.isin(labels, chosen).sum()
    assert same_partition(np.where(sure, decoded, 0), np.where(sure, labels, 0))


def test_corners_of_touching_instances_go_to_the_right_one() -> None:
    labels = np.zeros((20, 20), np.int32)
    labels[2:9, 2:9] = 1
    labels[5:14, 9:18] = 2  # the corner of 1 at (8, 8) lies between an edge of 1 and an edge of 2
    labels[9:12, 2:9] = 3
    target = build_target("foreground_boundary", {"smallest_seed": 1})
    assert same_partition(target.decode(target.encode(labels)), labels)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0, 3, 6]))
@settings(max_examples=40)
def test_whatever_the_maps_the_labeled_pixels_are_the_foreground(seed: int, smoothness: int) -> None:
    from scipy.ndimage import uniform_filter

    maps = np.random.default_rng(seed).random((2, 40, 40), np.float32)
    if smoothness:
        maps = np.stack([uniform_filter(m, smoothness) for m in maps]) * 4 - 1.5
    decoded = build_target("foreground_boundary").decode(maps)
    np.testing.assert_array_equal(decoded > 0, maps[0] > 0.5)
    assert set(np.unique(decoded)) - {0} == set(range(1, decoded.max() + 1))


def test_an_instance_that_is_all_boundary_is_not_lost() -> None:
    labels = np.zeros((16, 16), np.int32)
    labels[2:4, 2:4] = 1
    labels[8:14, 8:14] = 2
    target = build_target("foreground_boundary")
    assert same_partition(target.decode(target.encode(labels)), labels)


def test_a_thick_boundary_is_shared_out_by_the_watershed() -> None:
    labels = np.zeros((30, 60), np.int32)
    labels[5:25, 5:30] = 1
    labels[5:25, 30:55] = 2
    maps = build_target("foreground_boundary").encode(labels)
    maps[1, 5:25, 24:36] = 0.9 - 0.05 * np.abs(np.arange(24, 36) - 29.5)
    decoded = build_target("foreground_boundary").decode(maps)
    assert same_partition(decoded, labels)


def test_foreground_comes_back_where_instances_do_not_touch() -> None:
    labels = discs([(10, 10, 5), (30, 12, 7), (30, 34, 4)])
    target = build_target("foreground")
    assert same_partition(target.decode(target.encode(labels)), labels)


def test_foreground_merges_what_touches_but_not_what_meets_at_a_corner() -> None:
    labels = np.zeros((12, 12), np.int32)
    labels[1:4, 1:4] = 1
    labels[1:4, 4:8] = 2
    labels[4:8, 8:11] = 3
    target = build_target("foreground")
    decoded = target.decode(target.encode(labels))
    assert decoded.max() == 2


@given(st.integers(0, 2**32 - 1))
def test_boundary_masks_come_back_as_they_are(seed: int) -> None:
    mask = np.random.default_rng(seed).integers(0, 2, (9, 11)).astype(np.int32)
    target = build_target("boundary")
    np.testing.assert_array_equal(target.encode(mask)[0], mask)
    np.testing.assert_array_equal(target.decode(target.encode(mask)), mask)


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_inner_boundary_is_that_of_scikit_image(seed: int, numbers: int) -> None:
    labels = np.random.default_rng(seed).integers(0, numbers + 1, (12, 15))
    np.testing.assert_array_equal(inner_boundary(labels), find_boundaries(labels, mode="inner"))


def test_loss_by_hand() -> None:
    # Logit 0 is probability 1/2: cross-entropy ln 2; one map empty, one full, of 16 pixels.
    output = torch.zeros(1, 2, 4, 4)
    maps = torch.stack([torch.zeros(4, 4), torch.ones(4, 4)])[None]
    empty = (0 + 1) / (16 * 0.25 + 0 + 1)
    full = (2 * 8 + 1) / (16 * 0.25 + 16 + 1)
    expected = np.log(2) + 1 - (empty + full) / 2
    assert probability_loss(output, maps).item() == pytest.approx(expected, rel=1e-6)


def test_a_sure_and_right_output_has_no_loss() -> None:
    maps = (torch.rand(2, 1, 8, 8) > 0.5).float()
    maps[1] = 0
    assert probability_loss(40 * (maps - 0.5), maps).item() < 1e-6


def test_loss_is_taken_in_full_precision_under_autocast() -> None:
    generator = torch.Generator().manual_seed(0)
    output = torch.randn(2, 2, 64, 64, generator=generator).bfloat16()
    maps = (torch.rand(2, 2, 64, 64, generator=generator) > 0.7).float()
    with torch.autocast("cpu", torch.bfloat16):
        loss = probability_loss(output, maps)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, probability_loss(output.float(), maps))


def test_rescaling_puts_pixel_centers_on_pixel_centers() -> None:
    row = np.arange(6, dtype=np.float32)[None]
    np.testing.assert_array_equal(rescale_pixels(row, (1, 3))[0], [1, 3, 5])
    np.testing.assert_array_equal(rescale_pixels(row, (1, 12))[0], np.arange(6).repeat(2))
    np.testing.assert_array_equal(rescale_pixels(row[:, ::-1], (1, 4)), rescale_pixels(row, (1, 4))[:, ::-1])


def test_an_unknown_target_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown target 'forground'; did you mean foreground"):
        build_target("forground")
    with pytest.raises(InputError, match=r"unknown target 'xyz'; known: foreground, boundary, fore"):
        build_target("xyz")


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(InputError, match=r"unknown option of target 'foreground' 'thresh'; known: none"):
        build_target("foreground", {"thresh": 0.3})


def test_importing_targets_does_not_import_torch() -> None:
    heavy = {"torch", "skimage", "scipy", "cellpose", "stardist"}
    code = f"import sys, finetune.targets.registry; print(sorted({heavy} & set(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
