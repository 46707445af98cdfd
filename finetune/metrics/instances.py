"""Metrics on instances: AP and PQ, from a one-to-one matching of predicted and reference instances.

The matching is that of `stardist.matching.matching` (stardist 0.9.2, BSD-3-Clause), computed with
scikit-image and scipy so that evaluation needs neither stardist nor numba. IoU is float32, as in stardist, so
that all values are equal.
"""

from __future__ import annotations

import numpy as np


class Matches:
    """IoU of all pairs of a reference and a predicted instance of one image, and their best matching.

    Attributes:
        iou: (reference instances, predicted instances) float32, intersection over union.
    """

    def __init__(self, iou: np.ndarray) -> None:
        """Hold the table; a matching is computed when a metric first needs its threshold.

        Args:
            iou: (reference instances, predicted instances) float32.
        """
        self.iou = iou
        self._matched: dict[float, np.ndarray] = {}

    def matched(self, threshold: float) -> np.ndarray:
        """IoU of the matched pairs.

        Instances match one to one, so that as many pairs as possible reach the threshold and, among those
        matchings, the sum of IoU is largest.

        Args:
            threshold: smallest IoU of a pair, above 0 and at most 1.

        Returns:
            (TP,) float32, one value for each pair.
        """
        if threshold not in self._matched:
            self._matched[threshold] = self._match(threshold)
        return self._matched[threshold]

    def _match(self, threshold: float) -> np.ndarray:
        from scipy.optimize import linear_sum_assignment

        if not self.iou.size:
            return np.zeros(0, np.float32)
        reached = (self.iou >= threshold).astype(float)
        pairs = linear_sum_assignment(-reached - self.iou / (2 * min(self.iou.shape)))
        iou = self.iou[pairs]
        return iou[iou >= threshold]


def match_instances(prediction: np.ndarray, reference: np.ndarray) -> Matches:
    """Compute the IoU of all pairs of instances.

    Args:
        prediction: label image (H, W) integer, not negative, 0 is background; numbering may have gaps.
        reference: label image of the same shape.

    Returns:
        The matching of both.

    Raises:
        ValueError: if the shapes differ or a label is negative.
    """
    if prediction.shape != reference.shape:
        raise ValueError(f"prediction {prediction.shape} and reference {reference.shape} differ in shape")
    if not prediction.size:
        return Matches(np.zeros((0, 0), np.float32))
    from skimage.metrics import contingency_table

    overlap = contingency_table(_compact(reference), _compact(prediction))
    rows, columns = (np.unique(axis) for axis in overlap.nonzero())
    overlap = overlap[rows][:, columns].toarray()
    union = overlap.sum(axis=1, keepdims=True) + overlap.sum(axis=0, keepdims=True) - overlap
    iou = (overlap / union).astype(np.float32)
    return Matches(iou[rows > 0][:, columns > 0])


def average_precision(matches: Matches, threshold: float) -> float:
    """AP = TP / (TP + FP + FN) at an IoU threshold, as the 2018 Data Science Bowl scores an image.

    Caicedo et al. 2019, https://doi.org/10.1038/s41592-019-0612-7. Two images without instances score 1.

    Args:
        matches: of one image.
        threshold: smallest IoU of a true positive.

    Returns:
        From 0 to 1.
    """
    true_positives = len(matches.matched(threshold))
    total = sum(matches.iou.shape) - true_positives
    return true_positives / total if total else 1.0


def panoptic_quality(matches: Matches, threshold: float = 0.5) -> float:
    """PQ = Σ IoU of the matched pairs / (TP + FP/2 + FN/2).

    Kirillov et al., CVPR 2019, equation 1. Two images without instances score 1.

    Args:
        matches: of one image.
        threshold: smallest IoU of a true positive.

    Returns:
        From 0 to 1.
    """
    matched = matches.matched(threshold)
    references, predictions = matches.iou.shape
    false_positives, false_negatives = predictions - len(matched), references - len(matched)
    total = len(matched) + false_positives / 2 + false_negatives / 2
    return float(np.sum(matched)) / total if total else 1.0


def _compact(labels: np.ndarray) -> np.ndarray:
    """As int32, renumbered if labels are huge: the table of overlaps has a row up to the largest label."""
    if labels.max() > labels.size:
        numbers, labels = np.unique(labels, return_inverse=True)
        labels = labels if numbers[0] == 0 else labels + 1
    return labels.astype(np.int32)
