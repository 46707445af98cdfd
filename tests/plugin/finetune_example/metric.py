"""A metric: by how many instances the prediction differs from the reference."""

from __future__ import annotations

import numpy as np

from finetune.metrics.registry import Metric


def count_error(prediction: np.ndarray, reference: np.ndarray) -> float:
    instances = [np.unique(labels[labels > 0]).size for labels in (prediction, reference)]
    return abs(instances[0] - instances[1])


COUNT_ERROR = Metric(
    count_error,
    label="Count error",
    meaning="absolute difference between the numbers of predicted and reference instances",
    compares="instances",
    higher_is_better=False,
    maximum=None,
)
