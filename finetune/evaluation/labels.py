"""Evaluation of label images that exist already, whatever tool made them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from cards.base import LabelKind
from cards.errors import DataError, InputError
from cards.formatting import counted
from cards.scores import Summary
from finetune.data.layouts import first_few
from finetune.data.mask_checks import Finding, check_mask
from finetune.evaluation.detailed import detailed_metrics
from finetune.evaluation.label_files import LabelPairs, Labels, pair_labels, planes_of, read_pair
from finetune.evaluation.label_warnings import label_warnings
from finetune.evaluation.pooled import PooledCounts, pool
from finetune.metrics.summary import bootstrap_mean

Interval = tuple[float, float]


@dataclass(frozen=True)
class Evaluation:
    """Metrics of label images.

    Attributes:
        images: values by name of the metric, by name of the image. A value is None where a metric is not
            defined, such as the boundary distance to an empty image.
        summary: mean, population standard deviation and median over the images with a value, by metric.
        instances: matched, extra and missed instances of all images together.
        intervals: 95 % bootstrap interval of the mean, by metric; empty with fewer than two images.
        failed: why an image could not be compared, by name; only with `strict=False`.
        without_prediction: names of references without a prediction; only with `strict=False`.
        without_reference: names of predictions without a reference; only with `strict=False`.
        warnings: one line for each reason to doubt that the predictions are label images.
        reference_warnings: the same for the references.
    """

    images: Mapping[str, Mapping[str, float | None]]
    summary: Mapping[str, Summary]
    instances: PooledCounts
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    without_prediction: list[str] = field(default_factory=list)
    without_reference: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    reference_warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Difference:
    """Paired difference of a metric, second minus first prediction.

    Attributes:
        images: number of images with a value in both.
        mean: over images.
        interval: 95 % bootstrap interval of the mean; None with fewer than two images.
    """

    images: int
    mean: float
    interval: Interval | None


def evaluate(
    predictions: Labels,
    reference: Labels,
    *,
    labels: LabelKind = "instances",
    pixel_size: float = 1.0,
    strict: bool = True,
) -> Evaluation:
    """Compare predicted label images with reference label images.

        result = finetune.evaluate("labels/", "reference/")
        result.summary["dice"].mean

    Args:
        predictions: a label image (H, W) of integers (0 is background), a sequence of label images, an image
            file, or a folder of image files.
        reference: the same for the reference; files are matched by name without suffix.
        labels: content of the label images.
        pixel_size: side of a pixel, e.g. in µm, which scales the boundary distances.
        strict: raise an error for an image without a counterpart or one that cannot be compared; otherwise
            the result lists such images.

    Returns:
        Metrics per image, their summary and its bootstrap intervals; `detailed_metrics` defines the metrics.

    Raises:
        InputError: if the pixel size is not a positive number.
        DataError: if there are no images, none can be compared, or with `strict` one cannot.
    """
    if not 0 < pixel_size < math.inf:
        raise InputError(f"pixel size {pixel_size}: must be a number greater than 0")
    pairs = pair_labels(predictions, reference)
    if strict:
        _refuse_unmatched(pairs)
    images: dict[str, dict[str, float | None]] = {}
    failed: dict[str, str] = {}
    findings: tuple[dict[str, Finding | None], ...] = ({}, {})
    for name, pair in pairs.pairs.items():
        planes = {}
        try:
            for plane, page in planes_of(name, *pair).items():
                both = read_pair(plane, *pair, page)
                checked = [check_mask(array, labels) for array in both]
                planes[plane] = detailed_metrics(*both, labels, pixel_size), checked
        except DataError as error:
            if strict:
                raise
            failed[name] = str(error)
            continue
        for plane, (metrics, checked) in planes.items():
            images[plane] = metrics
            for found, finding in zip(findings, checked, strict=True):
                found[plane] = finding
    if not images:
        raise DataError(f"{next(iter(failed.values()))} (no image can be compared)")
    columns = {name: _values(images, name) for name in next(iter(images.values()))}
    return Evaluation(
        images=images,
        instances=pool(images),
        summary={name: Summary.of(values.tolist()) for name, values in columns.items() if len(values)},
        intervals={name: bootstrap_mean(values) for name, values in columns.items() if len(values) > 1},
        failed=failed,
        without_prediction=pairs.without_prediction,
        without_reference=pairs.without_reference,
        warnings=[*label_warnings("predictions", findings[0]), *_not_masks(pairs.left_out[0])],
        reference_warnings=[*label_warnings("references", findings[1]), *_not_masks(pairs.left_out[1])],
    )


def _not_masks(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    return [f"{counted(len(names), 'image')} beside the masks not compared: {first_few(names)}"]


def compare(first: Evaluation, second: Evaluation) -> dict[str, Difference]:
    """Compare two predictions of the same images, image by image.

    Args:
        first: evaluation of the first prediction.
        second: evaluation of the second prediction against the same reference.

    Returns:
        Differences by metric, over the images that have a value in both.

    Raises:
        DataError: if they have no image in common.
    """
    common = sorted(first.images.keys() & second.images.keys())
    if not common:
        raise DataError("the predictions have no image in common; name their files alike, endings aside")
    differences = {}
    for name in (name for name in first.summary if name in second.summary):
        pairs = [(first.images[image][name], second.images[image][name]) for image in common]
        values = np.array([b - a for a, b in pairs if a is not None and b is not None])
        if len(values):
            interval = bootstrap_mean(values) if len(values) > 1 else None
            differences[name] = Difference(len(values), float(values.mean()), interval)
    return differences


def _values(images: Mapping[str, Mapping[str, float | None]], metric: str) -> np.ndarray:
    """Values of a metric, in the order of the names of the images."""
    values = (images[image][metric] for image in sorted(images))
    return np.array([value for value in values if value is not None])


def _refuse_unmatched(pairs: LabelPairs) -> None:
    count = len(pairs.without_prediction) + len(pairs.without_reference)
    for names, side in ((pairs.without_reference, "reference"), (pairs.without_prediction, "prediction")):
        if names:
            raise DataError(f"{names[0]}: has no {side} ({count} images without a counterpart)")
