"""A recipe resolved: images found and checked, network built, nothing trained yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from rich.console import Console

from cards.base import LabelKind, NetworkSpec, Split
from cards.errors import RecipeError
from cards.record import Environment, Origin
from finetune.adapters import Count, count
from finetune.data.datamodule import SegmentationData
from finetune.data.diameter import mean_diameter
from finetune.data.images import read_labels
from finetune.data.labels import convert
from finetune.data.pairs import Pair
from finetune.evaluation.thresholds import open_options
from finetune.inference.model import Model
from finetune.licenses import check_license
from finetune.pipeline.inputs import (
    InputData,
    build_data,
    capture_environment,
    collect_data,
    resolve_defaults,
    warn_about_missing_splits,
)
from finetune.pipeline.query_check import check_queries, warn_if_too_many_objects
from finetune.pipeline.starting import adapted, load_options, normalize_of, warn_about_frozen_random_weights
from finetune.recipe.schema import Recipe
from finetune.repositories.registry import load
from finetune.targets.registry import Target, build_target
from finetune.training.hardware import resolve_compute

AnyModel = TypeVar("AnyModel")  # a Model, or a PromptedModel


@dataclass
class Plan(Generic[AnyModel]):
    """All that a run knows before it trains.

    Attributes:
        recipe: with everything that was left open filled in.
        found: the images, as they were found and read.
        model: the network with its starting weights, and what it takes to use it.
        origin: where those weights come from.
        data: batches of the images.
        counted: parameters, and how many of them are trained.
        environment: of this process, before it began: the source may change while it runs.
        chosen: options of the target that are chosen on validation images, once it is trained.
        warnings: what a person should know, in words.
    """

    recipe: Recipe
    found: InputData
    model: AnyModel
    origin: Origin
    data: SegmentationData
    counted: Count
    environment: Environment
    chosen: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def count(self, split: Split) -> int:
        """Number of images in a split."""
        return len(self.data.of(split))

    def say(self, console: Console) -> None:
        """Tell a person at the terminal how many images there are, and what to know of them."""
        counts = ", ".join(f"{self.count(split)} {split}" for split in ("train", "validation", "test"))
        console.print(f"{self.recipe.name}: {counts} images", highlight=False)
        for warning in self.warnings:
            console.print(f"warning: {warning}", style="yellow", highlight=False)


def prepare(recipe: Recipe, console: Console) -> Plan[Model]:
    """Resolve a recipe.

    Raises:
        RecipeError: for anything that would keep the run from its end, as far as it can be known now.
    """
    recipe = resolve_compute(recipe)
    place = capture_environment()
    target = build_target(recipe.model.target, recipe.model.target_options)
    found = collect_data(recipe, target.labels, console)
    recipe = _measure_diameter(recipe, found.pairs, found.label_kind)
    start = load_options(recipe, found.channels, target.channels)
    loaded = load(recipe.model.repository, recipe.model.name, start)
    check_license(recipe.card.license, loaded.origin.license, loaded.origin.id)
    _check_grid(loaded.architecture, target)
    check_queries(loaded.network, target, found.files)
    normalize = normalize_of(recipe, loaded)
    recipe = resolve_defaults(recipe, found.label_kind, loaded.learning_rate)
    patch = recipe.training.patch
    if patch % loaded.divisor:
        raise RecipeError(f"training.patch: {patch} is no multiple of {loaded.divisor}, the network's")
    data = build_data(recipe, found, target, normalize)
    warnings = [*found.warnings, *warn_about_frozen_random_weights(recipe, loaded)]
    options = target.options()
    for option, value in loaded.suggests.items():
        if option in options and options[option] != value:
            warnings.append(
                f"the weights were published with {option} {value} of target {target.name}, "
                f"the recipe has {options[option]}"
            )
    warnings += [*warn_about_missing_splits(data), *warn_if_too_many_objects(target, found.files)]
    model = Model(
        network=adapted(recipe, loaded),
        target=target,
        normalize=normalize,
        select=recipe.data.channels,
        channels=found.channels,
        divisor=loaded.divisor,
        architecture=loaded.architecture,
        halo=loaded.halo,
        torchscript=loaded.torchscript,
    )
    chosen = open_options(recipe.model.target, recipe.model.target_options)
    if chosen and not data.of("validation"):
        warnings.append(f"{', '.join(chosen)}: no validation images to choose by, so the default is kept")
        chosen = []
    return Plan(
        recipe=recipe,
        found=found,
        model=model,
        origin=loaded.origin,
        data=data,
        counted=count(model.network),
        environment=place,
        chosen=chosen,
        warnings=warnings,
    )


def _check_grid(architecture: NetworkSpec, target: Target) -> None:
    """A network that predicts for every second pixel needs a target that expects that."""
    theirs, ours = architecture.options.get("grid", 1), target.options().get("grid", 1)
    if theirs != ours:
        raise RecipeError(
            f"the network's maps have a pixel for each {theirs} × {theirs} of the image, the target "
            f"{target.name} expects {ours} × {ours}: set model.options.grid, or take "
            f"model.target=rays with model.target_options.grid={theirs}"
        )


def _measure_diameter(recipe: Recipe, pairs: list[Pair], label_kind: LabelKind) -> Recipe:
    """Put the diameter of the objects in the training labels where an option of the network asks for it."""
    if recipe.model.options.get("diameter") != "auto":
        return recipe
    labels = (
        convert(read_labels(pair.label, pair.page), label_kind, "instances")
        for pair in pairs
        if pair.split == "train"
    )
    options = recipe.model.options | {"diameter": mean_diameter(labels)}
    return recipe.model_copy(update={"model": recipe.model.model_copy(update={"options": options})})
