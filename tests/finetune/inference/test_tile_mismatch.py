from __future__ import annotations

import numpy as np
import pytest
import torch
from attention_model import attention_model

from cards.base import NetworkSpec
from finetune.data.normalization import Percentile
from finetune.data.reader import Sample
from finetune.inference.model import Model
from finetune.inference.tile_mismatch import count_mismatches, measure_tiling
from finetune.networks.stardist_unet import StarDistUNet
from finetune.networks.unet import UNet
from finetune.targets.registry import build_target


def model(network: torch.nn.Module, target: str) -> Model:
    return Model(
        network=network.eval(),
        target=build_target(target),
        normalize=Percentile(),
        select="auto",
        channels=1,
        divisor=4,
        architecture=NetworkSpec(repository="finetune", name="test"),
    )


def samples(side: int) -> list[Sample]:
    rng = np.random.default_rng(0)
    return [
        Sample(str(size), rng.normal(size=(1, size, size)), np.zeros((size, size), np.int32))
        for size in (side, side // 2)
    ]


def test_a_network_with_a_halo_has_no_mismatch() -> None:
    torch.manual_seed(0)
    exact = model(torch.nn.Conv2d(1, 1, 5, padding=2), "foreground")
    tiling = measure_tiling(exact, samples(80))
    assert tiling is not None
    assert (tiling.receptive_field, tiling.halo, tiling.tile) == (2, 2, 40)
    assert (tiling.images, tiling.pixels, tiling.mismatch) == (1, 80 * 80, 0)
    assert exact.config()["receptive_field"] == 2
    assert exact.config()["halo"] == 2


def test_a_network_with_group_normalization_has_none() -> None:
    torch.manual_seed(0)
    network = UNet(1, 1, width=8, depth=1)
    tiling = measure_tiling(model(network, "foreground"), samples(80))
    assert tiling is not None
    assert (tiling.receptive_field, tiling.image_statistics, tiling.tile) == ("image", True, 40)
    assert tiling.mismatch == 0


def test_a_network_with_global_attention_has_one() -> None:
    tiling = measure_tiling(attention_model(), samples(80))
    assert tiling is not None
    assert (tiling.receptive_field, tiling.image_statistics, tiling.tile) == ("image", False, 40)
    assert tiling.mismatch is not None
    assert 0 < tiling.mismatch < 1
    assert (tiling.mismatch_range, tiling.side) == ((tiling.mismatch, tiling.mismatch), 80)


def test_images_no_larger_than_a_tile_are_not_compared() -> None:
    network = StarDistUNet(1, 1 + 32, depth=2, width=1, features=0)
    tiling = measure_tiling(model(network, "rays"), samples(40))
    assert tiling is not None
    assert tiling.mismatch is None


@pytest.mark.parametrize(
    ("labels", "expected", "count"),
    [
        ([0, 1, 1, 2, 2, 2], [0, 7, 7, 3, 3, 3], 0),
        ([1, 1, 1, 2, 2, 2], [1, 1, 1, 1, 2, 2], 1),
        ([1, 1, 1, 1], [0, 1, 1, 1], 1),
        ([1, 1, 1, 1], [1, 1, 2, 2], 4),
        ([0, 0, 0, 0], [0, 0, 2, 2], 2),
        ([5, 5, 0, 0], [5, 5, 5, 5], 4),
    ],
)
def test_pixels_with_another_label(labels: list[int], expected: list[int], count: int) -> None:
    assert count_mismatches(np.array([labels]), np.array([expected])) == count
