"""Masks without prompts from few points: the centers of bright objects in place of a grid.

Automatic prompt generation (Archit et al. 2025, "Segment Anything for Microscopy",
https://doi.org/10.1038/s41592-024-02580-4, and the package micro_sam) places prompts where a trained decoder
finds objects. Here, Otsu's threshold of the image finds them, so that no further network is trained. It needs
objects that are brighter than their background.

On the 447 training images of `dsb2018`, 43 points an image hit 89.4 % of the nuclei, a grid of 32 × 32 points
91.0 % (`benchmarks/foreground_points.py`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy import ndimage

from finetune.networks.prompt_labels import POSITIVE
from finetune.prompts.interaction import predict_masks, to_square

SMOOTHING = 1.0  # pixels: standard deviation of the Gaussian, of the image and of the distances
LEAST_DISTANCE = 3  # pixels between two points
LEAST_IOU = 0.8  # predicted IoU of a mask that is kept; `pred_iou_thresh` of SAM2AutomaticMaskGenerator
MOST_COVERED = 0.5  # part of a mask that better masks may cover
BATCH_SIZE = 16  # points

LABELS_BY = "finetune from points at the centers of bright objects"


def foreground_points(image: np.ndarray) -> np.ndarray:
    """Find points at the centers of bright objects: maxima of the distance to the background.

    Args:
        image: (H, W), any numeric dtype.

    Returns:
        (M, 2) float32, x and y in pixels.
    """
    from skimage.feature import peak_local_max
    from skimage.filters import threshold_otsu

    smooth = ndimage.gaussian_filter(image.astype(np.float32), SMOOTHING)
    foreground = smooth > threshold_otsu(smooth)
    distance = ndimage.gaussian_filter(ndimage.distance_transform_edt(foreground), SMOOTHING)
    found = peak_local_max(
        distance, min_distance=LEAST_DISTANCE, threshold_abs=1, labels=foreground, exclude_border=False
    )
    return found[:, ::-1].astype(np.float32)


class ForegroundGenerator:
    """Generator of masks with the interface of `InteractiveRepository.automatic`."""

    def __init__(self, network: Any) -> None:
        """Wrap a network.

        Args:
            network: a `Promptable`.
        """
        self.network = network.eval()
        self.predictor = self

    @torch.inference_mode()
    def set_image(self, image: np.ndarray) -> tuple[torch.Tensor, ...]:
        """Encode an image.

        Args:
            image: (H, W, 3) float32 of about 0..1.

        Returns:
            Features of the network's image encoder.
        """
        device = next(self.network.parameters()).device
        pixels = torch.from_numpy(np.moveaxis(image, -1, 0)[None].copy()).to(device)
        features: tuple[torch.Tensor, ...] = self.network(to_square(pixels, self.network.image_size))
        return features

    @torch.inference_mode()
    def generate(self, image: np.ndarray) -> list[dict[str, Any]]:
        """Predict the masks of an image, one for each point at most.

        Args:
            image: (H, W, 3) float32 of about 0..1.

        Returns:
            One dictionary per mask: `segmentation`, (H, W) bool, and `area` in pixels.
        """
        points = foreground_points(image.mean(axis=-1))
        if not len(points):
            return []
        prompts = np.pad(points, ((0, 0), (0, 1)), constant_values=POSITIVE)[:, None]
        features = self.set_image(image)
        candidates: list[tuple[float, np.ndarray]] = []
        for start in range(0, len(prompts), BATCH_SIZE):
            part = prompts[start : start + BATCH_SIZE]
            prediction, logits = predict_masks(self.network, features, part, image.shape[:2])
            iou, chosen = prediction.iou.float().max(dim=1)
            masks = (logits[torch.arange(len(part)), chosen] > 0).cpu().numpy()
            candidates += zip(iou.tolist(), masks, strict=True)
        return _without_duplicates(candidates)


def _without_duplicates(candidates: list[tuple[float, np.ndarray]]) -> list[dict[str, Any]]:
    """Masks in the order of their predicted IoU, without those that better ones cover."""
    kept: list[dict[str, Any]] = []
    covered = np.zeros_like(candidates[0][1])
    for iou, mask in sorted(candidates, key=lambda candidate: -candidate[0]):
        area = int(mask.sum())
        if iou < LEAST_IOU or not area:
            continue
        if (mask & covered).sum() <= MOST_COVERED * area:
            kept.append({"segmentation": mask, "area": area})
            covered |= mask
    return kept
