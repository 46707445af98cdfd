"""A promptable network whose masks are known: squares."""

from __future__ import annotations

import torch
from torch import nn

from finetune.networks.sam2_promptable import MaskPrediction


class Squares(nn.Module):
    """Answers a point with a square of 32 × 32 px around it, and adds or takes away one for each correction.

    For a box it answers with all of the box. Side 64; features are the image.
    """

    image_size = 64

    def __init__(self) -> None:
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(1))
        self.asked: list[tuple] = []

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        assert images.shape[-2:] == (64, 64)
        return (images,)

    def predict_masks(self, features, points, labels, prev_logits=None, *, multimask_output):
        self.asked.append((points.clone(), labels.clone(), prev_logits, multimask_output))
        y, x = torch.meshgrid(torch.arange(16) * 4 + 1.5, torch.arange(16) * 4 + 1.5, indexing="ij")
        masks = []
        for place, label in zip(points, labels, strict=True):
            if label[0] == 2:
                (left, top), (right, bottom) = place[:2].tolist()
                inside = (x >= left) & (x <= right) & (y >= top) & (y <= bottom)
            else:
                inside = torch.zeros(16, 16, dtype=torch.bool)
                for (px, py), sign in zip(place.tolist(), label.tolist(), strict=True):
                    near = ((x - px).abs() < 16) & ((y - py).abs() < 16)
                    inside = {1: inside | near, 0: inside & ~near, -1: inside}[sign]
            masks.append(torch.where(inside, 40.0, -40.0))
        logits = torch.stack(masks)[:, None]
        if multimask_output:  # the second of three is the good one, and the network knows it
            logits = torch.cat([-logits.abs(), logits, -logits.abs()], dim=1)
        expected = torch.tensor([[0.1, 0.9, 0.2]]) if multimask_output else torch.ones(1, 1)
        return MaskPrediction(logits, expected.expand(len(logits), -1))
