"""Interface of a network for tiled prediction, the same for all kinds of models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from finetune.data.channels import Channels
from finetune.data.normalization import Normalize


@dataclass(frozen=True)
class TileNetwork:
    """A network, and what it needs of a tile.

    Attributes:
        network: (N, C, H, W) float32 -> raw output.
        activate: raw output -> maps (N, K, H, W).
        normalize: normalization, by statistics of the whole image.
        select: which channels of an image the network uses.
        device: where the network runs.
        divisor: heights and widths are multiples of this, in pixels.
        tile: height and width of a tile in pixels.
        halo: pixels of context around the kept part of a tile.
        alignment: tiles start at multiples of this, in pixels; `divisor` if 0.
        shares_statistics: whether layers that depend on the whole image use its statistics in all tiles, see
            `finetune.inference.shared_statistics`.
    """

    network: Callable[[torch.Tensor], torch.Tensor]
    activate: Callable[[torch.Tensor], torch.Tensor]
    normalize: Normalize
    select: Channels
    device: torch.device
    divisor: int
    tile: int
    halo: int
    alignment: int = 0
    shares_statistics: bool = False
