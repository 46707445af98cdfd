"""Rows of a benchmark."""

from __future__ import annotations

import numpy as np

from cards.benchmark.results import ModelResult
from cards.metrics import PRIMARY
from cards.scores import ImageScore
from finetune.benchmark.describe import Description
from finetune.metrics.summary import bootstrap_mean


def model_result(
    description: Description,
    key: str,
    scores: list[ImageScore],
    error: str | None = None,
    hardware: str | None = None,
) -> ModelResult:
    """Build a row of the results.

    Args:
        description: of the model.
        key: identifies entry and images, for resuming.
        scores: of each image.
        error: why the model could not be measured.
        hardware: on which times were measured; None for that of the benchmark.

    Returns:
        The row, with the bootstrap interval of the mean Dice.
    """
    dice = np.array([score.metrics[PRIMARY] for score in sorted(scores, key=lambda score: score.image)])
    return ModelResult(
        key=key,
        title=description.title,
        repository=description.repository,
        stage=description.stage,
        license=description.license,
        parameters=description.parameters,
        exposure=description.exposure,
        scores=scores,
        hardware=hardware,
        interval=bootstrap_mean(dice) if len(dice) > 1 else None,
        error=error,
    )
