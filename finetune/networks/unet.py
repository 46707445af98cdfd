"""U-Net (Ronneberger, Fischer & Brox 2015, https://arxiv.org/abs/1505.04597).

This file imports only torch: it is copied unchanged into BioImage.IO packages as their architecture.
"""

from __future__ import annotations

import torch
from torch import nn


class UNet(nn.Module):
    """U-Net: images (N, C, H, W) to raw maps (N, K, H, W). H and W must be multiples of 2**depth.

    Differences from the paper: convolutions are padded, so maps have the size of the image; each convolution
    is followed by group normalization (Wu & He 2018, https://arxiv.org/abs/1803.08494), which normalizes each
    image separately, so the result does not depend on the batch or on the number of processes; upsampling is
    nearest neighbor after a 1×1 convolution.
    """

    portable = True  # this file is the whole network: exports copy it into BioImage.IO packages

    def __init__(self, in_channels: int, out_channels: int, width: int = 32, depth: int = 4) -> None:
        """Build the network with the initialization of He et al. 2015 (https://arxiv.org/abs/1502.01852).

        Args:
            in_channels: C.
            out_channels: K.
            width: channels at full resolution, doubled at each level.
            depth: number of poolings.
        """
        super().__init__()
        widths = [width * 2**level for level in range(depth + 1)]
        self.encoder = nn.ModuleList(map(_block, [in_channels, *widths], widths))
        self.up = nn.ModuleList(_up(2 * wide, wide) for wide in widths[-2::-1])
        self.decoder = nn.ModuleList(_block(2 * wide, wide) for wide in widths[-2::-1])
        self.head = nn.Conv2d(width, out_channels, kernel_size=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Predict raw maps.

        Args:
            images: (N, C, H, W) float32.

        Returns:
            Raw maps (N, K, H, W) float32.
        """
        features: list[torch.Tensor] = []
        x = images
        for block in self.encoder:
            if features:
                x = nn.functional.max_pool2d(x, 2)
            x = block(x)
            features.append(x)
        features.pop()
        for up, block in zip(self.up, self.decoder):  # noqa: B905 - also runs on Python 3.9
            x = block(torch.cat([features.pop(), up(x)], dim=1))
        return self.head(x)


def _block(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(*_convolution(in_channels, out_channels), *_convolution(out_channels, out_channels))


def _convolution(in_channels: int, out_channels: int) -> list[nn.Module]:
    groups = 8 if out_channels % 8 == 0 else 1
    return [
        # No bias: the normalization has one.
        nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
        nn.GroupNorm(groups, out_channels),
        nn.ReLU(inplace=True),
    ]


def _up(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size=1), nn.Upsample(scale_factor=2, mode="nearest")
    )
