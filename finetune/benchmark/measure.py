"""Measurement of one model: accuracy and time per image."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import numpy as np

from cards.base import LabelKind
from cards.scores import ImageScore
from finetune.data.labels import convert
from finetune.inference.protocol import Predictor
from finetune.metrics.registry import compute_metrics


def measure(
    model: Predictor,
    images: Iterable[tuple[str, np.ndarray, np.ndarray]],
    labels: LabelKind,
    advance: Callable[[], None] = lambda: None,
) -> list[ImageScore]:
    """Segment each image and compare it with its reference. One image is in memory at a time.

    Dice compares boundaries if the reference is one, and the foreground otherwise. Instances are the
    connected components of a foreground, or the regions that a boundary encloses.

    Args:
        model: the model.
        images: name, pixels (C, H, W) and reference label image (H, W) of each image.
        labels: content of the reference.
        advance: called after each image.

    Returns:
        Metrics and time per image: from pixels in memory to the label image, batch size 1. The first image is
        segmented once before timing starts (warm-up).
    """
    predicts: LabelKind = getattr(getattr(model, "target", None), "labels", "instances")
    scores = []
    for index, (name, pixels, reference) in enumerate(images):
        if index == 0:
            model.predict(pixels)
        start = time.perf_counter()
        prediction = model.predict(pixels)
        seconds = time.perf_counter() - start
        instances = (convert(prediction, predicts, "instances"), convert(reference, labels, "instances"))
        if labels == "boundary":
            compared = (convert(prediction, predicts, "boundary"), convert(reference, labels, "boundary"))
        else:
            compared = (instances[0] if predicts == "boundary" else prediction, reference)
        metrics = compute_metrics(*compared, instances)
        scores.append(ImageScore(image=name, metrics=metrics, seconds=seconds))
        advance()
    return scores
