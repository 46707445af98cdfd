"""Faster functions for networks on CPUs, with the results of torch's own up to rounding."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from finetune.utils.group_norm import group_norm

MOST_SCORES = 2**25
"""Scores (batch × heads × queries × keys) that attention keeps in memory: 64 MiB in bfloat16."""


class FasterOnCpu(TorchFunctionMode):
    """While it is active, networks call the functions of `FASTER` in place of torch's own."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function.

        Args:
            func: the function.
            types: not used.
            args: its arguments.
            kwargs: its arguments by name.

        Returns:
            Its result.
        """
        return FASTER.get(func, func)(*args, **(kwargs or {}))


def attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> torch.Tensor:
    """Attention, as `torch.nn.functional.scaled_dot_product_attention`.

    On CPUs, torch's fused kernel is no faster in bfloat16 than in float32. Computed by its formula, attention
    takes about half the time, with scores that are rounded to bfloat16, as in most networks without it.

    Args:
        query: (N, heads, L, D).
        key: (N, heads, S, D).
        value: (N, heads, S, E).
        attn_mask: see torch.
        dropout_p: see torch.
        is_causal: see torch.
        scale: factor of the scores; 1 / sqrt(D) if None.
        enable_gqa: see torch.

    Returns:
        (N, heads, L, E).
    """
    plain = (
        query.dtype == key.dtype == value.dtype == torch.bfloat16
        and query.device.type == "cpu"
        and attn_mask is None
        and not (dropout_p or is_causal or enable_gqa)
        and query.dim() == key.dim() == value.dim() == 4
        and query.shape[:2] == key.shape[:2]
        and query.shape[:3].numel() * key.shape[2] <= MOST_SCORES
    )
    if not plain:
        return F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=attn_mask,
            dropout_p=dropout_p,
            is_causal=is_causal,
            scale=scale,
            enable_gqa=enable_gqa,
        )
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    q, k, v = (part.flatten(0, 1) for part in (query, key, value))
    scores = torch.baddbmm(q.new_empty(()), q, k.transpose(1, 2), beta=0, alpha=scale)
    return torch.bmm(scores.softmax(-1), v).unflatten(0, query.shape[:2])


FASTER: dict[Callable[..., Any], Callable[..., Any]] = {
    F.group_norm: group_norm,
    F.scaled_dot_product_attention: attention,
}
