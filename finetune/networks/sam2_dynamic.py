"""SAM 2's image encoder, as transformers has it, written so that it can be exported for images of any size.

transformers fills windows up only where a size asks for it, which an export would hold fast; here they are
always filled up, by nothing where nothing is needed. The numbers are the same.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from transformers.models.sam2.modeling_sam2 import do_pool


def hiera(model: Any, images: torch.Tensor) -> list[torch.Tensor]:
    """A Sam2HieraDetModel: images (N, 3, H, W) -> features (N, h, w, Cᵢ) of each stage, the finest first."""
    x = model.patch_embed(images)
    x = x + _positions(model, x.shape[1], x.shape[2])
    features = []
    for number, block in enumerate(model.blocks):
        x = _through(block, x)
        if number in model.stage_ends:
            features.append(x)
    return features


def pyramid(neck: Any, features: list[torch.Tensor]) -> list[torch.Tensor]:
    """A Sam2VisionNeck: features (N, h, w, Cᵢ) -> (N, C, h, w) of each stage, the finest first.

    A coarser level is added to the next finer one where the configuration says so.
    """
    levels: list[torch.Tensor] = []
    last = len(features) - 1
    for stage in range(last, -1, -1):
        x = neck.convs[last - stage](features[stage].permute(0, 3, 1, 2))
        if stage in neck.fpn_top_down_levels and stage != last:
            x = x + F.interpolate(levels[0], size=x.shape[-2:], mode="nearest")
        levels.insert(0, x)
    return levels


def _positions(model: Any, height: int, width: int) -> torch.Tensor:
    """Where a token lies in the image, and in its window: (1, H, W, C). Sizes are whole windows."""
    side = model.pos_embed_window.shape[-1]
    windows = model.pos_embed_window.repeat(1, 1, _count(height, side), _count(width, side))
    image = F.interpolate(model.pos_embed, size=(height, width), mode="bicubic")
    return (image + windows[:, :, :height, :width]).permute(0, 2, 3, 1)


def _through(block: Any, x: torch.Tensor) -> torch.Tensor:
    """Tokens (N, H, W, C) through a block, which may halve their number along each side."""
    shortcut, x = x, block.layer_norm1(x)
    if block.dim != block.dim_out:
        shortcut = do_pool(block.proj(x), block.query_stride)
    x = _in_windows(block, x, shortcut.shape) if block.window_size else block.attn(hidden_states=x)
    x = shortcut + x
    return x + block.mlp(block.layer_norm2(x))


def _in_windows(block: Any, x: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Attention within windows: tokens (N, H, W, C) -> of the height and width in `shape`."""
    side = block.window_size
    images, height, width, channels = x.shape
    rows, columns = _count(height, side), _count(width, side)
    x = F.pad(x, (0, 0, 0, columns * side - width, 0, rows * side - height))
    x = x.reshape(images, rows, side, columns, side, channels).transpose(2, 3)
    x = block.attn(hidden_states=x.reshape(images * rows * columns, side, side, channels))
    side, channels = x.shape[2:]
    x = x.reshape(images, rows, columns, side, side, channels).transpose(2, 3)
    return x.reshape(images, rows * side, columns * side, channels)[:, : shape[1], : shape[2]]


def _count(length: int, side: int) -> int:
    """How many windows cover a length."""
    return (length + side - 1) // side
