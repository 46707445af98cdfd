"""Options of a target that decide how maps are read back, chosen on validation images.

A recipe asks for it with the value `auto`: `model.target_options: {prob_threshold: auto}`. StarDist does the
same after each training (`optimize_thresholds` in stardist/models/base.py), by the matches it counts; here
Dice counts as well.
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
    """Names of the options that a recipe leaves open: those whose value is `auto`."""
    build_target(target, options)  # says so if one cannot be left open
    return sorted(option for option, value in options.items() if value == AUTO)


def select_options(model: Model, names: list[str], samples: Iterable[Sample]) -> Target:
    """The model's target with the values that serve the images best, of all combinations of its `choices`.

    Best is the highest mean over images of Dice + AP at an IoU of 0.5; of equals the one nearest to the
    target's own defaults, which is tried first. One image with its maps is in memory at a time.

    Args:
        model: trained.
        names: options to choose.
        samples: images with reference labels that were not trained on, as `evaluate` takes them.

    Returns:
        A new target; with its defaults if there are no images.
    """
    name, options = model.target.name, model.target.options()
    values = [_default_first(model.target.choices[option], options[option]) for option in names]
    candidates = [
        build_target(name, options | dict(zip(names, chosen, strict=True))) for chosen in product(*values)
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
