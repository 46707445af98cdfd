"""What a run chose by its score on images, which therefore are *selected on*."""

from __future__ import annotations

from typing import Any

from cards.evidence import Selection
from finetune.pipeline.plan import Plan
from finetune.training.history import METRICS, History

THRESHOLDS = "mean Dice + AP50 + AP75"
"""The score that `evaluation.thresholds.select_options` maximizes."""


def find_selections(plan: Plan[Any], history: History) -> list[Selection]:
    """List what was chosen by its score: the epoch, and the target options that the recipe left `auto`.

    Args:
        plan: the resolved recipe with the trained model.
        history: the training history.

    Returns:
        One entry for each choice; none without validation images.
    """
    images = plan.count("validation")
    chosen: list[tuple[str, Any, str]] = []
    if history.best_epoch is not None:
        best = next(epoch for epoch in history.epochs if epoch["epoch"] == history.best_epoch)
        metric = next(label for name, label in METRICS.items() if best.get(name) is not None)
        chosen.append(("epoch", history.best_epoch, metric.removeprefix("validation ")))
    options = plan.model.target.options()
    chosen += [(name, options[name], THRESHOLDS) for name in plan.auto_options]
    return [
        Selection(what=what, value=str(value), metric=metric, split="validation", images=images)
        for what, value, metric in chosen
    ]
