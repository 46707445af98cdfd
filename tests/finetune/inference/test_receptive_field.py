from __future__ import annotations

import pytest
import torch
from torch import nn

from finetune.inference.receptive_field import measure_receptive_field
from finetune.networks.stardist_unet import StarDistUNet
from finetune.networks.unet import UNet


class Reads(nn.Module):
    """Adds to each pixel the one that lies `up` rows above and `left` columns to the left."""

    def __init__(self, up: int, left: int) -> None:
        super().__init__()
        self.up, self.left = up, left

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        rows, columns = images.shape[2:]
        padded = nn.functional.pad(images, (self.left, 0, self.up, 0))
        return images + padded[:, :, :rows, :columns]


class Positions(nn.Module):
    """Multiplies each pixel by its row."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images * torch.arange(images.shape[2])[:, None]


@pytest.mark.parametrize(("up", "left"), [(3, 0), (0, 17), (5, 150), (40, 3)])
def test_the_distance_to_the_farthest_input_pixel(up: int, left: int) -> None:
    assert measure_receptive_field(Reads(up, left), 1, 1) == (max(up, left), max(up, left))


def test_rectifiers_and_pooling_hide_nothing() -> None:
    """Two convolutions of 3 px, pooling by 2 and two more: 2 + 2 × 2 px beyond a block of two pixels."""
    torch.manual_seed(0)
    network = StarDistUNet(1, 5, depth=1, width=1, features=0)
    for module in network.modules():  # every unit is inactive for an input that is not negative
        if isinstance(module, nn.Conv2d):
            module.weight.data.abs_().neg_()
    radius, halo = measure_receptive_field(network, 1, 2) or (None, None)
    assert halo == 2 + 2 * 2 + 2
    assert radius == halo + 1


@pytest.mark.parametrize("network", [nn.InstanceNorm2d(1), Positions(), nn.AdaptiveAvgPool2d(1)])
def test_statistics_of_the_image_and_positions_have_no_halo(network: nn.Module) -> None:
    assert measure_receptive_field(network, 1, 2) == ("image", 0)


def test_a_network_with_group_normalization_has_a_halo_for_equal_statistics() -> None:
    assert measure_receptive_field(UNet(1, 1, width=8, depth=1), 1, 2) == ("image", 2 + 2 * 2 + 2)


class Blocks(nn.Module):
    """Computes the mean of each block of 8 pixels with 3 pixels around it; refuses to compute a gradient."""

    def __init__(self, context: int) -> None:
        super().__init__()
        self.context = context

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if images.requires_grad:
            raise RuntimeError("the gradient would take too much memory")
        padded = nn.functional.pad(images, (3, 3, 3, 3), mode="reflect")
        return nn.functional.avg_pool2d(padded, 14, 8).repeat_interleave(8, 2).repeat_interleave(8, 3)


def test_what_a_network_states_is_confirmed_without_a_gradient() -> None:
    assert measure_receptive_field(Blocks(3), 1, 8) == (10, 3)
    assert measure_receptive_field(Blocks(0), 1, 8) is None  # a tile without context gives another output


def test_batch_normalization_in_evaluation_mode_has_a_halo() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2)).train()
    assert measure_receptive_field(network, 1, 1) == (1, 1)
    assert network.training
    assert network[1].num_batches_tracked == 0


def test_torchscript_is_measured_on_random_images() -> None:
    network = StarDistUNet(1, 5, depth=1, width=2, features=0).eval()
    scripted = torch.jit.trace(network, torch.zeros(1, 1, 16, 16))
    assert measure_receptive_field(scripted, 1, 2) == measure_receptive_field(network, 1, 2)


def test_a_network_that_takes_another_number_of_channels_is_not_measured() -> None:
    assert measure_receptive_field(nn.Conv2d(3, 1, 3), 1, 1) is None


def test_the_measurement_leaves_random_numbers_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    measure_receptive_field(Reads(1, 1), 1, 1)
    assert torch.rand(1) == expected
