"""Mean Dice over images as a torchmetrics metric, for validation during training."""

from __future__ import annotations

import torch
from torchmetrics import Metric


class MeanDice(Metric):
    """Mean Dice over images; the same value for any number of processes that share the images."""

    higher_is_better = True
    is_differentiable = False
    full_state_update = False

    total: torch.Tensor
    images: torch.Tensor

    def __init__(self) -> None:
        """Start with no images."""
        super().__init__()
        self.add_state("total", default=torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("images", default=torch.tensor(0), dist_reduce_fx="sum")

    def update(self, prediction: torch.Tensor, reference: torch.Tensor) -> None:
        """Add a batch of images.

        Args:
            prediction: label images (N, H, W) integer or bool, 0 is background.
            reference: of the same shape.

        Raises:
            ValueError: if the shapes differ.
        """
        if prediction.shape != reference.shape:
            shapes = f"{tuple(prediction.shape)} and reference {tuple(reference.shape)}"
            raise ValueError(f"prediction {shapes} differ in shape")
        predicted, referred = (prediction > 0).flatten(1), (reference > 0).flatten(1)
        total = predicted.sum(1) + referred.sum(1)
        overlap = 2 * (predicted & referred).sum(1)
        self.total += torch.where(total > 0, overlap / total.clamp(min=1), 1.0).sum()
        self.images += len(prediction)

    def compute(self) -> torch.Tensor:
        """Compute the mean.

        Returns:
            A scalar; NaN without images.
        """
        return self.total / self.images
