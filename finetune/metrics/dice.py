"""Dice per image, as a plain function and as a Metric that gathers over processes."""

from __future__ import annotations

import numpy as np
import torch
from torchmetrics import Metric


def dice(prediction: np.ndarray, reference: np.ndarray) -> float:
    """Dice = 2TP / (2TP + FP + FN) of two label images; every label that is not 0 counts alike.

    Two empty images agree in every pixel, so their Dice, 0/0 by the formula, is 1: an image without
    nuclei in which none are found is segmented rightly.

    Args:
        prediction: (H, W) integer or bool, 0 is background.
        reference: of the same shape.

    Returns:
        From 0 to 1.

    Raises:
        ValueError: if the shapes differ.
    """
    if prediction.shape != reference.shape:
        raise ValueError(f"prediction {prediction.shape} and reference {reference.shape} differ in shape")
    predicted, referred = prediction > 0, reference > 0
    total = np.count_nonzero(predicted) + np.count_nonzero(referred)
    return 2 * np.count_nonzero(predicted & referred) / total if total else 1.0


class Dice(Metric):
    """Mean over images of the Dice of each; the same figure, however many processes share the images."""

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
        """Add images.

        Args:
            prediction: labels (N, H, W) integer or bool, 0 is background.
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
        """Mean over the images, a scalar; not a number if there were none."""
        return self.total / self.images
