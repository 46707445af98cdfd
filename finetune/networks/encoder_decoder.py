"""A large encoder and a light decoder: how a foundation model segments any target in a single pass."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

FINEST = 4  # pixels of the image a pixel of features, from which the last step goes to the image's own


class EncoderDecoder(nn.Module):
    """Images (N, C, H, W) -> decoder(encoder(images), (H, W)).

    The two are apart, so that features of a frozen encoder can be kept and the decoder run on them alone.
    """

    # It begins at random, where an adapter is of no use: `adapt: lora` trains it whole.
    trained_whole = ("decoder",)

    def __init__(self, encoder: nn.Module, decoder: nn.Module, kept: nn.Module | None = None) -> None:
        """Put them together.

        Args:
            encoder: images (N, C, H, W) -> a tuple of features (N, Cᵢ, H / sᵢ, W / sᵢ).
            decoder: those features and (H, W) -> raw maps (N, K, H, W).
            kept: weights saved with the model but never executed, see `PassthroughWeights`.
        """
        super().__init__()
        self.encoder, self.decoder, self.kept = encoder, decoder, kept

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, C, H, W) float -> raw maps (N, K, H, W)."""
        return self.decoder(self.encoder(images), images.shape[-2:])


class PyramidDecoder(nn.Module):
    """Features at several scales -> raw maps of the image's size.

    From the coarsest level to the finest, each is brought to the same width and added to the coarser one,
    enlarged (the feature pyramid of Lin et al. 2017, https://arxiv.org/abs/1612.03144). Levels that are not
    there down to a stride of 4 are made by enlarging. The last step, from 4 × 4 pixels to their maps, is a
    sub-pixel convolution (Shi et al. 2016, https://arxiv.org/abs/1609.05158): as sharp as the image, and a
    sixteenth of the work.
    """

    def __init__(
        self, channels: Sequence[int], strides: Sequence[int], out_channels: int, width: int = 64
    ) -> None:
        """Build it with random weights.

        Args:
            channels: of each level of features, the finest first.
            strides: of each level, in pixels; powers of 2 from 4 on, the finest first.
            out_channels: K.
            width: channels inside.

        Raises:
            ValueError: if the strides are not such.
        """
        super().__init__()
        levels = {stride: number for number, stride in enumerate(strides)}
        every = [FINEST * 2**step for step in range(max(strides).bit_length() - FINEST.bit_length() + 1)]
        if (
            len(channels) != len(strides)
            or not set(strides) <= set(every)
            or list(strides) != sorted(strides)
        ):
            raise ValueError(f"strides are different powers of 2 from {FINEST} on, rising; not {strides}")
        self.levels: list[int | None] = [levels.get(stride) for stride in reversed(every)]
        self.lateral = nn.ModuleList(nn.Conv2d(wide, width, kernel_size=1) for wide in channels)
        self.mix = nn.ModuleList(_mix(width) for _ in self.levels)
        self.out_channels = out_channels
        self.output = nn.Conv2d(width, out_channels * FINEST**2, kernel_size=1)

    def forward(self, features: Sequence[torch.Tensor], size: Sequence[int]) -> torch.Tensor:
        """Features, the finest first, of an image of `size` (H, W) -> raw maps (N, K, H, W)."""
        x: torch.Tensor | None = None
        for level, mix in zip(self.levels, self.mix, strict=True):
            if x is not None:
                x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            if level is not None:
                lateral = self.lateral[level](features[level])
                x = lateral if x is None else x + lateral
            x = mix(x)
        return F.pixel_shuffle(self.output(x), FINEST)


def _mix(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False),
        nn.GroupNorm(8, width),
        nn.ReLU(inplace=True),
    )
