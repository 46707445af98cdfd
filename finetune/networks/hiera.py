"""SAM 2's image encoder (Ravi et al. 2024, https://arxiv.org/abs/2408.00714), for images of any size.

Same parameter names and same output, to the last digit, as in the package `sam2` 1.1.0: a Hiera (Ryali et al.
2023, https://arxiv.org/abs/2306.00989) and a neck with 256 channels per level. The package pads windows only
if the image size requires it; an export would fix that decision. This module always pads, by 0 if nothing is
missing.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from sam2.modeling.backbones import hieradet, image_encoder

from finetune.networks.rgb_input import Rgb

DIVISOR = 32  # pixels: the stride of Hiera's coarsest level
STRIDES = (4, 8, 16)  # pixels: neck levels; SAM 2 adds the coarsest level, 32, to the next one and drops it


class ImageEncoder(image_encoder.ImageEncoder):
    """SAM 2's image encoder: images (N, C, H, W) float32, C ≤ 3, in 0..1, to features (N, 256, H / s, W / s).

    Strides s are 4, 8 and 16; H and W must be multiples of 32. Images keep their size, whereas SAM 2 resizes
    each to 1024 × 1024 px (16 times the pixels of a 256 × 256 image). Mean and standard deviation are those
    of ImageNet, as in SAM 2's training (`sam2.utils.transforms.SAM2Transforms`).

    The features are those of the neck, as used by the rest of SAM 2, so fine-tuning updates the complete
    encoder.
    """

    def __init__(self, **parts: Any) -> None:
        """Build the module from the arguments of the package's own constructor.

        Args:
            **parts: arguments of `sam2.modeling.backbones.image_encoder.ImageEncoder`.
        """
        super().__init__(**parts)
        self.rgb = Rgb()

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Encode images.

        Args:
            images: (N, C, H, W) float32.

        Returns:
            Features (N, 256, H / s, W / s), finest first.
        """
        return tuple(super().forward(self.rgb(images))["backbone_fpn"])


class Hiera(hieradet.Hiera):
    """Hiera trunk of `sam2` without branches on the image size."""

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Encode images.

        Args:
            images: (N, 3, H, W) float32, normalized.

        Returns:
            Features (N, Cᵢ, H / s, W / s) of strides s = 4, 8, 16 and 32.
        """
        x = self.patch_embed(images)
        x = x + self._get_pos_embed(x.shape[1:3])
        features = []
        for number, block in enumerate(self.blocks):
            x = _through(block, x)
            if number in self.stage_ends:
                features.append(x.permute(0, 3, 1, 2))
        return features

    def _get_pos_embed(self, hw: torch.Size) -> torch.Tensor:
        """Position embedding (1, H, W, C): position in the image plus position in the window."""
        height, width = hw
        side = self.pos_embed_window.shape[-1]
        windows = self.pos_embed_window.repeat(1, 1, _count(height, side), _count(width, side))
        image = F.interpolate(self.pos_embed, size=(height, width), mode="bicubic")
        return (image + windows[:, :, :height, :width]).permute(0, 2, 3, 1)


def _through(block: hieradet.MultiScaleBlock, x: torch.Tensor) -> torch.Tensor:
    """Apply a transformer block to tokens (N, H, W, C), like the block's own `forward`."""
    shortcut, x = x, block.norm1(x)
    if block.dim != block.dim_out:
        shortcut = hieradet.do_pool(block.proj(x), block.pool)
    x = _in_windows(block, x, shortcut.shape) if block.window_size else block.attn(x)
    x = shortcut + block.drop_path(x)
    return x + block.drop_path(block.mlp(block.norm2(x)))


def _in_windows(block: hieradet.MultiScaleBlock, x: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Windowed attention: tokens (N, H, W, C) to tokens (N, H', W', C'), cropped to the H' and W' of `shape`.

    Windows that cross the lower or right border are padded with zeros. A pooling block halves the windows.
    """
    side = block.window_size
    images, height, width, channels = x.shape
    rows, columns = _count(height, side), _count(width, side)
    x = F.pad(x, (0, 0, 0, columns * side - width, 0, rows * side - height))
    x = x.reshape(images, rows, side, columns, side, channels).transpose(2, 3)
    x = block.attn(x.reshape(images * rows * columns, side, side, channels))
    side, channels = x.shape[2:]
    x = x.reshape(images, rows, columns, side, side, channels).transpose(2, 3)
    return x.reshape(images, rows * side, columns * side, channels)[:, : shape[1], : shape[2]]


def _count(length: int, side: int) -> int:
    """Number of windows that cover a length."""
    return (length + side - 1) // side
