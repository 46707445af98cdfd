"""Semantic segmentation models of transformers, wrapped as a whole."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from cards.errors import RecipeError
from finetune.networks.rgb_input import Rgb


class Semantic(nn.Module):
    """Images (N, C, H, W) to the model's logits (N, K, H, W), upsampled as in the model's own loss.

    The boundary between encoder and head differs between architectures, so the model is not split.
    """

    def __init__(self, model: nn.Module, rgb: Rgb) -> None:
        """Wrap a semantic segmentation model.

        Args:
            model: an AutoModelForSemanticSegmentation with K labels.
            rgb: conversion to normalized RGB.
        """
        super().__init__()
        self.rgb, self.model = rgb, model

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Predict raw maps.

        Args:
            images: (N, C, H, W) float32.

        Returns:
            Raw maps (N, K, H, W).

        Raises:
            RecipeError: if the model normalizes over the batch and the training batch has one image.
        """
        try:
            logits = self.model(pixel_values=self.rgb(images)).logits
        except ValueError as error:
            if self.training and len(images) == 1:
                raise RecipeError(
                    f"training.batch_size: this model needs at least 2 images per process: {error}"
                ) from error
            raise
        return F.interpolate(logits, size=images.shape[-2:], mode="bilinear", align_corners=False)
