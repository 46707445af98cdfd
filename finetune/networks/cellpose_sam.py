"""Cellpose-SAM (Pachitariu et al. 2025, https://doi.org/10.1101/2025.04.28.651001), for images of any size.

The network is that of the package cellpose 4; it takes 256 × 256 pixels and no other size, since its position
embedding is learned for them. As an architecture in a BioImage.IO package this file needs cellpose and torch.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from cellpose.vit import CPSAM

TILE = 256  # pixels: what the position embedding covers, 32 tokens of 8 pixels a side
# Pixels of a tile that only lend context. Two tiles share 32 pixels, about what `cellpose` lets them share
# (a tenth of 256); it averages them there, here each gives its own half.
MARGIN = 16
STEP = TILE - 2 * MARGIN


class CellposeSAM(CPSAM):
    """Images (N, C, H, W) float32, C at most 3 -> flow y, flow x and cell logit (N, 3, H, W), raw.

    H and W are multiples of 224. Images are mirrored at their edges and seen in tiles of 256 pixels, of which
    the middle 224 are kept. The names of the weights are those of `cellpose.vit.CPSAM`.
    """

    portable = True  # exports copy this file into BioImage.IO packages; it needs cellpose as well

    def __init__(self, in_channels: int, out_channels: int) -> None:
        """Build it with random weights.

        Args:
            in_channels: 1 to 3; weights of channels that are not there are not used, as in cellpose.
            out_channels: 3 for flows.
        """
        super().__init__(nout=out_channels, dtype=torch.float32)
        # cellpose's forward reads it past autograd, so it gets no gradient, and is no parameter to train.
        self.encoder.patch_embed.proj.requires_grad_(False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, C, H, W) float -> raw output (N, K, H, W)."""
        return join(super().forward(cut(images))[0], images.shape[0], images.shape[3] // STEP)


def cut(images: torch.Tensor) -> torch.Tensor:
    """(N, C, 224 h, 224 w) -> tiles (N h w, C, 256, 256), row by row."""
    padded = F.pad(images, (MARGIN, MARGIN, MARGIN, MARGIN), mode="reflect")
    tiles = padded.unfold(2, TILE, STEP).unfold(3, TILE, STEP).permute(0, 2, 3, 1, 4, 5)
    return tiles.reshape(-1, images.shape[1], TILE, TILE)


def join(tiles: torch.Tensor, images: int, columns: int) -> torch.Tensor:
    """Tiles (N h w, K, 256, 256) of N images with w columns -> their middles, joined (N, K, 224 h, 224 w)."""
    middle = tiles[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN]
    channels = tiles.shape[1]
    rows = middle.reshape(images, -1, columns, channels, STEP, STEP).permute(0, 3, 1, 4, 2, 5)
    return rows.reshape(images, channels, -1, columns * STEP)
