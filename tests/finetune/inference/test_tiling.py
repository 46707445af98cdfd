from __future__ import annotations

import numpy as np
import pytest
import torch

from cards.errors import InputError
from finetune.inference.preprocess import channels_first
from finetune.inference.tiling import predict_maps
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
    tiled = predict_maps(Blur(), TARGET, image, 8, tile=64, overlap=16)
    assert whole.shape == tiled.shape == (1, *shape)
    # Whole image and tiles are padded differently beyond the lower right edge; 4 pixels in, it does not show.
    inner = (..., slice(None, -4), slice(None, -4)) if max(shape) > 64 else ...
    np.testing.assert_allclose(tiled[inner], whole[inner], atol=1e-6)


def test_tiles_group_pixels_as_the_whole_image_does() -> None:
    """A network that predicts for every second pixel: its tiles start where its grid does."""
    target = build_target("rays", {"rays": 4, "grid": 2})

    def every_second(images: torch.Tensor) -> torch.Tensor:
        return images[..., ::2, ::2].expand(-1, 5, -1, -1)

    image = torch.from_numpy(np.random.default_rng(0).uniform(1, 2, (1, 131, 97)).astype(np.float32))
    whole = predict_maps(every_second, target, image, 8)
    tiled = predict_maps(every_second, target, image, 8, tile=64, overlap=12)
    assert whole.shape == (5, 131, 97)
    np.testing.assert_array_equal(tiled, whole)
    np.testing.assert_array_equal(whole[1, ::2, ::2], image[0, ::2, ::2])


def test_a_tile_is_never_larger_than_asked() -> None:
    sizes = []

    def watch(images: torch.Tensor) -> torch.Tensor:
        sizes.append(images.shape[-2:])
        return images

    predict_maps(watch, TARGET, torch.zeros(1, 300, 500), 8, tile=64, overlap=16)
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
