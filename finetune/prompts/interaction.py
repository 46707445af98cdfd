"""Rounds of prompts: a point or a box for each instance, then corrections of what the network answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from finetune.networks import prompt_labels
from finetune.networks.sam2_promptable import MaskPrediction
from finetune.prompts import sampling as prompting

LOGIT_CLAMP = 32.0  # logits go back to the network within ± this, as SAM2ImagePredictor gives them back


def to_square(images: torch.Tensor, side: int) -> torch.Tensor:
    """Images (N, C, H, W) as SAM2 sees them, (N, C, side, side): whole, whatever their proportions.

    Linear and with anti-aliasing, as `sam2.utils.transforms.SAM2Transforms`.
    """
    if images.shape[-2:] == (side, side):
        return images
    return F.interpolate(images, (side, side), mode="bilinear", align_corners=False, antialias=True)


def masks_of(
    labels: np.ndarray, max_instances: int | None = None, rng: np.random.Generator | None = None
) -> np.ndarray:
    """Labels (H, W) -> the masks of its instances, (M, H, W) bool.

    Args:
        labels: integer, 0 is background.
        max_instances: at most so many of them; None for all.
        rng: chooses these; without it they are taken evenly from all.
    """
    numbers = np.unique(labels)
    numbers = numbers[numbers != 0]
    if max_instances is not None and len(numbers) > max_instances:
        even = np.linspace(0, len(numbers) - 1, max_instances).astype(np.intp)
        numbers = numbers[even] if rng is None else rng.choice(numbers, max_instances, replace=False)
    return labels == numbers[:, None, None]


def first_points(masks: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
    """A point each, (M, 1, 3) float32: x, y and label, as `prompting.point`."""
    return np.array([[prompting.point(mask, rng)] for mask in masks], np.float32)


def first_boxes(masks: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
    """A box each, (M, 2, 3) float32: x, y and label of its corners, as `prompting.box`."""
    return as_corners(np.array([prompting.box(mask, rng) for mask in masks]))


def as_corners(boxes: np.ndarray) -> np.ndarray:
    """Boxes (M, 4), x and y of the upper left and the lower right pixel -> (M, 2, 3) float32: with labels."""
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
    """Ask once.

    A single point may mean more than one thing, so that there are three answers to it and one to all else: a
    box counts as two points (`multimask_max_pt_num: 1` in SAM2's configuration).

    Args:
        network: a `Promptable`.
        features: of one image.
        prompts: (M, P, 3), x and y in pixels of the image, and label.
        shape: H and W of the image.
        prev_logits: see `Promptable.predict_masks`.

    Returns:
        The answer, and its logits at the image's size, (M, K, H, W) float32.
    """
    height, width = shape
    prompted = torch.from_numpy(prompts).to(features[0].device)
    points = prompted[..., :2] * prompted.new_tensor(
        [network.image_size / width, network.image_size / height]
    )
    multimask_output = prompts.shape[1] == 1
    given = network.predict_masks(
        features, points, prompted[..., 2].int(), prev_logits, multimask_output=multimask_output
    )
    return given, F.interpolate(given.logits.float(), shape, mode="bilinear", align_corners=False)


def best(given: MaskPrediction, logits: torch.Tensor) -> torch.Tensor:
    """Of the K masks of each prompt the one of which the network expects most: (M, K, ...) -> (M, ...)."""
    return logits[torch.arange(len(logits)), given.iou.argmax(dim=1)]


def rounds(
    network: Any,
    features: tuple[torch.Tensor, ...],
    masks: np.ndarray,
    prompts: np.ndarray,
    corrections: int,
    rng: np.random.Generator | None = None,
) -> Iterator[tuple[MaskPrediction, torch.Tensor]]:
    """Ask for instances and correct the answers; as `predict_masks`, 1 + `corrections` times.

    With each correction go all points before it, and the logits of the answer that it corrects. No gradient
    flows through these.

    Args:
        network: a `Promptable`.
        features: of one image.
        masks: the instances, (M, H, W) bool.
        prompts: the first ones, (M, P, 3).
        corrections: points that follow.
        rng: see `prompting.correction`.
    """
    prev_logits, shape = None, (masks.shape[1], masks.shape[2])
    for number in range(corrections + 1):
        given, logits = predict_masks(network, features, prompts, shape, prev_logits)
        yield given, logits
        if number == corrections:
            return
        prev_logits = best(given, given.logits).detach().float().clamp(-LOGIT_CLAMP, LOGIT_CLAMP)[:, None]
        found = (best(given, logits) > 0).cpu().numpy()
        more = [prompting.correction(one, mask, rng) for one, mask in zip(found, masks, strict=True)]
        prompts = np.concatenate([prompts, np.array(more, np.float32)[:, None]], axis=1)
