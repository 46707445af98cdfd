"""Pretrained encoder with a lightweight decoder: single-pass segmentation with a foundation model."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

OUTPUT_STRIDE = 4  # pixels: stride of the finest level; the sub-pixel convolution upsamples by this factor


class EncoderDecoder(nn.Module):
    """Images (N, C, H, W) to decoder(encoder(images), (H, W)).

    Encoder and decoder are separate modules, so that features of a frozen encoder can be cached.
    """

    # Initialized randomly, so a low-rank update is useless: `adapt: lora` trains the decoder fully.
    trained_whole = ("decoder",)

    def __init__(self, encoder: nn.Module, decoder: nn.Module, kept: nn.Module | None = None) -> None:
        """Combine an encoder and a decoder.

        Args:
            encoder: maps images (N, C, H, W) to a tuple of features (N, Cᵢ, H / sᵢ, W / sᵢ).
            decoder: maps these features and (H, W) to raw maps (N, K, H, W).
            kept: weights saved with the model but never executed, see `PassthroughWeights`.
        """
        super().__init__()
        self.encoder, self.decoder, self.kept = encoder, decoder, kept

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Predict raw maps.

        Args:
            images: (N, C, H, W) float32.

        Returns:
            Raw maps (N, K, H, W) float32.
        """
        return self.decoder(self.encoder(images), images.shape[-2:])


class PyramidDecoder(nn.Module):
    """Feature pyramid decoder: features at several scales to raw maps at image resolution.

    From coarse to fine, each level is projected to the same width and added to the upsampled coarser level
    (feature pyramid network, Lin et al. 2017, https://arxiv.org/abs/1612.03144). Levels missing down to
    stride 4 are created by upsampling. The last step from stride 4 to image resolution is a sub-pixel
    convolution (Shi et al. 2016, https://arxiv.org/abs/1609.05158), which needs a sixteenth of the
    computation of a full-resolution layer.
    """

    def __init__(
        self, channels: Sequence[int], strides: Sequence[int], out_channels: int, width: int = 64
    ) -> None:
        """Build the decoder with random weights.

        Args:
            channels: channels of each feature level, finest first.
            strides: stride of each level in pixels: increasing powers of 2 from 4 on.
            out_channels: K.
            width: channels inside the decoder.

        Raises:
            ValueError: if the strides are invalid or do not match `channels`.
        """
        super().__init__()
        levels = {stride: number for number, stride in enumerate(strides)}
        every = [
            OUTPUT_STRIDE * 2**step
            for step in range(max(strides).bit_length() - OUTPUT_STRIDE.bit_length() + 1)
        ]
        if (
            len(channels) != len(strides)
            or not set(strides) <= set(every)
            or list(strides) != sorted(strides)
        ):
            raise ValueError(f"strides must be increasing powers of 2 from {OUTPUT_STRIDE} on, got {strides}")
        self.levels: list[int | None] = [levels.get(stride) for stride in reversed(every)]
        self.lateral = nn.ModuleList(nn.Conv2d(wide, width, kernel_size=1) for wide in channels)
        self.mix = nn.ModuleList(_mix(width) for _ in self.levels)
        self.out_channels = out_channels
        self.output = nn.Conv2d(width, out_channels * OUTPUT_STRIDE**2, kernel_size=1)

    def forward(self, features: Sequence[torch.Tensor], size: Sequence[int]) -> torch.Tensor:
        """Predict raw maps from features.

        Args:
            features: (N, Cᵢ, H / sᵢ, W / sᵢ) per level, finest first.
            size: unused; the output has the finest stride times the size of the features.

        Returns:
            Raw maps (N, K, H, W).
        """
        x: torch.Tensor | None = None
        for level, mix in zip(self.levels, self.mix, strict=True):
            if x is not None:
                x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            if level is not None:
                lateral = self.lateral[level](features[level])
                x = lateral if x is None else x + lateral
            x = mix(x)
        return F.pixel_shuffle(self.output(x), OUTPUT_STRIDE)


def _mix(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False),
        nn.GroupNorm(8, width),
        nn.ReLU(inplace=True),
    )
