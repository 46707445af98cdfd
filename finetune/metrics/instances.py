"""How well single instances were found: AP and PQ, by the package stardist."""

from __future__ import annotations

import numpy as np

# Keys are those of `cards.scores.ImageScore`.
THRESHOLDS = {"ap50": 0.5, "ap75": 0.75, "ap90": 0.9}


def instance_scores(prediction: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """AP at three thresholds and PQ of one image.

    Instances match one to one where their intersection over union (IoU) reaches a threshold.

        AP = TP / (TP + FP + FN)                         as the 2018 Data Science Bowl scores it
        PQ = Σ IoU of the matches / (TP + FP/2 + FN/2)   at 0.5; Kirillov et al., CVPR 2019, eq. 1

    As with Dice, nothing found where there is nothing is right: two empty images score 1.

    Args:
        prediction: labels (H, W) integer, not negative, 0 is background; any integers, gaps allowed.
        reference: of the same shape.

    Returns:
        ap50, ap75, ap90 and pq, each from 0 to 1.

    Raises:
        ValueError: if the shapes differ.
    """
    if prediction.shape != reference.shape:
        raise ValueError(f"prediction {prediction.shape} and reference {reference.shape} differ in shape")
    if not prediction.any() and not reference.any():
        return dict.fromkeys([*THRESHOLDS, "pq"], 1.0)
    # Takes 2 s, most of it for numba; no tensorflow.
    from stardist.matching import matching

    matches = matching(_compact(reference), _compact(prediction), thresh=tuple(THRESHOLDS.values()))
    scores = {name: float(match.accuracy) for name, match in zip(THRESHOLDS, matches, strict=True)}
    return scores | {"pq": float(matches[0].panoptic_quality)}


def _compact(labels: np.ndarray) -> np.ndarray:
    """As int32, numbered anew if the numbers are huge: stardist makes a table as long as the largest."""
    if labels.max() > labels.size:
        numbers, labels = np.unique(labels, return_inverse=True)
        labels = labels if numbers[0] == 0 else labels + 1
    return labels.astype(np.int32)
