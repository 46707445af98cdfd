"""Group normalization with a faster backward pass has the gradients of torch's own."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from finetune.training.group_norm import FasterGroupNorm, _GroupNorm

Gradients = tuple[torch.Tensor, ...]


def gradients(x: torch.Tensor, layer: nn.GroupNorm, upstream: torch.Tensor) -> Gradients:
    """Gradients of the input, the weight and the bias."""
    x = x.detach().requires_grad_()
    output = layer(x)
    return torch.autograd.grad(output, (x, layer.weight, layer.bias), upstream.to(output.dtype))


def arguments(dtype: torch.dtype, channels: int = 16, side: int = 40) -> tuple[torch.Tensor, ...]:
    """Input with a mean that is not 0, and gradient of the output."""
    torch.manual_seed(0)
    shape = (3, channels, side, side)
    return tuple(
        (torch.randn(shape) + shift).to(dtype).contiguous(memory_format=torch.channels_last)
        for shift in (0.5, 0.1)
    )


def layer_of(channels: int = 16) -> nn.GroupNorm:
    layer = nn.GroupNorm(8, channels)
    nn.init.normal_(layer.weight, 1.0)
    nn.init.normal_(layer.bias)
    return layer


def relative(found: Gradients, expected: Gradients) -> list[float]:
    pairs = zip(found, expected, strict=True)
    return [float((one.double() - other.double()).norm() / other.double().norm()) for one, other in pairs]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_are_as_close_to_float64_as_those_of_torch(dtype: torch.dtype) -> None:
    layer, (x, upstream) = layer_of(), arguments(dtype)
    with FasterGroupNorm():
        output = layer(x.detach().requires_grad_())
        faster = gradients(x, layer, upstream)
    assert type(output.grad_fn).__name__ == f"{_GroupNorm.__name__}Backward"
    torch.testing.assert_close(output, F.group_norm(x, 8, layer.weight, layer.bias))
    assert faster[0].is_contiguous(memory_format=torch.channels_last)
    torchs = gradients(x, layer, upstream)
    assert [one.dtype for one in faster] == [one.dtype for one in torchs]
    exact = gradients(x.double(), layer.double(), upstream.double())
    for ours, theirs in zip(relative(faster, exact), relative(torchs, exact), strict=True):
        assert ours < max(1.5 * theirs, 1e-6)


@pytest.mark.parametrize("case", ["contiguous", "small", "without weights", "1D"])
def test_other_inputs_get_torchs_own_group_norm(case: str) -> None:
    x, _ = arguments(torch.float32, side=8 if case == "small" else 40)
    x = x.contiguous() if case == "contiguous" else x.flatten(2) if case == "1D" else x
    layer = nn.GroupNorm(8, 16, affine=case != "without weights")
    with FasterGroupNorm():
        output = layer(x.requires_grad_())
    assert "NativeGroupNorm" in type(output.grad_fn).__name__
