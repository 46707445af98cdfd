"""The smallest network that a package can hold. Goes into the package as it is."""

from __future__ import annotations

import torch


class Tiny(torch.nn.Module):
    """Two convolutions, (N, 1, H, W) -> (N, 2, H, W)."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(1, width, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(width, 2, 1)
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Raw output, one map a target channel."""
        return self.layers(image)
