"""Metrics on instances: AP and PQ, from a one-to-one matching of predicted and reference instances.

The matching is that of `stardist.matching.matching` (stardist 0.9.2, BSD-3-Clause), computed with
scikit-image and scipy so that evaluation needs neither stardist nor numba. IoU is float32, as in stardist, so
that all values are equal.
"""

from __future__ import annotations

import numpy as np


class Matches:
    """Overlapping pairs of a reference and a predicted instance of one image, and their best matching.

    Attributes:
        references: number of reference instances.
        predictions: number of predicted instances.
        rows: (pairs,) int64, index of the reference instance of each overlapping pair, from 0.
        columns: (pairs,) int64, index of the predicted instance.
        iou: (pairs,) float32, intersection over union.
    """

    def __init__(
        self, references: int, predictions: int, rows: np.ndarray, columns: np.ndarray, iou: np.ndarray
    ) -> None:
        """Hold the pairs; a matching is computed when a metric first needs its threshold.

        Args:
            references: number of reference instances.
            predictions: number of predicted instances.
            rows: (pairs,) index of the reference instance.
            columns: (pairs,) index of the predicted instance.
            iou: (pairs,) float32.
        """
        self.references, self.predictions = references, predictions
        self.rows, self.columns, self.iou = rows, columns, iou
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
        reached = self.iou >= threshold
        # Above an IoU of 0.5, an instance reaches the threshold with one other at most: nothing to optimize.
        if all(len(np.unique(index[reached])) == reached.sum() for index in (self.rows, self.columns)):
            return self.iou[reached]
        if threshold >= 0.5:
            return self._most_pairs(reached)
        from scipy.optimize import linear_sum_assignment

        iou = np.zeros((self.references, self.predictions), np.float32)
        iou[self.rows, self.columns] = self.iou
        pairs = linear_sum_assignment(-(iou >= threshold).astype(float) - iou / (2 * min(iou.shape)))
        best = iou[pairs]
        return best[best >= threshold]

    def _most_pairs(self, reached: np.ndarray) -> np.ndarray:
        """Match as many pairs as possible: where one reaches 0.5 with two others, both IoU are 0.5."""
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import maximum_bipartite_matching

        rows, columns, shape = self.rows[reached], self.columns[reached], (self.references, self.predictions)
        graph = csr_array((np.ones(len(rows)), (rows, columns)), shape)
        partners = maximum_bipartite_matching(graph, perm_type="column")
        matched: np.ndarray = self.iou[reached][partners[rows] == columns]
        return matched


def match_instances(prediction: np.ndarray, reference: np.ndarray) -> Matches:
    """Compute the IoU of all overlapping pairs of instances.

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
    nothing = np.zeros(0, np.int64)
    if not prediction.size:
        return Matches(0, 0, nothing, nothing, np.zeros(0, np.float32))
    if min(prediction.min(), reference.min()) < 0:
        raise ValueError("labels must not be negative")
    rows, columns, overlap = _overlaps(_compact(reference), _compact(prediction))
    areas = [np.bincount(index, weights=overlap) for index in (rows, columns)]
    numbers = [np.cumsum(np.append(0, area[1:] > 0)) - 1 for area in areas]  # without gaps, from 0
    both = (rows > 0) & (columns > 0)
    rows, columns, overlap = rows[both], columns[both], overlap[both]
    iou = (overlap / (areas[0][rows] + areas[1][columns] - overlap)).astype(np.float32)
    references, predictions = (int(number[-1]) + 1 for number in numbers)
    return Matches(references, predictions, numbers[0][rows], numbers[1][columns], iou)


def _overlaps(reference: np.ndarray, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Label in the reference, label in the prediction and number of pixels of each overlap."""
    width = int(prediction.max()) + 1
    cells = (int(reference.max()) + 1) * width
    if cells <= max(4 * reference.size, 2**16):
        counts = np.bincount(reference.ravel() * np.int64(width) + prediction.ravel())
        (pairs,) = counts.nonzero()
        return pairs // width, pairs % width, counts[pairs]
    from skimage.metrics import contingency_table

    table = contingency_table(reference, prediction).tocoo()
    return table.row.astype(np.int64), table.col.astype(np.int64), table.data


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
    total = matches.references + matches.predictions - true_positives
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
    false_positives = matches.predictions - len(matched)
    false_negatives = matches.references - len(matched)
    total = len(matched) + false_positives / 2 + false_negatives / 2
    return float(np.sum(matched)) / total if total else 1.0


def _compact(labels: np.ndarray) -> np.ndarray:
    """As int32, renumbered if labels are huge: the table of overlaps has a row up to the largest label."""
    if labels.max() > labels.size:
        numbers, labels = np.unique(labels, return_inverse=True)
        labels = labels if numbers[0] == 0 else labels + 1
    return labels.astype(np.int32)
