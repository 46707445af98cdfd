"""Rounds of prompts: an initial point or box per instance, then correction points for the predicted masks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from finetune.networks import prompt_labels
from finetune.networks.sam2_promptable import MaskPrediction
from finetune.prompts import sampling

LOGIT_CLAMP = 32.0  # bound of the logits that are fed back to the network, as in SAM2ImagePredictor


def to_square(images: torch.Tensor, side: int) -> torch.Tensor:
    """Resize images to the square input of SAM 2, ignoring the aspect ratio.

    Bilinear with anti-aliasing, as in `sam2.utils.transforms.SAM2Transforms`.

    Args:
        images: (N, C, H, W) float32.
        side: S, side of the square in pixels.

    Returns:
        (N, C, S, S) float32.
    """
    if images.shape[-2:] == (side, side):
        return images
    return F.interpolate(images, (side, side), mode="bilinear", align_corners=False, antialias=True)


def masks_of(
    labels: np.ndarray, max_instances: int | None = None, rng: np.random.Generator | None = None
) -> np.ndarray:
    """Convert a label image to one mask per instance.

    Args:
        labels: (H, W) integer, 0 is background.
        max_instances: maximum number of masks; None for all.
        rng: selects the instances if there are more; evenly spaced labels if None.

    Returns:
        Masks (M, H, W) bool.
    """
    numbers = np.unique(labels)
    numbers = numbers[numbers != 0]
    if max_instances is not None and len(numbers) > max_instances:
        even = np.linspace(0, len(numbers) - 1, max_instances).astype(np.intp)
        numbers = numbers[even] if rng is None else rng.choice(numbers, max_instances, replace=False)
    return labels == numbers[:, None, None]


def first_points(masks: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
    """Sample one point per instance.

    Args:
        masks: (M, H, W) bool.
        rng: random generator; deterministic (innermost pixel) if None.

    Returns:
        (M, 1, 3) float32: x, y and label, see `sampling.point`.
    """
    return np.array([[sampling.point(mask, rng)] for mask in masks], np.float32)


def first_boxes(masks: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
    """Sample one box per instance.

    Args:
        masks: (M, H, W) bool.
        rng: random generator for the jitter; exact bounding boxes if None.

    Returns:
        (M, 2, 3) float32: x, y and label of two corners, see `sampling.box`.
    """
    return as_corners(np.array([sampling.box(mask, rng) for mask in masks]))


def as_corners(boxes: np.ndarray) -> np.ndarray:
    """Convert boxes to pairs of labeled corner points.

    Args:
        boxes: (M, 4), x and y of the upper left and the lower right pixel.

    Returns:
        (M, 2, 3) float32: x, y and label of two corners.
    """
    corners = np.asarray(boxes, np.float32).reshape(-1, 2, 2)
    labels = np.broadcast_to([[prompt_labels.UPPER_LEFT], [prompt_labels.LOWER_RIGHT]], (len(corners), 2, 1))
    return np.concatenate([corners, labels], axis=-1, dtype=np.float32)


def predict_masks(
    network: Any,
    features: tuple[torch.Tensor, ...],
    prompts: np.ndarray,
    shape: tuple[int, int],
    prev_logits: torch.Tensor | None = None,
) -> tuple[MaskPrediction, torch.Tensor]:
    """Run the prompt encoder and mask decoder once for M prompts.

    A single point is ambiguous, so the network predicts three masks for it and one for all other prompts; a
    box counts as two points (`multimask_max_pt_num: 1` in SAM 2's configuration).

    Args:
        network: a `Promptable`.
        features: features of one image.
        prompts: (M, P, 3), x and y in pixels of the image, and label.
        shape: (H, W) of the image in pixels.
        prev_logits: see `Promptable.predict_masks`.

    Returns:
        The prediction, and its logits at the size of the image, (M, K, H, W) float32.
    """
    height, width = shape
    prompted = torch.from_numpy(prompts).to(features[0].device)
    points = prompted[..., :2] * prompted.new_tensor(
        [network.image_size / width, network.image_size / height]
    )
    multimask_output = prompts.shape[1] == 1
    prediction = network.predict_masks(
        features, points, prompted[..., 2].int(), prev_logits, multimask_output=multimask_output
    )
    return prediction, F.interpolate(prediction.logits.float(), shape, mode="bilinear", align_corners=False)


def best(prediction: MaskPrediction, logits: torch.Tensor) -> torch.Tensor:
    """Select the mask with the highest predicted IoU for each prompt.

    Args:
        prediction: prediction with `iou` (M, K).
        logits: (M, K, ...).

    Returns:
        (M, ...), the logits of the selected masks.
    """
    return logits[torch.arange(len(logits)), prediction.iou.argmax(dim=1)]


def rounds(
    network: Any,
    features: tuple[torch.Tensor, ...],
    masks: np.ndarray,
    prompts: np.ndarray,
    corrections: int,
    rng: np.random.Generator | None = None,
) -> Iterator[tuple[MaskPrediction, torch.Tensor]]:
    """Predict masks for initial prompts, then correct them with one point per round.

    Each correction includes all previous points and the logits of the corrected mask, without gradient.

    Args:
        network: a `Promptable`.
        features: features of one image.
        masks: reference masks of the instances, (M, H, W) bool.
        prompts: initial prompts, (M, P, 3).
        corrections: number of correction points.
        rng: random generator, see `sampling.correction`.

    Yields:
        The result of `predict_masks`, 1 + `corrections` times.
    """
    prev_logits, shape = None, (masks.shape[1], masks.shape[2])
    for number in range(corrections + 1):
        prediction, logits = predict_masks(network, features, prompts, shape, prev_logits)
        yield prediction, logits
        if number == corrections:
            return
        prev_logits = (
            best(prediction, prediction.logits).detach().float().clamp(-LOGIT_CLAMP, LOGIT_CLAMP)[:, None]
        )
        predicted = (best(prediction, logits) > 0).cpu().numpy()
        more = [sampling.correction(one, mask, rng) for one, mask in zip(predicted, masks, strict=True)]
        prompts = np.concatenate([prompts, np.array(more, np.float32)[:, None]], axis=1)
