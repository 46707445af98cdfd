"""StarDist's U-Net (Schmidt et al. 2018, https://doi.org/10.1007/978-3-030-00934-2_30) in torch.

Layer for layer the network that `StarDist2D._build` of stardist 0.9.2 and `unet_block` of csbdeep 0.8.2 build
in Keras, so weights can be converted in both directions. This file imports only torch: it is copied unchanged
into BioImage.IO packages as their architecture.
"""

from __future__ import annotations

import torch
from torch import nn


class StarDistUNet(nn.Module):
    """Images (N, C, H, W) to raw maps (N, K, H / grid, W / grid); H and W are multiples of grid * 2**depth.

    The first map is the logit of the object probability, the others are distances in image pixels. As in
    StarDist, each has its own 1×1 convolution: `prob` and `dist`. With `foreground`, the last map is the
    logit of the foreground, from the head with which StarDist classifies objects, for one class.
    """

    portable = True  # this file is the whole network: exports copy it into BioImage.IO packages

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        grid: int = 1,
        depth: int = 3,
        width: int = 32,
        convolutions: int = 2,
        features: int = 128,
        foreground: bool = False,
    ) -> None:
        """Build the network with Keras' default initialization: Glorot & Bengio 2010, uniform; biases 0.

        Args:
            in_channels: C.
            out_channels: K: 1 + number of rays, and 1 for the foreground.
            grid: output stride in image pixels, a power of 2.
            depth: number of poolings in the U-Net (`unet_n_depth`).
            width: channels at the first level, doubled at each next one (`unet_n_filter_base`).
            convolutions: convolutions per level (`unet_n_conv_per_depth`).
            features: channels of the convolution after the U-Net, 0 for none (`net_conv_after_unet`).
            foreground: whether the last map is the foreground (`n_classes` 1).
        """
        super().__init__()
        halvings = grid.bit_length() - 1
        # Channels, as a list that grows layer by layer: each layer takes what the one before it gives.
        self.grid = nn.ModuleList()
        channels = in_channels
        for _ in range(halvings):
            self.grid.append(_level(channels, [width] * convolutions))
            channels = width
        self.down = nn.ModuleList()
        for level in range(depth):
            wide = width * 2**level
            self.down.append(_level(channels, [wide] * convolutions))
            channels = wide
        narrow = width * 2 ** max(0, depth - 1)
        self.middle = _level(channels, [width * 2**depth] * (convolutions - 1) + [narrow])
        channels = narrow
        self.up = nn.ModuleList()
        for level in reversed(range(depth)):
            wide, narrow = width * 2**level, width * 2 ** max(0, level - 1)
            self.up.append(_level(channels + wide, [wide] * (convolutions - 1) + [narrow]))
            channels = narrow
        self.features = _level(channels, [features] if features else [])
        self.features_class = _level(channels, [features] if features and foreground else [])
        channels = features or channels
        self.prob = nn.Conv2d(channels, 1, kernel_size=1)
        self.dist = nn.Conv2d(channels, out_channels - (2 if foreground else 1), kernel_size=1)
        self.foreground = nn.Conv2d(channels, 1, kernel_size=1) if foreground else None
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Predict the object probability, ray distances and, if the network has the head, the foreground.

        Args:
            images: (N, C, H, W) float32.

        Returns:
            Raw maps (N, K, H / grid, W / grid) float32.
        """
        x = images
        for block in self.grid:
            x = nn.functional.max_pool2d(block(x), 2)
        skipped: list[torch.Tensor] = []
        for block in self.down:
            skipped.append(block(x))
            x = nn.functional.max_pool2d(skipped[-1], 2)
        x = self.middle(x)
        for block in self.up:
            x = nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = block(torch.cat([x, skipped.pop()], dim=1))
        features = self.features(x)
        maps = [self.prob(features), self.dist(features)]
        if self.foreground is not None:
            maps.append(self.foreground(self.features_class(x)))
        return torch.cat(maps, dim=1)


def _level(in_channels: int, widths: list[int]) -> nn.Sequential:
    """3×3 convolutions with "same" padding, each followed by a ReLU; `[2 * i]` is the i-th convolution."""
    layers: list[nn.Module] = []
    for wide in widths:
        layers += [nn.Conv2d(in_channels, wide, kernel_size=3, padding=1), nn.ReLU(inplace=True)]
        in_channels = wide
    return nn.Sequential(*layers)
