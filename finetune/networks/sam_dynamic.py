"""Segment Anything's attention for images of any size, also in a traced export."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from transformers.models.sam.modeling_sam import SamVisionSdpaAttention


class AnySizeAttention(SamVisionSdpaAttention):
    """SAM attention of transformers with relative positions that follow the traced size.

    The original interpolates them in the same way but with Python integers, which a trace would fix. Queries
    and keys always have the same size.
    """

    def get_rel_pos(self, q_size: int, k_size: int, rel_pos: torch.Tensor) -> torch.Tensor:
        """Interpolate the relative position embeddings.

        Args:
            q_size: q, tokens per side of the queries.
            k_size: k, equal to `q_size`.
            rel_pos: (2 n - 1, D), embeddings of the distances between tokens.

        Returns:
            (q, k, D), the embedding of each pair of tokens.
        """
        resized = F.interpolate(rel_pos.t()[None], size=[2 * q_size - 1], mode="linear")[0].t()
        place = torch.arange(q_size, device=rel_pos.device)
        return resized[place[:, None] - place[None, :] + q_size - 1]


def take_any_size(encoder: Any) -> nn.Module:
    """Replace each attention of a SAM image encoder by `AnySizeAttention` with the same weights.

    Args:
        encoder: a SamVisionEncoder; modified in place.

    Returns:
        The same encoder.
    """
    for layer in encoder.layers:
        attention = AnySizeAttention(encoder.config, layer.window_size)
        for name, parameter in layer.attn.named_parameters():
            module, _, last = name.rpartition(".")
            setattr(attention.get_submodule(module), last, parameter)
        layer.attn = attention
    return encoder
