"""Any model of transformers for semantic segmentation, whole."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from cards.errors import RecipeError
from finetune.networks.rgb_input import Rgb


class Semantic(nn.Module):
    """Images (N, C, H, W) -> the model's logits, enlarged as its own loss does (N, K, H, W).

    Where its features end and its head begins, each model has its own way to say; so it is not taken apart.
    """

    def __init__(self, model: nn.Module, rgb: Rgb) -> None:
        """Take an AutoModelForSemanticSegmentation with K labels."""
        super().__init__()
        self.rgb, self.model = rgb, model

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, C, H, W) float -> raw maps (N, K, H, W).

        Raises:
            RecipeError: if it cannot train on one image, since it normalizes over the batch.
        """
        try:
            logits = self.model(pixel_values=self.rgb(images)).logits
        except ValueError as error:
            if self.training and len(images) == 1:
                raise RecipeError(f"training.batch_size: take 2 or more a process: {error}") from error
            raise
        return F.interpolate(logits, size=images.shape[-2:], mode="bilinear", align_corners=False)
