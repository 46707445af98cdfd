"""Matched, extra and missed instances of all images together.

A mean over images gives each image the same weight, these counts each instance. `matching_dataset` of
stardist 0.9.2 counts in this way unless `by_image=True`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from finetune.evaluation.detailed import MATCHED, PREDICTIONS, REFERENCES


@dataclass(frozen=True)
class PooledCounts:
    """Instances of all images at an IoU threshold of 0.5.

    Attributes:
        true_positives: matched pairs of a reference and a predicted instance.
        false_positives: predicted instances that match no reference instance.
        false_negatives: reference instances that match no predicted instance.
    """

    true_positives: int
    false_positives: int
    false_negatives: int

    def rates(self) -> dict[str, float]:
        """Ratios of the counts.

        Returns:
            `ap50` = TP / (TP + FP + FN), `precision` = TP / (TP + FP), `recall` = TP / (TP + FN) and `f1` =
            2TP / (2TP + FP + FN); 1 where there is nothing to count.
        """
        matched, extra, missed = self.true_positives, self.false_positives, self.false_negatives
        parts = {
            "ap50": (matched, extra + missed),
            "precision": (matched, extra),
            "recall": (matched, missed),
            "f1": (2 * matched, extra + missed),
        }
        return {
            name: right / (right + wrong) if right + wrong else 1.0 for name, (right, wrong) in parts.items()
        }


def pool(images: Mapping[str, Mapping[str, float | None]]) -> PooledCounts:
    """Add up the instances of all images.

    Args:
        images: the metrics of each image, see `finetune.evaluation.detailed.detailed_metrics`.

    Returns:
        The counts.
    """
    matched, predicted, reference = (
        sum(round(values[name] or 0) for values in images.values())
        for name in (MATCHED, PREDICTIONS, REFERENCES)
    )
    return PooledCounts(matched, predicted - matched, reference - matched)
