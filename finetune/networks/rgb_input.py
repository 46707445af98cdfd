"""Microscopy images for networks that know photographs: three channels, scaled as those were."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

# Mean and standard deviation of ImageNet's training images, red, green, blue in 0..1
# (torchvision.transforms._presets.SemanticSegmentation, torchvision 0.21).
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
MOST = 3  # channels


class Rgb(nn.Module):
    """Images (N, C, H, W) of about 0..1, C at most 3 -> (N, 3, H, W), as photographs are scaled.

    A gray image is repeated; of an image of two channels the third is empty.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, mean: Sequence[float] = MEAN, std: Sequence[float] = STD) -> None:
        """Say what the network's training images had.

        Args:
            mean: of each of the three channels, in 0..1.
            std: standard deviation of each.
        """
        super().__init__()
        # They are no weights: whoever builds the network again knows them.
        self.register_buffer("mean", torch.tensor(mean).view(1, MOST, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, MOST, 1, 1), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, C, H, W) float -> (N, 3, H, W)."""
        channels = images.shape[1]
        if channels == 1:
            images = images.expand(-1, MOST, -1, -1)
        elif channels < MOST:
            images = F.pad(images, (0, 0, 0, 0, 0, MOST - channels))
        return (images - self.mean) / self.std
