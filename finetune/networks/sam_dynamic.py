"""Segment Anything's attention for images of any size, also where a network is traced for export."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from transformers.models.sam.modeling_sam import SamVisionSdpaAttention


class AnySizeAttention(SamVisionSdpaAttention):
    """The attention of transformers, whose relative positions follow the size that is traced.

    Its own are interpolated to the image's size just as here, but by Python's whole numbers, which a trace
    would hold fast. Its queries and keys are always of one size.
    """

    def get_rel_pos(self, q_size: int, k_size: int, rel_pos: torch.Tensor) -> torch.Tensor:
        """Embeddings (2 n - 1, D) of distances between tokens -> (q, k, D) of each pair of tokens."""
        resized = F.interpolate(rel_pos.t()[None], size=[2 * q_size - 1], mode="linear")[0].t()
        place = torch.arange(q_size, device=rel_pos.device)
        return resized[place[:, None] - place[None, :] + q_size - 1]


def take_any_size(encoder: Any) -> nn.Module:
    """A SamVisionEncoder, changed in place: each attention by one of the same weights."""
    for layer in encoder.layers:
        attention = AnySizeAttention(encoder.config, layer.window_size)
        for name, parameter in layer.attn.named_parameters():
            module, _, last = name.rpartition(".")
            setattr(attention.get_submodule(module), last, parameter)
        layer.attn = attention
    return encoder
