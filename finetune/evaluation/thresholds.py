"""Selection of decoding thresholds on the validation images.

A recipe requests it with the value `auto`: `model.target_options: {prob_threshold: auto}`. StarDist selects
its thresholds the same way after training (`optimize_thresholds` in stardist/models/base.py), by matched
instances alone; here Dice counts as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any

from finetune.data.patches import Sample
from finetune.evaluation.evaluate import score
from finetune.inference.model import Model
from finetune.targets.registry import AUTO, Target, build_target


def auto_options(target: str, options: dict[str, Any]) -> list[str]:
    """Names of the target options that are selected on validation images: those with the value `auto`.

    Args:
        target: `model.target` of a recipe.
        options: `model.target_options`.

    Returns:
        The names, sorted.

    Raises:
        RecipeError: if an option cannot be `auto`.
    """
    build_target(target, options)  # validates the options
    return sorted(option for option, value in options.items() if value == AUTO)


def select_options(model: Model, names: list[str], samples: Iterable[Sample]) -> Target:
    """Grid search over the target's `choices` for the highest mean of Dice + AP at an IoU threshold of 0.5.

    Of equal combinations, the one nearest to the target's defaults is selected. Only one image and its maps
    are in memory at a time.

    Args:
        model: the trained model.
        names: options to select.
        samples: images with reference labels that were not trained on.

    Returns:
        The model's target with the selected values, or with its defaults if there are no images.
    """
    name, options = model.target.name, model.target.options()
    values = [_default_first(model.target.choices[option], options[option]) for option in names]
    candidates = [
        build_target(name, options | dict(zip(names, combination, strict=True)))
        for combination in product(*values)
    ]
    total = [0.0] * len(candidates)
    for sample in samples:
        maps = model.predict_maps(model.prepare(sample.pixels))
        for number, candidate in enumerate(candidates):
            scored = score(model, sample, candidate.decode(maps), 0.0)
            total[number] += scored.metrics["dice"] + scored.metrics["ap50"]
    return candidates[max(range(len(candidates)), key=total.__getitem__)]


def _default_first(values: tuple[float, ...], default: float) -> list[float]:
    return sorted(values, key=lambda value: abs(value - default))
