"""Suspicious masks: each kind is found in a single mask, and ordinary masks are left alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage.measure import label

from finetune.data.alignment import find_misalignment
from finetune.data.mask_checks import check_mask

RNG = np.random.default_rng(0)


def discs(count: int = 25, side: int = 128, radius: float = 6) -> np.ndarray:
    """Numbered discs that do not touch."""
    rng, labels = np.random.default_rng(1), np.zeros((side, side), np.int32)
    rows, columns = np.indices(labels.shape)
    number = 0
    while number < count:
        y, x = rng.uniform(radius, side - radius, 2)
        disc = np.hypot(rows - y, columns - x) <= radius + 1
        if not labels[disc].any():
            number += 1
            labels[np.hypot(rows - y, columns - x) <= radius] = number
    return labels


def tiles(size: int = 8, count: int = 12) -> np.ndarray:
    """Numbered squares without gaps."""
    return np.arange(1, count**2 + 1, dtype=np.int32).reshape(count, count).repeat(size, 0).repeat(size, 1)


def kind(labels: np.ndarray, label_kind: str = "instances") -> str | None:
    found = check_mask(labels, label_kind)
    return found.kind if found else None


def test_ordinary_masks_are_left_alone() -> None:
    assert kind(discs()) is None
    assert kind(tiles()) is None
    assert kind(tiles(5)) is None
    assert kind(np.zeros((64, 64), np.int32)) is None
    assert kind((discs() > 0).astype(np.int32) * 255, "foreground") is None
    assert kind((discs() > 0).astype(np.int32), "boundary") is None
    assert kind(discs(1, radius=30)) is None


@pytest.mark.parametrize("split", [1, 3, 6])
def test_a_few_split_cells_are_left_alone(split: int) -> None:
    labels = discs()
    for number in range(1, split + 1):
        rows, columns = np.nonzero(labels == number)
        labels[int(rows.mean()), columns] = 0  # a gap through the middle
    assert len(np.unique(label(labels, background=0))) > len(np.unique(labels))
    assert kind(labels) is None


def test_specks_of_a_careless_annotator_are_left_alone() -> None:
    labels = discs()
    labels[RNG.integers(0, 128, 20), RNG.integers(0, 128, 20)] = 3
    assert kind(labels) is None


@pytest.mark.parametrize("label_kind", ["instances", "foreground"])
def test_soft_masks(label_kind: str) -> None:
    soft = ndimage.gaussian_filter((discs() > 0).astype(float), 3) * 255
    assert kind(soft.astype(np.int32), label_kind) == "soft"


@pytest.mark.parametrize("stray", ["smoothed", "jpeg"])
def test_masks_of_0_and_255_with_stray_values(stray: str) -> None:
    mask = (discs(12, radius=12) > 0) * 255.0
    if stray == "smoothed":
        mask = ndimage.zoom(ndimage.zoom(mask, 0.5, order=1), 2, order=1)
    else:
        ringing = (ndimage.gaussian_filter(mask, 1) % 255) > 1
        mask = np.clip(mask + ringing * RNG.integers(-6, 7, mask.shape), 0, 255)
    assert kind(mask.astype(np.int32)) in {"stray", "soft"}


def test_class_masks() -> None:
    labels = discs()
    assert kind(np.where(labels, labels % 2 + 1, 0)) == "classes"
    assert kind((labels > 0) * 255) == "classes"
    found = check_mask(((labels > 0) * 255).astype(np.int32), "instances")
    assert found is not None
    assert found.numbers.endswith("separate objects with 1 label, 24 of them with label 255")


def grid(side: int = 64, width: int = 3) -> np.ndarray:
    """Lines around squares, all of them of one value."""
    lines = np.zeros((side, side), np.int32)
    for at in range(10, side, 20):
        lines[at : at + width] = lines[:, at : at + width] = 255
    return lines


def test_boundaries_that_are_called_instances() -> None:
    found = check_mask(grid(), "instances")
    assert found is not None
    assert found == ("boundaries", "lines about 4 px wide between 16 regions")
    assert kind(grid(), "boundary") is None
    assert kind(grid(width=15)) != "boundaries"  # too wide
    assert kind(np.where(grid(), 0, 255)) != "boundaries"  # the objects instead of the lines
    rings = ndimage.binary_dilation(discs() > 0, iterations=2) ^ (discs() > 0)
    assert kind(rings.astype(np.int32)) == "boundaries"


def test_labels_that_overflowed_are_reused() -> None:
    labels = discs(40, side=256)
    assert kind(np.where(labels, labels % 30 + 1, 0).astype(np.int32)) == "reused"


def test_one_label_along_the_whole_border() -> None:
    assert kind(discs() + 1) == "border"
    frame = discs()
    frame[:3] = frame[-3:] = frame[:, :3] = frame[:, -3:] = 255
    found = check_mask(frame, "instances")
    assert found is not None
    assert found.numbers == "label 255 on 100% of the border"


def test_instances_that_are_called_foreground() -> None:
    assert kind(tiles(), "foreground") == "instances"
    assert kind(discs(), "foreground") is None  # nothing touches, so nothing is joined


def picture(labels: np.ndarray, dark: bool) -> np.ndarray:
    image = ndimage.gaussian_filter((labels > 0) * 100.0, 1) + RNG.normal(20, 10, labels.shape)
    return (255 - image if dark else image)[None]


CHANGES = {
    "rotated by 270°": lambda labels: np.rot90(labels),
    "rotated by 180°": lambda labels: labels[::-1, ::-1],
    "mirrored left to right": lambda labels: labels[:, ::-1],
    "mirrored top to bottom": lambda labels: labels[::-1],
    "transposed": lambda labels: labels.T,
    "shifted by (0, 10) px (down, right)": lambda labels: np.roll(labels, -10, 1),
    "shifted by (-12, 5) px (down, right)": lambda labels: np.roll(labels, (12, -5), (0, 1)),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("dark", [True, False])
def test_a_mask_that_was_moved_is_found_with_the_move_that_mends_it(change: str, dark: bool) -> None:
    labels = discs()
    found = find_misalignment(picture(labels, dark), CHANGES[change](labels))
    assert found is not None
    assert found.change == change
    assert found.after > found.before + 0.2


def test_masks_on_their_images_and_images_without_contrast_are_left_alone() -> None:
    labels = discs()
    for image in (picture(labels, False), picture(labels, True), RNG.normal(0, 1, (3, 128, 128))):
        assert find_misalignment(image, labels) is None
    assert find_misalignment(np.ones((1, 128, 128)), labels) is None
    assert find_misalignment(picture(labels, False), np.zeros((128, 128), np.int32)) is None
    assert find_misalignment(picture(labels, False)[:, :100], labels[:100]) is None
