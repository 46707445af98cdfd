"""All metrics of a pair of label images: those of every run, and finer ones for comparing methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from cards.base import LabelKind
from cards.metrics import PRIMARY
from finetune.data.labels import convert
from finetune.metrics.boundary_distance import boundary_distance
from finetune.metrics.instances import average_precision, match_instances
from finetune.metrics.registry import METRICS, compute_metrics
from finetune.targets.pixels import inner_boundary

THRESHOLDS: Final = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""IoU thresholds of COCO, https://cocodataset.org/#detection-eval."""

MEAN_AP, DISTANCE, DISTANCE_95 = "mean_ap", "boundary_distance", "boundary_distance_95"
REFERENCES, PREDICTIONS, MATCHED = "reference_instances", "predicted_instances", "matched_instances"


def detailed_metrics(
    prediction: np.ndarray, reference: np.ndarray, labels: LabelKind = "instances", pixel_size: float = 1.0
) -> dict[str, float | None]:
    """Compute all metrics of one image.

    Args:
        prediction: label image (H, W) integer or bool, 0 is background.
        reference: label image of the same shape.
        labels: content of both. Metrics on pixels compare them as they are; instances are the connected
            components of a foreground, or the regions that a boundary encloses.
        pixel_size: side of a pixel, e.g. in µm, which scales the boundary distances.

    Returns:
        Values by name: all `METRICS`; `ap50` to `ap95` in steps of 0.05 and their mean `mean_ap`;
        `boundary_distance` (mean) and `boundary_distance_95` (95th percentile), None if only one of the
        images has a boundary; numbers of reference, predicted and matched instances.
    """
    instances = (convert(prediction, labels, "instances"), convert(reference, labels, "instances"))
    matches = match_instances(*instances)
    values: dict[str, float | None] = dict(compute_metrics(prediction, reference, instances, matches=matches))
    precisions = {ap_name(threshold): average_precision(matches, threshold) for threshold in THRESHOLDS}
    boundaries = (_boundary(prediction, labels), _boundary(reference, labels))
    distance = boundary_distance(*boundaries)
    values |= {
        **precisions,
        MEAN_AP: float(np.mean(list(precisions.values()))),
        DISTANCE: distance.mean * pixel_size if distance else None,
        DISTANCE_95: distance.percentile_95 * pixel_size if distance else None,
        REFERENCES: float(matches.references),
        PREDICTIONS: float(matches.predictions),
        MATCHED: float(len(matches.matched(THRESHOLDS[0]))),
    }
    return {name: values[name] for name in metric_labels()}


def ap_name(threshold: float) -> str:
    """Name of AP at an IoU threshold.

    Args:
        threshold: from 0 to 1.

    Returns:
        E.g. "ap50".
    """
    return f"ap{round(100 * threshold)}"


def metric_labels(unit: str = "px") -> Mapping[str, str]:
    """Names of the metrics in tables.

    Args:
        unit: of the boundary distances.

    Returns:
        Label by name, in the order of tables and columns.
    """
    precisions = {ap_name(threshold): f"AP{round(100 * threshold)}" for threshold in THRESHOLDS}
    others = {name: metric.label for name, metric in METRICS.items() if name not in (PRIMARY, *precisions)}
    return {
        PRIMARY: METRICS[PRIMARY].label,
        **precisions,
        MEAN_AP: "AP50:95",
        **others,
        DISTANCE: f"Boundary distance ({unit})",
        DISTANCE_95: f"Boundary distance, 95th percentile ({unit})",
        REFERENCES: "Reference instances",
        PREDICTIONS: "Predicted instances",
        MATCHED: "Matched instances (IoU ≥ 0.5)",
    }


def _boundary(image: np.ndarray, labels: LabelKind) -> np.ndarray:
    """Boundary pixels, (H, W) bool."""
    if labels == "boundary":
        return image > 0
    return inner_boundary(image > 0 if labels == "foreground" else image)
