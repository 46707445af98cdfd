"""A model that segments bright spots without training; its receptive field is that of its convolutions."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import tifffile
import torch
from scipy.ndimage import gaussian_filter

from cards.base import NetworkSpec
from finetune.data.normalization import Percentile
from finetune.inference.model import Model
from finetune.targets.registry import build_target


class Spots(torch.nn.Module):
    """Images (N, 1, H, W) -> logits of foreground and boundary (N, 2, H, W); sees 4 pixels around each."""

    def __init__(self) -> None:
        super().__init__()
        self.level = torch.nn.Parameter(torch.tensor(0.5))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Raw output: foreground is brighter than the level, boundary a little brighter."""
        blurred = torch.nn.functional.avg_pool2d(images, 5, stride=1, padding=2)
        blurred = torch.nn.functional.avg_pool2d(blurred, 5, stride=1, padding=2)
        return torch.cat([20 * (blurred - self.level), 40 * (self.level + 0.1 - blurred)], dim=1)


class SpotPolygons(torch.nn.Module):
    """Images -> logit of the object probability, and distances along n rays, (N, 1 + n, H, W).

    The distances differ from ray to ray: two congruent polygons may overlap by exactly the threshold of the
    non-maximum suppression, and rounding then decides.
    """

    def __init__(self, rays: int, grid: int) -> None:
        super().__init__()
        self.spots, self.rays, self.grid = Spots(), rays, grid

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Raw output: polygons are larger where the image is brighter."""
        bright = 0.2 * self.spots(images)[:, :1, :: self.grid, :: self.grid]
        distance = 3 + bright.clamp(min=0) / 2
        rays = [distance * (1 + 0.1 * math.sin(ray)) for ray in range(self.rays)]
        return torch.cat([bright, *rays], dim=1)


def spots_model(rays: int = 0, grid: int = 1, outline_threshold: float = 0) -> Model:
    """The model, for images of one channel; with rays, its target is that of StarDist."""
    options = {"rays": rays, "grid": grid, "outline_threshold": outline_threshold}
    return Model(
        network=(SpotPolygons(rays, grid) if rays else Spots()).eval(),
        target=build_target("rays", options) if rays else build_target("foreground_boundary"),
        normalize=Percentile(),
        select="auto",
        channels=1,
        divisor=4,
        architecture=NetworkSpec(repository="test", name="spots"),
    )


def spots_image(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth random spots, (H, W) uint16; some touch."""
    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.normal(size=(height, width)), 4)
    return np.clip(3000 + 20000 * smooth, 0, 65535).astype(np.uint16)


def write_spots(path: Path, height: int, width: int) -> Path:
    """Write an image as a tiled, compressed TIFF."""
    tifffile.imwrite(path, spots_image(height, width), tile=(64, 64), compression="zlib")
    return path
