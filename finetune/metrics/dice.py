"""Dice of one image."""

from __future__ import annotations

import numpy as np


def dice(prediction: np.ndarray, reference: np.ndarray) -> float:
    """Dice = 2 TP / (2 TP + FP + FN) of the foreground of two label images.

    Two empty images score 1, where the formula is 0/0: predicting nothing is correct for an image without
    nuclei.

    Args:
        prediction: label image (H, W) integer or bool, 0 is background.
        reference: label image of the same shape.

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
