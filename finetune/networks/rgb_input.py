"""Conversion of microscopy images to normalized RGB for networks pretrained on photographs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

# Mean and standard deviation of ImageNet's training images, red, green, blue in 0..1
# (torchvision.transforms._presets.SemanticSegmentation, torchvision 0.21).
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
MAX_CHANNELS = 3


class Rgb(nn.Module):
    """Images (N, C, H, W) of about 0..1, C ≤ 3, to normalized RGB (N, 3, H, W).

    A single channel is repeated; a missing third channel is filled with zeros.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, mean: Sequence[float] = MEAN, std: Sequence[float] = STD) -> None:
        """Set the statistics of the pretraining images.

        Args:
            mean: mean of each of the three channels, in 0..1.
            std: standard deviation of each channel.
        """
        super().__init__()
        # Not saved: they are arguments of the constructor.
        self.register_buffer("mean", torch.tensor(mean).view(1, MAX_CHANNELS, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, MAX_CHANNELS, 1, 1), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Convert to three channels, subtract the mean and divide by the standard deviation.

        Args:
            images: (N, C, H, W) float32.

        Returns:
            (N, 3, H, W) float32.
        """
        channels = images.shape[1]
        if channels == 1:
            images = images.expand(-1, MAX_CHANNELS, -1, -1)
        elif channels < MAX_CHANNELS:
            images = F.pad(images, (0, 0, 0, 0, 0, MAX_CHANNELS - channels))
        return (images - self.mean) / self.std
