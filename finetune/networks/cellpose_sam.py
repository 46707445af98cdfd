"""Cellpose-SAM (Pachitariu et al. 2025, https://doi.org/10.1101/2025.04.28.651001), for images of any size.

The network is `cellpose.vit.CPSAM` of cellpose 4. It accepts only 256 × 256 px, the size its position
embedding was learned for; this module tiles larger images. As an architecture in a BioImage.IO package this
file needs cellpose and torch.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from cellpose.vit import CPSAM

TILE = 256  # pixels: size of the position embedding, 32 × 32 tokens of 8 × 8 pixels
# Context on each side of a tile in pixels. Neighboring tiles overlap by 32 pixels, similar to `cellpose`
# (a tenth of 256), which averages the overlap; here each tile contributes its own half.
MARGIN = 16
STEP = TILE - 2 * MARGIN


class CellposeSAM(CPSAM):
    """Cellpose-SAM: images (N, C, H, W) float32, C ≤ 3, to flow y, flow x and cell logit (N, 3, H, W).

    H and W must be multiples of 224. Images are padded by reflection and split into overlapping tiles of 256
    px; the central 224 px of each tile are kept. Parameter names are those of `cellpose.vit.CPSAM`.
    """

    portable = True  # exports copy this file into BioImage.IO packages; it needs cellpose as well
    context = MARGIN  # pixels around each block of 224 px on which its output depends, see `receptive_field`

    def __init__(self, in_channels: int, out_channels: int) -> None:
        """Build the network with random weights.

        Args:
            in_channels: C, 1 to 3; as in cellpose, the weights of absent channels are unused.
            out_channels: K, 3 for flows.
        """
        super().__init__(nout=out_channels, dtype=torch.float32)
        # cellpose's forward reads it outside autograd: it never has a gradient and cannot be trained.
        self.encoder.patch_embed.proj.requires_grad_(False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Predict flows and cell logits.

        Args:
            images: (N, C, H, W) float32.

        Returns:
            Raw maps (N, K, H, W) float32.
        """
        return join(super().forward(cut(images))[0], images.shape[0], images.shape[3] // STEP)


def cut(images: torch.Tensor) -> torch.Tensor:
    """Split images into overlapping tiles, row by row.

    Args:
        images: (N, C, 224 h, 224 w).

    Returns:
        Tiles (N h w, C, 256, 256), padded by reflection at the image border.
    """
    padded = F.pad(images, (MARGIN, MARGIN, MARGIN, MARGIN), mode="reflect")
    tiles = padded.unfold(2, TILE, STEP).unfold(3, TILE, STEP).permute(0, 2, 3, 1, 4, 5)
    return tiles.reshape(-1, images.shape[1], TILE, TILE)


def join(tiles: torch.Tensor, images: int, columns: int) -> torch.Tensor:
    """Crop tiles to their central 224 px and stitch them.

    Args:
        tiles: (N h w, K, 256, 256), in the order of `cut`.
        images: N, number of images.
        columns: w, tiles per row.

    Returns:
        Maps (N, K, 224 h, 224 w).
    """
    middle = tiles[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN]
    channels = tiles.shape[1]
    rows = middle.reshape(images, -1, columns, channels, STEP, STEP).permute(0, 3, 1, 4, 2, 5)
    return rows.reshape(images, channels, -1, columns * STEP)
