"""SAM 2's image encoder of transformers, rewritten so that it can be exported for images of any size.

transformers pads windows only if the size requires it; an export would fix that decision. This module always
pads, by 0 if nothing is missing. The output is the same.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from transformers.models.sam2.modeling_sam2 import do_pool


def hiera(model: Any, images: torch.Tensor) -> list[torch.Tensor]:
    """Run the Hiera trunk.

    Args:
        model: a Sam2HieraDetModel.
        images: (N, 3, H, W) float32, normalized.

    Returns:
        Features (N, h, w, Cᵢ) of each stage, finest first.
    """
    x = model.patch_embed(images)
    x = x + _positions(model, x.shape[1], x.shape[2])
    features = []
    for number, block in enumerate(model.blocks):
        x = _through(block, x)
        if number in model.stage_ends:
            features.append(x)
    return features


def pyramid(neck: Any, features: list[torch.Tensor]) -> list[torch.Tensor]:
    """Run the feature pyramid; the configuration says which levels get the upsampled coarser level added.

    Args:
        neck: a Sam2VisionNeck.
        features: (N, h, w, Cᵢ) of each stage, finest first.

    Returns:
        Features (N, C, h, w) of each stage, finest first.
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
    """Position embedding (1, H, W, C): position in the image plus position in the window."""
    side = model.pos_embed_window.shape[-1]
    windows = model.pos_embed_window.repeat(1, 1, _count(height, side), _count(width, side))
    image = F.interpolate(model.pos_embed, size=(height, width), mode="bicubic")
    return (image + windows[:, :, :height, :width]).permute(0, 2, 3, 1)


def _through(block: Any, x: torch.Tensor) -> torch.Tensor:
    """Apply a transformer block to tokens (N, H, W, C); a pooling block halves H and W."""
    shortcut, x = x, block.layer_norm1(x)
    if block.dim != block.dim_out:
        shortcut = do_pool(block.proj(x), block.query_stride)
    x = _in_windows(block, x, shortcut.shape) if block.window_size else block.attn(hidden_states=x)
    x = shortcut + x
    return x + block.mlp(block.layer_norm2(x))


def _in_windows(block: Any, x: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Windowed attention: tokens (N, H, W, C) to tokens cropped to the height and width of `shape`."""
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
    """Number of windows that cover a length."""
    return (length + side - 1) // side
