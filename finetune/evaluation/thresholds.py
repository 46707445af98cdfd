"""Selection of decoding thresholds on the validation images.

A recipe requests it with the value `auto`: `model.target_options: {prob_threshold: auto}`. StarDist selects
its thresholds the same way after training (`optimize_thresholds` in stardist/models/base.py), by instances
matched at several IoU thresholds; here Dice counts as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from finetune.data.reader import Sample
from finetune.evaluation.evaluate import score
from finetune.evaluation.plausibility import MOST_TIMES, decode_plausible, instance_limit, instances_of
from finetune.inference.model import Model
from finetune.targets.base import Refining
from finetune.targets.registry import AUTO, Target, build_target

CRITERIA = ("dice", "ap50", "ap75")


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
    """Grid search over the target's `choices` for the highest mean of Dice + AP50 + AP75.

    Dice and AP50 alone accept coarse outlines: an instance counts for AP50 if its IoU is 0.5.

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
    groups = _by_first_step(candidates)
    total = dict.fromkeys(range(len(candidates)), 0.0)
    for sample in samples:
        maps = model.predict_maps(model.prepare(sample.pixels))
        limit = instance_limit(instances_of(sample.labels, model.target))
        for group in list(groups):
            labels = decode_plausible(group.first_step, maps, limit)
            if labels is None:
                groups.remove(group)
                for number in group.numbers:
                    del total[number]
                continue
            for number in group.numbers:
                scored = score(model, sample, _refine(candidates[number], labels, maps), 0.0)
                total[number] += sum(scored.metrics[name] for name in CRITERIA)
    if not total and warn:
        warn(
            f"{', '.join(names)}: the default is kept, because with all candidates the model predicts more "
            f"than {MOST_TIMES} times as many instances as a validation image holds: train longer"
        )
    return candidates[max(total, key=total.__getitem__, default=0)]


class _Group(NamedTuple):
    """Candidates that differ in the last step of `decode` only.

    Attributes:
        first_step: their target without this step.
        numbers: their indices.
    """

    first_step: Target
    numbers: list[int]


def _by_first_step(candidates: Sequence[Target]) -> list[_Group]:
    groups: dict[str, _Group] = {}
    for number, candidate in enumerate(candidates):
        options = candidate.options()
        if isinstance(candidate, Refining):
            options[candidate.refinement] = 0
        groups.setdefault(repr(options), _Group(build_target(candidate.name, options), [])).numbers.append(
            number
        )
    return list(groups.values())


def _refine(candidate: Target, labels: np.ndarray, maps: np.ndarray) -> np.ndarray:
    return candidate.refine(labels, maps) if isinstance(candidate, Refining) else labels


def _default_first(values: tuple[float, ...], default: float) -> list[float]:
    return sorted(values, key=lambda value: abs(value - default))
