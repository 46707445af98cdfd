"""Group normalization with a faster backward pass on CPUs.

In channels_last memory format, torch 2.15 computes the gradient of group normalization many times slower than
that of batch normalization: for 2 images of 32 × 128 × 128 in bfloat16, in 7.5 ms and 0.7 ms. Here, the two
sums over the pixels of each channel come from the backward pass of batch normalization, applied to one image
at a time; everything else follows from them. The result is the same up to rounding.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

LEAST_PIXELS = 1024  # height × width: below, torch's own backward pass is faster


def group_norm(
    input: torch.Tensor,
    num_groups: int,
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    eps: float = 1e-5,
) -> torch.Tensor:
    """Group normalization, as `torch.nn.functional.group_norm`.

    Args:
        input: (N, C, H, W), or any other shape that torch takes.
        num_groups: number of groups, a divisor of C.
        weight: (C,) or None.
        bias: (C,) or None.
        eps: added to the variance.

    Returns:
        Normalized tensor of the shape of `input`.
    """
    applies = (
        torch.is_grad_enabled()
        and weight is not None
        and bias is not None
        and input.device.type == "cpu"
        and input.dim() == 4
        and input[0, 0].numel() >= LEAST_PIXELS
        and not input.is_contiguous()
        and input.is_contiguous(memory_format=torch.channels_last)
    )
    if not applies:
        return F.group_norm(input, num_groups, weight, bias, eps)
    output: torch.Tensor = _GroupNorm.apply(input, num_groups, weight, bias, eps)
    return output


class _GroupNorm(torch.autograd.Function):
    """Group normalization of (N, C, H, W) in channels_last memory format."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, groups: int, weight: torch.Tensor, bias: torch.Tensor, eps: float
    ) -> torch.Tensor:
        n, channels, height, width = x.shape
        output, mean, rstd = torch.native_group_norm(
            x, weight, bias, n, channels, height * width, groups, eps
        )
        ctx.save_for_backward(x, weight, mean.float(), rstd.float())
        return output

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        """Gradient of y = weight · (x − mean) · rstd + bias, with mean and rstd of each group (N, G, 1)."""
        x, weight, mean, rstd = ctx.saved_tensors
        n, channels, height, width = x.shape
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        times_x, alone = _sums(gradient, x)

        def grouped(values: torch.Tensor) -> torch.Tensor:
            return values.reshape(len(values), mean.shape[1], -1)

        def per_channel(values: torch.Tensor) -> torch.Tensor:
            return values.expand(n, mean.shape[1], channels // mean.shape[1]).reshape(n, channels, 1, 1)

        mean, rstd = mean[..., None], rstd[..., None]
        weight_gradient = ((grouped(times_x) - grouped(alone) * mean) * rstd).reshape(n, channels).sum(0)
        weighted_x, weighted = (
            (grouped(values) * grouped(weight[None].float())).sum(2, keepdim=True)
            for values in (times_x, alone)
        )
        size = height * width * channels // mean.shape[1]
        slope = (weighted * mean - weighted_x) * rstd**3 / size
        constant = -slope * mean - weighted * rstd / size
        scale = rstd * grouped(weight[None].float())
        part = torch.addcmul(per_channel(constant), x.float(), per_channel(slope))
        part = torch.addcmul(part, gradient.float(), scale.reshape(n, channels, 1, 1))
        return (part.to(x.dtype), None, weight_gradient.to(weight.dtype), alone.sum(0).to(weight.dtype), None)


def _sums(gradient: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Sums over the pixels of each channel, (N, C) float32: of gradient · x, and of the gradient."""
    zero, one = torch.zeros(x.shape[1]), torch.ones(x.shape[1])
    found = [
        torch.ops.aten.native_batch_norm_backward(
            gradient[image : image + 1],
            x[image : image + 1],
            None,
            zero,
            one,
            zero,
            one,
            True,
            0.0,
            [False, True, True],
        )
        for image in range(len(x))
    ]
    return torch.stack([one[1] for one in found]), torch.stack([one[2] for one in found])
