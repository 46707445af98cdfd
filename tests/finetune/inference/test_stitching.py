"""Label images of blocks are those of the whole image, for all targets."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from numbering import by_first_pixel
from scipy.ndimage import gaussian_filter

from finetune.inference.label_bands import LabelBands
from finetune.inference.stitching import DecodedBlock, blocks_of, decode_block
from finetune.targets.registry import build_target


def stitched(target: Any, maps: np.ndarray, side: int, margin: int) -> LabelBands:
    shape = maps.shape[1:]
    blocks = blocks_of(*shape, side)
    flat = [block for row in blocks for block in row]

    def load(number: int) -> DecodedBlock:
        return decode_block(target, lambda rows, columns: maps[:, rows, columns], flat[number], shape, margin)

    return LabelBands(blocks, load, getattr(target, "stitching", "instances"))


def disc_labels(shape: tuple[int, int] = (110, 150), step: int = 14) -> np.ndarray:
    """Touching discs of several sizes."""
    rng = np.random.default_rng(0)
    labels = np.zeros(shape, np.int32)
    y, x = np.indices(shape)
    centers = [(top, left) for top in range(5, shape[0], step) for left in range(5, shape[1], step)]
    for number, (top, left) in enumerate(centers, 1):
        radius = rng.uniform(4, 0.62 * step)
        labels[((y - top) ** 2 + (x - left) ** 2 < radius**2) & (labels == 0)] = number
    return labels


def noisy(maps: np.ndarray) -> np.ndarray:
    """Maps as a network predicts them: no two pixels are equal."""
    rng = np.random.default_rng(1)
    return (gaussian_filter(maps, (0, 0.5, 0.5)) + rng.uniform(0, 0.02, maps.shape)).astype(np.float32)


PACKAGES = {
    "flows": "cellpose",
    "rays": "stardist",
    "outlines": "stardist",
    "foreground_outlines": "stardist",
}
OUTLINES = {
    "outlines": {"outline_threshold": 0.3},
    "foreground_outlines": {"foreground": True, "outline_threshold": 0.5},
}


@lru_cache
def whole_image(name: str) -> tuple[Any, np.ndarray, np.ndarray]:
    """A target, maps of an image, and the labels that the target decodes from all of them at once."""
    target = build_target("rays", OUTLINES[name]) if name in OUTLINES else build_target(name)
    maps = target.encode(disc_labels())
    maps = maps if name in PACKAGES else noisy(maps)
    expected = target.decode(maps)
    if name != "boundary":
        expected = by_first_pixel(expected)
        assert expected.max() > 50 or name == "foreground"
    return target, maps, expected


@pytest.mark.parametrize("side", [32, 48, 64, 100, 500])
@pytest.mark.parametrize(
    "name",
    ["foreground", "boundary", "foreground_boundary", "flows", "rays", "outlines", "foreground_outlines"],
)
def test_blocks_give_the_instances_of_the_whole_image(name: str, side: int) -> None:
    if package := PACKAGES.get(name):
        pytest.importorskip(package)
    target, maps, expected = whole_image(name)
    bands = stitched(target, maps, side, margin=48)
    np.testing.assert_array_equal(np.concatenate(list(bands)), expected)
    assert bands.instances == expected.max()


def test_an_instance_larger_than_the_margin_is_found_once() -> None:
    target = build_target("foreground_boundary")
    labels = np.zeros((200, 200), np.int32)
    labels[20:30, 10:180] = 1
    labels[20:190, 170:180] = 1
    labels[100:110, 5:100] = 2
    maps = noisy(target.encode(labels))
    bands = stitched(target, maps, side=32, margin=8)
    np.testing.assert_array_equal(np.concatenate(list(bands)), by_first_pixel(target.decode(maps)))
    assert bands.instances == 2


def test_a_component_that_winds_through_all_blocks_is_one() -> None:
    target = build_target("foreground")
    maps = np.zeros((1, 90, 90), np.float32)
    maps[0, ::4] = 1
    maps[0, :, 0] = 1
    maps[0, 1:3, 40:50] = 1  # touches the row above and below
    maps[0, 88, 89] = 1
    expected = by_first_pixel(target.decode(maps))
    bands = stitched(target, maps, side=16, margin=4)
    np.testing.assert_array_equal(np.concatenate(list(bands)), expected)


def test_no_instances() -> None:
    bands = stitched(build_target("foreground_boundary"), np.zeros((2, 70, 50), np.float32), 32, 8)
    assert bands.instances == 0
    assert [band.shape for band in bands] == [(32, 50), (32, 50), (6, 50)]
    assert not np.concatenate(list(bands)).any()


def test_more_than_65535_instances_take_32_bits() -> None:
    target = build_target("foreground")
    maps = np.zeros((1, 520, 520), np.float32)
    maps[0, ::2, ::2] = 1
    bands = stitched(target, maps, 256, 0)
    assert bands.dtype == "int32"
    assert np.concatenate(list(bands)).max() == 260 * 260 == bands.instances
