"""Precision of training, selected by timed steps on a GPU; the measurement itself also runs on a CPU."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cards.training import StepTimes
from finetune.recipe.library import find_recipe
from finetune.training.precision import faster, measure_precision, time_steps

CPU = torch.device("cpu")


class TwoOutputs(nn.Module):
    """A network with batch normalization that returns a dictionary, as some do in training mode."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4))

    def forward(self, images: torch.Tensor) -> dict[str, object]:
        maps = self.inner(images)
        return {"maps": maps, "more": [maps.mean((2, 3)), 3]}


def test_timing_steps_changes_neither_the_network_nor_random_numbers() -> None:
    network = TwoOutputs().eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    state = torch.get_rng_state()
    times = time_steps(network, (2, 1, 16, 16), CPU)
    assert times.float32 > 0 and times.bf16 > 0
    assert torch.equal(torch.get_rng_state(), state)
    assert not network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_frozen_part_can_be_timed() -> None:
    network = TwoOutputs()
    network.inner[0].requires_grad_(False)
    assert time_steps(network, (1, 1, 8, 8), CPU).bf16 > 0


@pytest.mark.parametrize(
    ("float32", "bf16", "selected"),
    [(0.0307, 0.0368, "32-true"), (0.0193, 0.0173, "bf16-mixed"), (0.0100, 0.0099, "32-true")],
)
def test_bfloat16_is_selected_only_if_it_is_faster(float32: float, bf16: float, selected: str) -> None:
    assert faster(StepTimes(float32=float32, bf16=bf16)) == selected


def test_nothing_is_measured_on_a_processor() -> None:
    recipe = find_recipe("quickstart", ["compute.precision=bf16-mixed"])
    assert measure_precision(recipe, nn.Conv2d(1, 1, 3), 1, CPU) == (recipe, None)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_the_faster_precision_is_selected_on_a_gpu() -> None:
    recipe = find_recipe("quickstart", ["compute.precision=bf16-mixed"])
    resolved, times = measure_precision(recipe, nn.Conv2d(1, 1, 3), 1, torch.device("cuda"))
    assert times is not None
    assert resolved.compute.precision == faster(times)


def test_several_processes_measure_nothing() -> None:
    recipe = find_recipe("quickstart", ["compute.precision=bf16-mixed", "compute.devices=2"])
    assert measure_precision(recipe, nn.Conv2d(1, 1, 3), 1, torch.device("cuda")) == (recipe, None)
