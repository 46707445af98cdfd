"""A network that sees blobs without training. It imports nothing but torch, as architectures do."""

from __future__ import annotations

import torch
from torch import nn


class BlobNetwork(nn.Module):
    """Images (N, C, H, W) -> raw maps (N, K, H / stride, W / stride), by one convolution."""

    portable = True

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(in_channels, out_channels, 9, stride=stride, padding=4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.convolution(images)
