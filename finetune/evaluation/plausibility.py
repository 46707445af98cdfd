"""Guards against nonsense: far too many or far too small predicted instances, compared with the reference.

A barely trained model may propose an object in every pixel. Dice and AP alone do not reveal that: many tiny
objects still cover the foreground.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from finetune.data.labels import convert
from finetune.data.reader import Sample
from finetune.targets.base import LabelEncoding, Target

MOST_TIMES = 5
"""Predicted instances per reference instance from which a prediction is nonsense rather than inaccurate."""
MOST_MORE = 50  # instances per image that are tolerated on top: debris in an image of few cells
SMALLEST = 10  # times smaller than the reference: fragments, not objects
CROP = 128  # pixels: height and width of the part that is decoded first


class ImageCounts(NamedTuple):
    """Instances of one image.

    Attributes:
        predicted: number of predicted instances.
        reference: number of reference instances.
        predicted_area: median area of the predicted instances in pixels; 0 if there is none.
        reference_area: median area of the reference instances in pixels; 0 if there is none.
    """

    predicted: int
    reference: int
    predicted_area: float
    reference_area: float


def compare_counts(labels: np.ndarray, sample: Sample, target: LabelEncoding) -> ImageCounts:
    """Compare number and area of predicted and reference instances.

    Args:
        labels: predicted label image (H, W), as the target decodes it.
        sample: image with reference labels.
        target: states the type of the labels.

    Returns:
        Numbers and areas.
    """
    predicted, reference = (_areas(image, target) for image in (labels, sample.labels))
    medians = (float(np.median(areas)) if areas.size else 0.0 for areas in (predicted, reference))
    return ImageCounts(predicted.size, reference.size, *medians)


def instances_of(labels: np.ndarray, target: LabelEncoding) -> int:
    """Count the instances of a label image.

    Args:
        labels: (H, W), as the target encodes and decodes them.
        target: states the type of the labels.

    Returns:
        The number of instances.
    """
    return int(_areas(labels, target).size)


def instance_limit(reference: int) -> int:
    """Largest plausible number of predicted instances in an image.

    Args:
        reference: number of reference instances.

    Returns:
        `MOST_TIMES` × reference + `MOST_MORE`.
    """
    return MOST_TIMES * reference + MOST_MORE


def decode_plausible(target: Target, maps: np.ndarray, limit: int) -> np.ndarray | None:
    """Decode maps unless that gives an implausible number of instances.

    The center is decoded first, so that nonsense costs no more than a small image: non-maximum suppression
    takes minutes if every pixel of a large image proposes an object.

    Args:
        target: decodes the maps.
        maps: (K, H, W) float32.
        limit: largest plausible number of instances.

    Returns:
        Labels (H, W) int32; None if there are more instances than the limit.
    """
    top, left = (max(0, (size - CROP) // 2) for size in maps.shape[1:])
    center = maps[:, top : top + CROP, left : left + CROP]
    if center.shape != maps.shape and instances_of(target.decode(center), target) > limit:
        return None
    labels = target.decode(maps)
    return labels if instances_of(labels, target) <= limit else None


def warn_about_instances(counts: Sequence[ImageCounts]) -> list[str]:
    """Warn if a model predicts no, far too many or far too small instances.

    Args:
        counts: one entry per image.

    Returns:
        At most one line per kind of finding, with numbers.
    """
    images = len(counts)
    if not images:
        return []
    predicted, reference = (sum(count[index] for count in counts) for index in (0, 1))
    warnings = []
    if predicted > MOST_TIMES * reference + MOST_MORE * images:
        warnings.append(
            f"the model predicts {predicted / images:,.0f} instances per test image, the reference has "
            f"{reference / images:,.0f}: it is not usable; train longer, or check the masks and "
            "model.target_options"
        )
    if reference and not predicted:
        warnings.append(
            f"the model predicts no instance in any test image, the reference has {reference:,}: train "
            "longer, or check the masks"
        )
    areas = [(one.predicted_area, one.reference_area) for one in counts if one.predicted and one.reference]
    if areas:
        small, large = np.median(areas, axis=0)
        if small * SMALLEST < large:
            warnings.append(
                f"predicted instances are fragments: their median area is {small:,.0f} pixels, that of the "
                f"reference {large:,.0f}"
            )
    return warnings


def _areas(labels: np.ndarray, target: LabelEncoding) -> np.ndarray:
    """Areas of all instances in pixels."""
    instances = convert(labels, target.labels, "instances")  # renumbered if labels are larger than the image
    areas = np.bincount(instances.ravel())[1:]
    return areas[areas > 0]
