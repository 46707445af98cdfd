"""Selection of decoding thresholds on the validation images.

A recipe requests it with the value `auto`: `model.target_options: {prob_threshold: auto}`. StarDist selects
its thresholds the same way after training (`optimize_thresholds` in stardist/models/base.py), by matched
instances alone; here Dice counts as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product
from typing import Any

from finetune.data.reader import Sample
from finetune.evaluation.evaluate import score
from finetune.evaluation.plausibility import MOST_TIMES, decode_plausible, instance_limit, instances_of
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


def select_options(
    model: Model, names: list[str], samples: Iterable[Sample], warn: Callable[[str], None] | None = None
) -> Target:
    """Grid search over the target's `choices` for the highest mean of Dice + AP at an IoU threshold of 0.5.

    Of equal combinations, the one nearest to the target's defaults is selected. Only one image and its maps
    are in memory at a time. A combination with which an image gets an implausible number of instances (see
    `instance_limit`) is not selected, and is not tried on the images that follow.

    Args:
        model: the trained model.
        names: options to select.
        samples: images with reference labels that were not trained on.
        warn: called with one line if no combination is plausible.

    Returns:
        The model's target with the selected values, or with its defaults if there are no images or no
        combination is plausible.
    """
    name, options = model.target.name, model.target.options()
    values = [_default_first(model.target.choices[option], options[option]) for option in names]
    candidates = [
        build_target(name, options | dict(zip(names, combination, strict=True)))
        for combination in product(*values)
    ]
    total = dict.fromkeys(range(len(candidates)), 0.0)
    for sample in samples:
        maps = model.predict_maps(model.prepare(sample.pixels))
        limit = instance_limit(instances_of(sample.labels, model.target))
        for number in list(total):
            labels = decode_plausible(candidates[number], maps, limit)
            if labels is None:
                del total[number]
                continue
            scored = score(model, sample, labels, 0.0)
            total[number] += scored.metrics["dice"] + scored.metrics["ap50"]
    if not total and warn:
        warn(
            f"{', '.join(names)}: the default is kept, because with all candidates the model predicts more "
            f"than {MOST_TIMES} times as many instances as a validation image holds: train longer"
        )
    return candidates[max(total, key=total.__getitem__, default=0)]


def _default_first(values: tuple[float, ...], default: float) -> list[float]:
    return sorted(values, key=lambda value: abs(value - default))
