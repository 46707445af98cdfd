"""Score by which exports of the interactive task are verified."""

from __future__ import annotations

import numpy as np

from finetune.data.reader import Sample
from finetune.inference.protocol import PromptPredictor
from finetune.metrics.dice import dice
from finetune.prompts.interaction import first_boxes, masks_of


def box_dice(model: PromptPredictor, sample: Sample) -> float:
    """Dice of the masks that are predicted from the boxes of all instances.

    Args:
        model: the trained model, or a reloaded one; only `masks` is used.
        sample: an image with instance labels.

    Returns:
        The mean over instances of the Dice of mask and instance; 1 for an image without instances.
    """
    if not sample.labels.any():
        return 1.0
    instances = masks_of(sample.labels)
    masks = model.masks(sample.pixels, boxes=first_boxes(instances)[..., :2].reshape(-1, 4))
    return float(np.mean([dice(*pair) for pair in zip(masks, instances, strict=True)]))
