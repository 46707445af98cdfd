"""A target with one map: the distance to the outline, relative to the largest distance in the instance."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from finetune.targets.pixels import orient_pixels, rescale_pixels
from finetune.utils.options import NoOptions


class Distance:
    """Instances are the watershed regions of the distance map."""

    Options = NoOptions
    name = "distance"
    channels = 1
    map_names = ("distance",)
    labels = "instances"
    loss_name = "mean absolute error of the distance"
    keep_encoded = whole = exports_labels = False
    exported_axes = "byxc"  # channels last, as `last_axis` returns them
    choices: dict[str, tuple[float, ...]] = {}

    def __init__(self, options: NoOptions | None = None) -> None:
        self.settings = options or NoOptions()

    def encode(self, labels: np.ndarray) -> np.ndarray:
        from scipy.ndimage import distance_transform_edt
        from skimage.measure import regionprops

        distance = np.zeros(labels.shape, np.float32)
        for region in regionprops(labels.astype(np.int32)):
            inside = distance_transform_edt(np.pad(region.image, 1))[1:-1, 1:-1]
            distance[region.slice][region.image] = (inside / inside.max())[region.image]
        return distance[None]

    def orient(self, maps: np.ndarray, rotations: int, flip: bool) -> np.ndarray:
        return orient_pixels(maps, rotations, flip)

    def rescale(self, maps: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        return rescale_pixels(maps, shape)

    def options(self) -> dict[str, Any]:
        return self.settings.model_dump()

    def loss(self, output: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
        return F.l1_loss(output.float(), maps.float())

    def activate(self, output: torch.Tensor) -> torch.Tensor:
        return output.float()

    def decode(self, maps: np.ndarray) -> np.ndarray:
        from scipy.ndimage import label
        from skimage.segmentation import watershed

        seeds = label(maps[0] > 0.5)[0]
        return watershed(-maps[0], seeds, mask=maps[0] > 0.1).astype(np.int32)

    def head(self) -> Any:
        return last_axis

    def bioimageio_postprocessing(self) -> list[dict[str, Any]]:
        return []


def last_axis(output: torch.Tensor) -> torch.Tensor:
    """Move channels to the last axis: (N, K, H, W) -> (N, H, W, K)."""
    return output.permute(0, 2, 3, 1)
