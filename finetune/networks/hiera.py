"""SAM 2's image encoder (Ravi et al. 2024, https://arxiv.org/abs/2408.00714), for images of any size.

Same parameter names and same output, up to rounding, as in the package `sam2` 1.1.0: a Hiera (Ryali et al.
2023, https://arxiv.org/abs/2306.00989) and a neck with 256 channels per level. The package pads windows only
if the image size requires it; an export would fix that decision. Exported, this module always pads, by 0 if
nothing is missing.
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

    _kept: tuple[tuple[Any, ...], torch.Tensor] | None = None

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
        """Position embedding (1, H, W, C): position in the image plus position in the window.

        On CPUs it is kept, for as long as the images have one size and the weights stay the same.
        """
        if torch.is_grad_enabled() or self.pos_embed.device.type != "cpu" or _is_exported():
            return self._embed(*hw)
        weights = (self.pos_embed.detach(), self.pos_embed_window.detach())
        # Weights are compared by value: optimizers and averages change them in several ways.
        key = (*hw, *(weight.contiguous().view(torch.uint8).numpy().tobytes() for weight in weights))
        if self._kept is None or self._kept[0] != key:
            self._kept = key, self._embed(*hw)
        return self._kept[1]

    def _embed(self, height: int, width: int) -> torch.Tensor:
        """Position embedding (1, H, W, C)."""
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
    The package pads tokens before the projections. Here, padding has the projection of zeros, which is the
    bias, and is cut off before the last projection: for an image of 256 × 256 pixels, the windows of stage 3
    hold three times as many tokens as the image has.
    """
    attention, side = block.attn, block.window_size
    images, height, width, _ = x.shape
    rows, columns = _count(height, side), _count(width, side)
    x = attention.qkv(x)
    x = _pad(x, attention.qkv.bias.to(x.dtype), rows * side, columns * side)
    x = x.reshape(images, rows, side, columns, side, 3, attention.num_heads, -1)
    query, key, value = x.permute(5, 0, 1, 3, 6, 2, 4, 7).reshape(3, -1, side, side, x.shape[-1])
    if attention.q_pool:
        query = hieradet.do_pool(query, attention.q_pool)
        side = query.shape[1]
    heads = (images * rows * columns, attention.num_heads)
    x = F.scaled_dot_product_attention(
        *(part.flatten(1, 2).unflatten(0, heads) for part in (query, key, value))
    )
    x = x.reshape(images, rows, columns, attention.num_heads, side, side, -1).permute(0, 1, 4, 2, 5, 3, 6)
    x = x.reshape(images, rows * side, columns * side, -1)[:, : shape[1], : shape[2]]
    return attention.proj(x)


def _pad(x: torch.Tensor, token: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Append a token (C,) to tokens (N, H, W, C), at the lower and right border."""
    if (height, width) == x.shape[1:3] and not _is_exported():
        return x
    x = torch.cat((x, token.expand(x.shape[0], x.shape[1], width - x.shape[2], -1)), 2)
    return torch.cat((x, token.expand(x.shape[0], height - x.shape[1], width, -1)), 1)


def _is_exported() -> bool:
    """Whether the network is traced for another engine, for images of any size."""
    return torch.jit.is_tracing() or torch.compiler.is_compiling()


def _count(length: int, side: int) -> int:
    """Number of windows that cover a length."""
    return (length + side - 1) // side
