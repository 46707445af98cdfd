"""Group and instance normalization: all tiles are normalized by the same statistics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from cards.base import NetworkSpec
from finetune.data.normalization import build_normalize
from finetune.inference.model import Model
from finetune.inference.shared_statistics import (
    has_statistics,
    measure_statistics,
    sample_windows,
    share_statistics,
)
from finetune.inference.tiling import predict_maps
from finetune.networks.unet import UNet
from finetune.targets.registry import build_target


def model() -> Model:
    torch.manual_seed(0)
    return Model(
        network=UNet(1, 1, width=8, depth=1).eval(),
        target=build_target("foreground"),
        normalize=build_normalize({"name": "scale_linear", "gain": 1.0, "offset": 0.0}),
        select="auto",
        channels=1,
        divisor=2,
        architecture=NetworkSpec(repository="finetune", name="unet"),
    )


def uneven_image() -> torch.Tensor:
    """Noise that becomes brighter and stronger from left to right."""
    noise = torch.rand((1, 240, 320), generator=torch.Generator().manual_seed(0))
    return noise * torch.linspace(0.2, 2, 320)


@pytest.mark.parametrize(
    "layer", [nn.GroupNorm(2, 4), nn.GroupNorm(4, 4, affine=False), nn.InstanceNorm2d(4, affine=True)]
)
def test_one_input_is_normalized_as_torch_does_without_its_margins(layer: nn.Module) -> None:
    inputs = 3 + 2 * torch.rand((1, 4, 64, 48), generator=torch.Generator().manual_seed(0))
    for parameter in layer.parameters():
        parameter.data.uniform_(0.5, 2)
    statistics = measure_statistics(layer, inputs)
    inner = (slice(None), slice(None), slice(8, 56), slice(6, 42))
    with torch.no_grad():
        shared = share_statistics(layer, statistics)(inputs)
        torch.testing.assert_close(shared[inner], layer(inputs[inner].contiguous()))


def test_several_inputs_have_the_same_statistics() -> None:
    layer = nn.GroupNorm(1, 1)
    inputs = torch.cat([torch.zeros(1, 1, 16, 16), torch.ones(1, 1, 16, 16)])
    ((mean, variance),) = measure_statistics(layer, inputs)
    assert (mean.item(), variance.item()) == (0.5, 0.25)


def test_the_maps_do_not_depend_on_the_size_of_tiles_once_the_statistics_are_given() -> None:
    built, image = model(), uneven_image()
    built.measure_receptive_field()
    assert (built.receptive_field, built.halo, built.shares_statistics) == ("image", 8, True)
    shared = share_statistics(built.network, measure_statistics(built.network, image[None]))
    whole, tiled = (
        predict_maps(shared, built.target, image, built.divisor, tile=tile, halo=built.halo)
        for tile in (512, 64)
    )
    np.testing.assert_allclose(tiled, whole, atol=1e-5)


def test_tiles_are_closer_to_the_whole_image_than_with_statistics_of_their_own() -> None:
    built, image = model(), uneven_image()
    whole = built.predict_maps(image, tile=512)
    shared = built.predict_maps(image, tile=96)
    alone = predict_maps(built.network, built.target, image, built.divisor, tile=96, halo=built.halo)
    assert np.abs(shared - whole).mean() < np.abs(alone - whole).mean() / 3


@pytest.mark.parametrize("shape", [(1000, 700), (300, 90), (64, 5000)])
def test_windows_lie_in_the_image_and_start_at_multiples_of_the_divisor(shape: tuple[int, int]) -> None:
    windows = sample_windows(*shape, 16, 256)
    assert len({tuple(end - start for start, end in window) for window in windows}) == 1
    for window in windows:
        for (start, end), length in zip(window, shape, strict=True):
            assert 0 <= start < end <= length
            assert start % 16 == (end - start) % 16 == 0


def test_batch_normalization_needs_no_statistics_of_the_image() -> None:
    assert not has_statistics(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)))
    assert has_statistics(nn.Sequential(nn.InstanceNorm2d(1)))
