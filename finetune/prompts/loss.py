"""Loss of SAM 2: focal and Dice loss of masks, and L1 loss of the predicted IoU.

Ravi et al. 2024, https://arxiv.org/abs/2408.00714, section on training in the appendix ("we supervise mask
predictions with a linear combination of focal and dice losses"), with the weights and constants of
`MultiStepMultiMasksAndIous` in training/loss_fns.py and sam2.1_hiera_b+_MOSE_finetune.yaml of
https://github.com/facebookresearch/sam2. The object-presence loss is left out, because every prompt marks an
object.
"""

from __future__ import annotations

import torch

from finetune.networks.sam2_promptable import MaskPrediction

FOCAL, DICE, IOU = 20.0, 1.0, 1.0  # weights
ALPHA, GAMMA = 0.25, 2.0  # of the focal loss (Lin et al. 2017, https://arxiv.org/abs/1708.02002)
SMOOTH = 1.0  # pixels, in the Dice loss


def prompt_loss(prediction: MaskPrediction, logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Mean over M prompts of 20 × focal + Dice + L1 of the predicted IoU.

    If there are several masks per prompt, only the one with the lowest 20 × focal + Dice is trained; the
    predicted IoU is trained for all (`supervise_all_iou: true`), because the highest one selects the mask.

    Args:
        prediction: prediction of the network; its `iou` is (M, K).
        logits: (M, K, H, W), at the size of the masks.
        masks: reference masks of the instances, (M, H, W) bool.

    Returns:
        A scalar, float32.
    """
    from torchvision.ops import sigmoid_focal_loss

    with torch.autocast(logits.device.type, enabled=False):
        logits, predicted_iou = logits.float(), prediction.iou.float()
        reference = masks[:, None].expand_as(logits).float()
        focal = sigmoid_focal_loss(logits, reference, ALPHA, GAMMA).mean(dim=(2, 3))
        probability = logits.sigmoid()
        overlap = 2 * (probability * reference).sum(dim=(2, 3))
        total = probability.sum(dim=(2, 3)) + reference.sum(dim=(2, 3))
        shape = FOCAL * focal + DICE * (1 - (overlap + SMOOTH) / (total + SMOOTH))
        error = (predicted_iou - iou(logits > 0, masks[:, None])).abs()
        return (shape.min(dim=1).values + IOU * error.mean(dim=1)).mean()


def iou(predicted: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Intersection over union of masks; 0 if both are empty.

    Args:
        predicted: predicted masks, (..., H, W) bool.
        masks: reference masks, (..., H, W) bool.

    Returns:
        IoU, (...) float32.
    """
    both = (predicted & masks).sum(dim=(-2, -1)).float()
    either = (predicted | masks).sum(dim=(-2, -1)).float()
    return both / either.clamp(min=1)
