from __future__ import annotations

import numpy as np
import pytest
import torch

from cards.errors import InputError
from finetune.inference.preprocess import channels_first
from finetune.inference.receptive_field import measure_receptive_field
from finetune.inference.tiling import Grid, predict_maps
from finetune.networks.stardist_unet import StarDistUNet
from finetune.targets.registry import build_target

TARGET = build_target("foreground", {})


class Blur(torch.nn.Module):
    """Sees 4 pixels around each; complains of sizes that are not multiples of 8."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        assert images.shape[-1] % 8 == 0
        assert images.shape[-2] % 8 == 0
        padded = torch.nn.functional.pad(images, (4, 4, 4, 4), mode="replicate")
        return torch.nn.functional.avg_pool2d(padded, 9, stride=1)


@pytest.mark.parametrize("shape", [(8, 8), (64, 64), (65, 70), (130, 41), (200, 200), (3, 5), (1, 300)])
def test_tiles_give_what_the_whole_image_gives(shape: tuple[int, int]) -> None:
    image = torch.from_numpy(np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32))
    whole = predict_maps(Blur(), TARGET, image, 8)
    tiled = predict_maps(Blur(), TARGET, image, 8, tile=64, halo=8)
    assert whole.shape == tiled.shape == (1, *shape)
    np.testing.assert_allclose(tiled, whole, atol=1e-6)


def test_tiles_group_pixels_as_the_whole_image_does() -> None:
    """A network that predicts for every second pixel: its tiles start where its grid does."""
    target = build_target("rays", {"rays": 4, "grid": 2})

    def every_second(images: torch.Tensor) -> torch.Tensor:
        return images[..., ::2, ::2].expand(-1, 5, -1, -1)

    image = torch.from_numpy(np.random.default_rng(0).uniform(1, 2, (1, 131, 97)).astype(np.float32))
    whole = predict_maps(every_second, target, image, 8)
    tiled = predict_maps(every_second, target, image, 8, tile=64, halo=6)
    assert whole.shape == (5, 131, 97)
    np.testing.assert_array_equal(tiled, whole)
    np.testing.assert_array_equal(whole[1, ::2, ::2], image[0, ::2, ::2])


def test_a_tile_is_never_larger_than_asked() -> None:
    sizes = []

    def watch(images: torch.Tensor) -> torch.Tensor:
        sizes.append(images.shape[-2:])
        return images

    predict_maps(watch, TARGET, torch.zeros(1, 300, 500), 8, tile=64, halo=8)
    assert max(max(size) for size in sizes) == 64


@pytest.mark.parametrize(
    ("shape", "channels", "expected"),
    [
        ((5, 7), 1, (1, 5, 7)),
        ((3, 50, 70), 3, (3, 50, 70)),
        ((50, 70, 3), 3, (3, 50, 70)),
        ((50, 70, 1), 1, (1, 50, 70)),
        ((3, 4, 2), 3, (3, 4, 2)),
        ((4, 4, 4), 4, (4, 4, 4)),
    ],
)
def test_channels_come_first(shape: tuple[int, ...], channels: int, expected: tuple[int, ...]) -> None:
    assert channels_first(np.zeros(shape), channels).shape == expected


@pytest.mark.parametrize("shape", [(5,), (2, 3, 4, 5)])
def test_an_image_of_other_axes(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"\(H, W\)"):
        channels_first(np.zeros(shape), 1)


@pytest.mark.parametrize("tile", [64, 96, 120, 200, 296])
def test_tiles_with_a_measured_halo_give_the_maps_of_the_image(tile: int) -> None:
    torch.manual_seed(0)
    network = StarDistUNet(1, 5, depth=2, width=2, features=4).eval()
    target = build_target("rays", {"rays": 4})
    field = measure_receptive_field(network, 1, 4)
    assert field is not None
    image = torch.rand(1, 301, 262)
    whole = predict_maps(network, target, image, 4, tile=400)
    tiled = predict_maps(network, target, image, 4, tile=tile, halo=field.halo)
    # In a small tile torch convolves by another algorithm, which rounds the last bit in another way.
    np.testing.assert_allclose(tiled, whole, atol=1e-6)
    if tile == 296:
        np.testing.assert_array_equal(tiled, whole)
    without = predict_maps(network, target, image, 4, tile=tile, halo=0)
    assert np.abs(without - whole).max() > 1e-3


@pytest.mark.parametrize("halo", [0, 5, 16, 100])
@pytest.mark.parametrize("size", [(1, 1), (64, 65), (333, 1000)])
def test_the_kept_parts_of_all_tiles_cover_the_image_once(size: tuple[int, int], halo: int) -> None:
    grid = Grid(*size, divisor=16, tile=64, halo=halo)
    covered = np.zeros(size, int)
    shapes = set()
    for tile in grid:
        covered[tile.outer] += 1
        shapes.add(tuple(end - start for start, end in tile.window))
        for (first, end), (start, last), length in zip(tile.window, tile.core, size, strict=True):
            assert first % 16 == 0
            assert first == 0 or start - first >= halo
            assert end == grid.padded(length) or end - last >= halo
    assert (covered == 1).all()
    assert len(shapes) == 1
    assert len(grid) == len(list(grid))


def test_the_end_of_the_image_is_mirrored_as_torch_does() -> None:
    image = torch.rand(1, 61, 61)
    grid = Grid(61, 61, divisor=32)
    rows = torch.from_numpy(grid.continued((0, 64), 61))
    expected = torch.nn.functional.pad(image, (0, 0, 0, 3), mode="reflect")
    assert torch.equal(image[:, rows], expected)
