"""SAM2's image encoder (Ravi et al. 2024, https://arxiv.org/abs/2408.00714), for images of any size.

It is that of the package `sam2` 1.1.0, with the names of its weights and its output to the last digit: a
Hiera (Ryali et al. 2023, https://arxiv.org/abs/2306.00989), and a neck that brings its levels to 256
channels. The package decides by the size of an image whether windows are to be padded, which would freeze
that size into an export; here they always are, by 0 where nothing is missing.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from sam2.modeling.backbones import hieradet, image_encoder

from finetune.networks.rgb_input import Rgb

DIVISOR = 32  # pixels: the stride of Hiera's coarsest level
STRIDES = (4, 8, 16)  # pixels: of the neck's levels; the coarsest, 32, SAM2 adds to the next and drops


class ImageEncoder(image_encoder.ImageEncoder):
    """Images (N, C, H, W) float32, C at most 3, dark 0 and bright 1 -> features (N, 256, H / s, W / s).

    s is 4, 8 and 16; H and W are multiples of 32. Images go in at their own size; SAM2 itself enlarges each
    to 1024 × 1024, for one of 256 × 256 to 16 times the pixels. Mean and deviation are those that SAM2 was
    trained with (`sam2.utils.transforms.SAM2Transforms`: ImageNet's).

    The features are the neck's, not Hiera's own, since these are what the rest of SAM2 sees: an encoder that
    is trained is trained whole, and no part of what is saved is left behind.
    """

    def __init__(self, **parts: Any) -> None:
        """Put it together of what the package's own takes."""
        super().__init__(**parts)
        self.rgb = Rgb()

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Images (N, C, H, W) -> features, the finest first."""
        return tuple(super().forward(self.rgb(images))["backbone_fpn"])


class Hiera(hieradet.Hiera):
    """The package's trunk, without branches on the size of an image."""

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Images (N, 3, H, W) -> features (N, Cᵢ, H / s, W / s), s of 4, 8, 16 and 32."""
        x = self.patch_embed(images)
        x = x + self._get_pos_embed(x.shape[1:3])
        features = []
        for number, block in enumerate(self.blocks):
            x = _through(block, x)
            if number in self.stage_ends:
                features.append(x.permute(0, 3, 1, 2))
        return features

    def _get_pos_embed(self, hw: torch.Size) -> torch.Tensor:
        """Where a token lies in the image, and where in its window: (1, H, W, C)."""
        height, width = hw
        side = self.pos_embed_window.shape[-1]
        windows = self.pos_embed_window.repeat(1, 1, _count(height, side), _count(width, side))
        image = F.interpolate(self.pos_embed, size=(height, width), mode="bicubic")
        return (image + windows[:, :, :height, :width]).permute(0, 2, 3, 1)


def _through(block: hieradet.MultiScaleBlock, x: torch.Tensor) -> torch.Tensor:
    """Tokens (N, H, W, C) through a block, as by its own `forward`."""
    shortcut, x = x, block.norm1(x)
    if block.dim != block.dim_out:
        shortcut = hieradet.do_pool(block.proj(x), block.pool)
    x = _in_windows(block, x, shortcut.shape) if block.window_size else block.attn(x)
    x = shortcut + block.drop_path(x)
    return x + block.drop_path(block.mlp(block.norm2(x)))


def _in_windows(block: hieradet.MultiScaleBlock, x: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Attention of tokens (N, H, W, C) within windows -> (N, H', W', C'), H' and W' as in `shape`.

    Windows that reach over the lower right edge are filled up with zeros. A block that pools halves them all.
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
    """How many windows cover a length."""
    return (length + side - 1) // side
