"""The memory format of training."""

from __future__ import annotations

import pytest
import torch

from finetune.networks.stardist_unet import StarDistUNet
from finetune.networks.unet import UNet
from finetune.targets.foreground import Foreground
from finetune.training.module import Segmenter
from finetune.training.optimizer import OptimizerOptions
from finetune.utils.memory_format import fastest_format

OPTIMIZER = OptimizerOptions(learning_rate=1e-3, weight_decay=0.0, warmup=0.1, steps=10)


def test_only_group_normalization_on_a_gpu_trains_in_contiguous_format() -> None:
    unet, stardist = UNet(1, 1, width=8, depth=1), StarDistUNet(1, 5, width=8, depth=1)
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert fastest_format(unet, gpu) == torch.contiguous_format
    assert {fastest_format(*one) for one in ((unet, cpu), (stardist, cpu), (stardist, gpu))} == {
        torch.channels_last
    }


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_memory_format_reaches_the_network_and_keeps_its_output(
    memory_format: torch.memory_format,
) -> None:
    torch.manual_seed(0)
    network = UNet(2, 1, width=8, depth=1)
    images = torch.rand(2, 2, 16, 16)  # of one channel, both formats are the same
    expected = network(images)
    module = Segmenter(network, Foreground(), divisor=2, optimizer=OPTIMIZER, memory_format=memory_format)
    seen = []
    network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    torch.testing.assert_close(module(images), expected, atol=1e-4, rtol=1e-4)
    weights = network.encoder[0][3].weight
    assert weights.is_contiguous(memory_format=memory_format) and seen[0].is_contiguous(
        memory_format=memory_format
    )
