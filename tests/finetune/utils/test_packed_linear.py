"""Linear layers with rearranged weights give the numbers of torch's."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from finetune.utils.bfloat16 import in_bf16, is_fast_in_bf16
from finetune.utils.packed_linear import PackedLinear, pack_linear_layers

if not is_fast_in_bf16(torch.device("cpu")):
    pytest.skip("the processor is not fast in bfloat16: nothing is packed", allow_module_level=True)

SHAPES = {"tokens": (1, 37, 24), "windows": (2, 3, 5, 5, 24), "a vector": (24,), "nothing": (0, 24)}


def values(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).bfloat16()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@torch.no_grad()
def test_a_packed_layer_gives_the_numbers_of_the_layer(shape: tuple[int, ...], bias: bool) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(24, 40, bias=bias).bfloat16()
    torch.testing.assert_close(PackedLinear(layer)(values(shape)), layer(values(shape)))


@torch.no_grad()
def test_values_that_are_not_contiguous_or_float32_are_accepted() -> None:
    layer = nn.Linear(24, 40).bfloat16()
    turned = values((24, 7)).T
    torch.testing.assert_close(PackedLinear(layer)(turned.float()), layer(turned))


def test_a_network_can_still_read_the_weights() -> None:
    layer = nn.Linear(24, 40).bfloat16()
    assert torch.equal(PackedLinear(layer).weight, layer.weight)


def test_subclasses_of_linear_layers_stay() -> None:
    network = nn.ModuleDict({"attention": nn.MultiheadAttention(8, 2), "out": nn.Linear(8, 2)}).bfloat16()
    pack_linear_layers(network)
    assert isinstance(network["out"], PackedLinear)
    assert isinstance(network["attention"].out_proj, nn.Linear)
    network["attention"](*[values((3, 8))] * 3)


@torch.no_grad()
def test_a_network_gives_the_same_output_with_packed_layers() -> None:
    from finetune.repositories.registry import LoadOptions, load

    torch.manual_seed(0)
    network = load("sam2", "sam2.1-hiera-tiny", LoadOptions(1, 2, pretrained=False)).network.eval()
    image = torch.rand((1, 1, 64, 64), generator=torch.Generator().manual_seed(0))
    plain, packed = in_bf16(network, pack=False)(image).float(), in_bf16(network)(image).float()
    assert (packed - plain).abs().mean() < 0.01 * plain.std(), (
        "of inputs that are not contiguous, torch rounds twice"
    )
