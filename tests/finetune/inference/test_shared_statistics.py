"""Group and instance normalization: all tiles are normalized by the same statistics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from cards.base import NetworkSpec
from finetune.data.normalization import build_normalize
from finetune.inference.image_statistics import image_statistics, sample_windows
from finetune.inference.model import Model
from finetune.inference.shared_statistics import measure_statistics, share_statistics
from finetune.inference.tiling import Grid, predict_maps, read_padded
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


@pytest.mark.parametrize("kind", ["uneven", "almost empty", "of other sizes"])
def test_tiles_give_the_maps_of_the_whole_image(kind: str) -> None:
    built, image = model(), uneven_image()
    if kind == "almost empty":  # the windows show nothing but background
        image[:, :, 30:] = image[:, 20:] = 0.1
    if kind == "of other sizes":
        image = image[:, :227, :301]
    whole = built.predict_maps(image, tile=512)
    tiled = built.predict_maps(image, tile=96)
    alone = predict_maps(built.network, built.target, image, built.divisor, tile=96, halo=built.halo)
    np.testing.assert_allclose(tiled, whole, atol=1e-4)
    assert np.abs(alone - whole).max() > 0.01


class Styled(nn.Module):
    """A network with a style vector, as that of Cellpose 1 to 3."""

    def __init__(self) -> None:
        super().__init__()
        self.features, self.output = nn.Conv2d(1, 4, 5, padding=2), nn.Conv2d(4, 1, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = torch.relu(self.features(images))
        style = features.mean(dim=(2, 3))
        return self.output(torch.relu(features - 2 * style[:, :, None, None]))


def test_tiles_give_the_style_of_the_whole_image() -> None:
    built, image = model(), uneven_image()
    built.network = Styled().eval()
    whole, tiled = built.predict_maps(image, tile=512), built.predict_maps(image, tile=96)
    alone = predict_maps(built.network, built.target, image, built.divisor, tile=96, halo=built.halo)
    assert built.shares_statistics
    np.testing.assert_allclose(tiled, whole, atol=1e-5)
    assert np.abs(alone - whole).max() > 0.01


class Count:
    """A network that counts its passes."""

    def __init__(self, network: nn.Module) -> None:
        self.network, self.passes = network, 0

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        self.passes += len(images)
        return self.network(images)


def test_an_even_image_takes_no_more_than_three_passes() -> None:
    image = torch.rand((1, 400, 400), generator=torch.Generator().manual_seed(0))
    grid = Grid(400, 400, 2, 128, 8)
    count = Count(model().network)
    image_statistics(count, grid, read_padded(image, grid))
    windows = 9
    assert count.passes <= windows + 3 * (windows + len(grid))


def test_an_image_of_few_tiles_takes_one_pass_and_has_the_statistics_of_one_piece() -> None:
    built, image = model(), uneven_image()[:, :227, :255]
    grid = Grid(227, 255, 2, 128, 8)
    count = Count(built.network)
    statistics = image_statistics(count, grid, read_padded(image, grid))
    padded = torch.nn.functional.pad(image, (0, 1, 0, 1), mode="reflect")[None]
    with torch.no_grad():
        shared = share_statistics(built.network, statistics)(padded)
        torch.testing.assert_close(shared, built.network(padded), atol=1e-4, rtol=1e-4)
    assert (count.passes, len(grid)) == (1, 6)


@pytest.mark.parametrize("shape", [(1000, 700), (300, 90), (64, 5000)])
def test_windows_lie_in_the_image_and_start_at_multiples_of_the_divisor(shape: tuple[int, int]) -> None:
    windows = sample_windows(*shape, 16, 256)
    assert len({tuple(end - start for start, end in window) for window in windows}) == 1
    for window in windows:
        for (start, end), length in zip(window, shape, strict=True):
            assert 0 <= start < end <= length
            assert start % 16 == (end - start) % 16 == 0


@pytest.mark.parametrize(
    ("layer", "count"),
    [
        (nn.BatchNorm2d(2), 0),
        (nn.LayerNorm(16), 0),
        (nn.InstanceNorm2d(2), 1),
        (nn.InstanceNorm2d(2, track_running_stats=True), 0),
        (nn.AdaptiveAvgPool2d(1), 1),
        (nn.AdaptiveAvgPool2d(2), 0),
    ],
)
def test_layers_that_need_statistics_of_the_image(layer: nn.Module, count: int) -> None:
    assert len(measure_statistics(layer.eval(), torch.rand(1, 2, 16, 16))) == count
