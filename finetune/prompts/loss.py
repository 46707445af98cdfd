"""What SAM2 is trained with: the loss of masks and of the IoU that the network expects of them.

Ravi et al. 2024, https://arxiv.org/abs/2408.00714, section on training in the appendix ("we supervise mask
predictions with a linear combination of focal and dice losses"), with the weights and constants of
`MultiStepMultiMasksAndIous` in training/loss_fns.py and sam2.1_hiera_b+_MOSE_finetune.yaml of
https://github.com/facebookresearch/sam2. Its loss for whether there is an object is left out: here there is.
"""

from __future__ import annotations

import torch

from finetune.networks.sam2_promptable import MaskPrediction

FOCAL, DICE, IOU = 20.0, 1.0, 1.0  # weights
ALPHA, GAMMA = 0.25, 2.0  # of the focal loss (Lin et al. 2017, https://arxiv.org/abs/1708.02002)
SMOOTH = 1.0  # pixels, in the Dice loss


def prompt_loss(given: MaskPrediction, logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """The mean over M prompts of 20 × focal + Dice + L1 of the expected IoU.

    Of several masks for a prompt the one with the lowest 20 × focal + Dice counts; the expected IoU counts of
    all (`supervise_all_iou: true`), since the highest decides which mask is taken.

    Args:
        given: what the network answered; its `iou` is (M, K).
        logits: (M, K, H, W), at the size of the masks.
        masks: the instances, (M, H, W) bool.

    Returns:
        A scalar, float32.
    """
    from torchvision.ops import sigmoid_focal_loss

    with torch.autocast(logits.device.type, enabled=False):
        logits, expected = logits.float(), given.iou.float()
        wanted = masks[:, None].expand_as(logits).float()
        focal = sigmoid_focal_loss(logits, wanted, ALPHA, GAMMA).mean(dim=(2, 3))
        probability = logits.sigmoid()
        overlap = 2 * (probability * wanted).sum(dim=(2, 3))
        total = probability.sum(dim=(2, 3)) + wanted.sum(dim=(2, 3))
        shape = FOCAL * focal + DICE * (1 - (overlap + SMOOTH) / (total + SMOOTH))
        wrong = (expected - iou(logits > 0, masks[:, None])).abs()
        return (shape.min(dim=1).values + IOU * wrong.mean(dim=1)).mean()


def iou(found: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Intersection over union of masks, (..., H, W) bool -> (...) float32; 0 if both are empty."""
    both = (found & masks).sum(dim=(-2, -1)).float()
    either = (found | masks).sum(dim=(-2, -1)).float()
    return both / either.clamp(min=1)
