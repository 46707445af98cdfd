"""The network: three convolutions. The file imports only torch, so a BioImage.IO package can include it."""

from __future__ import annotations

import torch
from torch import nn


class ThreeConvolutions(nn.Module):
    """Images (N, C, H, W) -> maps (N, K, H, W) of the same height and width."""

    portable = True  # packages include this file and a state dict

    def __init__(self, in_channels: int, out_channels: int, width: int = 8) -> None:
        super().__init__()
        self.first = nn.Conv2d(in_channels, width, 5, padding=2)
        self.second = nn.Conv2d(width, width, 5, padding=2)
        self.third = nn.Conv2d(width, out_channels, 5, padding=2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.third(self.second(self.first(images).relu()).relu())
