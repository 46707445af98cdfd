"""Rounds of prompts: a point or a box for each instance, then corrections of what the network answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from finetune.networks.sam2_promptable import Answer
from finetune.prompts import sampling as prompting

LOUDEST = 32.0  # logits go back to the network within ± this, as SAM2ImagePredictor gives them back


def to_square(images: torch.Tensor, side: int) -> torch.Tensor:
    """Images (N, C, H, W) as SAM2 sees them, (N, C, side, side): whole, whatever their proportions.

    Linear and with anti-aliasing, as `sam2.utils.transforms.SAM2Transforms`.
    """
    if images.shape[-2:] == (side, side):
        return images
    return F.interpolate(images, (side, side), mode="bilinear", align_corners=False, antialias=True)


def masks_of(
    labels: np.ndarray, most: int | None = None, chance: np.random.Generator | None = None
) -> np.ndarray:
    """Labels (H, W) -> the masks of its instances, (M, H, W) bool.

    Args:
        labels: integer, 0 is background.
        most: of them.
        chance: chooses these; without it they are taken evenly from all.
    """
    numbers = np.unique(labels)
    numbers = numbers[numbers != 0]
    if most is not None and len(numbers) > most:
        even = np.linspace(0, len(numbers) - 1, most).astype(np.intp)
        numbers = numbers[even] if chance is None else chance.choice(numbers, most, replace=False)
    return labels == numbers[:, None, None]


def first_points(masks: np.ndarray, chance: np.random.Generator | None = None) -> np.ndarray:
    """A point each, (M, 1, 3) float32: x, y and label, as `prompting.point`."""
    return np.array([[prompting.point(mask, chance)] for mask in masks], np.float32)


def first_boxes(masks: np.ndarray, chance: np.random.Generator | None = None) -> np.ndarray:
    """A box each, (M, 2, 3) float32: x, y and label of its corners, as `prompting.box`."""
    return as_corners(np.array([prompting.box(mask, chance) for mask in masks]))


def as_corners(boxes: np.ndarray) -> np.ndarray:
    """Boxes (M, 4), x and y of the upper left and the lower right pixel -> (M, 2, 3) float32: with labels."""
    corners = np.asarray(boxes, np.float32).reshape(-1, 2, 2)
    labels = np.broadcast_to([[prompting.UPPER_LEFT], [prompting.LOWER_RIGHT]], (len(corners), 2, 1))
    return np.concatenate([corners, labels], axis=-1, dtype=np.float32)


def answer(
    network: Any,
    features: tuple[torch.Tensor, ...],
    prompts: np.ndarray,
    shape: tuple[int, int],
    former: torch.Tensor | None = None,
) -> tuple[Answer, torch.Tensor]:
    """Ask once.

    A single point may mean more than one thing, so that there are three answers to it and one to all else: a
    box counts as two points (`multimask_max_pt_num: 1` in SAM2's configuration).

    Args:
        network: a `Promptable`.
        features: of one image.
        prompts: (M, P, 3), x and y in pixels of the image, and label.
        shape: H and W of the image.
        former: see `Promptable.answer`.

    Returns:
        The answer, and its logits at the image's size, (M, K, H, W) float32.
    """
    height, width = shape
    prompted = torch.from_numpy(prompts).to(features[0].device)
    points = prompted[..., :2] * prompted.new_tensor([network.side / width, network.side / height])
    several = prompts.shape[1] == 1
    given = network.answer(features, points, prompted[..., 2].int(), former, several=several)
    return given, F.interpolate(given.logits.float(), shape, mode="bilinear", align_corners=False)


def best(given: Answer, logits: torch.Tensor) -> torch.Tensor:
    """Of the K masks of each prompt the one of which the network expects most: (M, K, ...) -> (M, ...)."""
    return logits[torch.arange(len(logits)), given.iou.argmax(dim=1)]


def rounds(
    network: Any,
    features: tuple[torch.Tensor, ...],
    masks: np.ndarray,
    prompts: np.ndarray,
    corrections: int,
    chance: np.random.Generator | None = None,
) -> Iterator[tuple[Answer, torch.Tensor]]:
    """Ask for instances and correct the answers; as `answer`, 1 + `corrections` times.

    With each correction go all points before it, and the logits of the answer that it corrects. No gradient
    flows through these.

    Args:
        network: a `Promptable`.
        features: of one image.
        masks: the instances, (M, H, W) bool.
        prompts: the first ones, (M, P, 3).
        corrections: points that follow.
        chance: see `prompting.correction`.
    """
    former, shape = None, (masks.shape[1], masks.shape[2])
    for number in range(corrections + 1):
        given, logits = answer(network, features, prompts, shape, former)
        yield given, logits
        if number == corrections:
            return
        former = best(given, given.logits).detach().float().clamp(-LOUDEST, LOUDEST)[:, None]
        found = (best(given, logits) > 0).cpu().numpy()
        more = [prompting.correction(one, mask, chance) for one, mask in zip(found, masks, strict=True)]
        prompts = np.concatenate([prompts, np.array(more, np.float32)[:, None]], axis=1)
