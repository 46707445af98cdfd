"""Functions that are faster on CPUs give results and gradients of torch's own."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from finetune.utils.faster_on_cpu import FasterOnCpu
from finetune.utils.group_norm import _GroupNorm

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
    with FasterOnCpu():
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
    with FasterOnCpu():
        output = layer(x.requires_grad_())
    assert "NativeGroupNorm" in type(output.grad_fn).__name__


@pytest.mark.parametrize("scale", [None, 0.5])
def test_attention_in_bf16_is_as_close_to_float64_as_that_of_torch(scale: float | None) -> None:
    torch.manual_seed(0)
    qkv = torch.randn(2, 50, 3, 4, 32, requires_grad=True)
    upstream = torch.randn(2, 4, 20, 32)

    def results(dtype: torch.dtype) -> Gradients:
        q, k, v = qkv.to(dtype).transpose(1, 3).unbind(2)
        output = F.scaled_dot_product_attention(q[:, :, :20], k, v, scale=scale)
        return output.detach(), *torch.autograd.grad(output, qkv, upstream.to(dtype))

    exact = results(torch.float64)
    with FasterOnCpu():
        faster = results(torch.bfloat16)
        q = torch.ones(1, 1, 2, 4, dtype=torch.bfloat16, requires_grad=True)
        replaced = F.scaled_dot_product_attention(q, q, q)
    assert "ScaledDotProduct" not in type(replaced.grad_fn).__name__
    for ours, theirs in zip(relative(faster, exact), relative(results(torch.bfloat16), exact), strict=True):
        assert ours < max(1.5 * theirs, 0.01)


def test_attention_with_a_mask_is_that_of_torch() -> None:
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 2, 4, 20, 16).bfloat16()
    mask = torch.rand(20, 20) > 0.5
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    with FasterOnCpu():
        torch.testing.assert_close(F.scaled_dot_product_attention(q, k, v, attn_mask=mask), expected)
