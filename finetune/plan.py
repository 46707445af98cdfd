"""A recipe resolved: images found and checked, network built, nothing trained yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import Progress

from cards.errors import InputError
from cards.fingerprint import environment
from cards.record import DataFile, Environment, LabelKind, Origin, Split
from finetune.adapt import Count, apply, count
from finetune.data.augment import Augmentation
from finetune.data.catalog import NamedData, fetch, is_published, named
from finetune.data.check import check_data
from finetune.data.diameter import mean_diameter
from finetune.data.images import read_labels
from finetune.data.labels import convert
from finetune.data.module import SegmentationData
from finetune.data.normalise import build_normalise
from finetune.data.pairs import Pair, find_pairs
from finetune.data.splits import assign_splits
from finetune.licences import check_licence
from finetune.model import Model
from finetune.recipe import DataSection, Recipe
from finetune.repositories import load
from finetune.targets import Target, build_target
from finetune.thresholds import open_options
from finetune.training import check_compute

PERCENTILE = {"name": "percentile", "low": 1.0, "high": 99.8}  # where neither recipe nor model say otherwise


@dataclass
class Plan:
    """All that a run knows before it trains.

    Attributes:
        recipe: with everything that was left open filled in.
        named: the named data set, if the images are its, pixel for pixel.
        files: what was read of every image.
        split_by: how the split was made, in words.
        model: the network with its starting weights, and what it takes to use it.
        origin: where those weights come from.
        data: batches of the images.
        counted: parameters, and how many of them are trained.
        environment: of this process, before it began: the source may change while it runs.
        chosen: options of the target that are chosen on validation images, once it is trained.
        warnings: what a person should know, in words.
    """

    recipe: Recipe
    named: NamedData | None
    files: list[DataFile]
    split_by: str
    model: Model
    origin: Origin
    data: SegmentationData
    counted: Count
    environment: Environment
    chosen: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def count(self, split: Split) -> int:
        """Number of images in a split."""
        return len(self.data.of(split))


def prepare(recipe: Recipe, console: Console) -> Plan:
    """Resolve a recipe.

    Raises:
        InputError: for anything that would keep the run from its end, as far as it can be known now.
    """
    check_compute(recipe.compute)
    place = environment([torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())])
    target = build_target(recipe.model.target, recipe.model.target_options)
    known = named(recipe.data.name) if recipe.data.name is not None else None
    held: LabelKind = recipe.data.labels or (known.labels if known else "instances")
    found, root = _find(recipe.data, known)
    pairs, split_by = assign_splits(
        found, validation=recipe.data.validation, test=recipe.data.test, seed=recipe.data.split_seed
    )
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("reading images", total=len(pairs))
        files, warnings = check_data(
            pairs,
            held,
            target.labels,
            recipe.data.channels,
            root,
            lambda done, _: progress.update(task, completed=done),
        )
    if known and is_published(known, files) is False:
        warnings.append(
            f"these are not, pixel for pixel, the images known as {known.id}: the card does not call them so"
        )
        known = None
    channels = _channels(recipe.data, files)
    recipe = _measure_diameter(recipe, pairs, held)
    loaded = load(
        recipe.model.repository,
        recipe.model.name,
        in_channels=channels,
        out_channels=target.channels,
        options=recipe.model.options,
        checkpoint=recipe.model.checkpoint,
        pretrained=recipe.model.pretrained,
        revision=recipe.model.revision,
        trust=recipe.model.trust,
        seed=recipe.training.seed,
    )
    check_licence(recipe.card.licence, loaded.origin.licence, loaded.origin.id)
    _check_grid(loaded.architecture, target)
    normalise = build_normalise(recipe.data.normalise or loaded.normalise or PERCENTILE)
    recipe = _fill_in(recipe, held, loaded.learning_rate)
    training = recipe.training
    if training.patch % loaded.divisor:
        raise InputError(
            f"training.patch: {training.patch} is no multiple of {loaded.divisor}, the network's"
        )
    data = SegmentationData(
        pairs,
        target,
        normalise,
        held=held,
        channels=recipe.data.channels,
        augmentation=Augmentation(**training.augmentation.model_dump()),
        patch=training.patch,
        batch_size=training.batch_size,
        images_per_epoch=training.images_per_epoch,
        workers=training.workers,
        seed=training.seed,
    )
    if recipe.model.adapt != "full" and loaded.origin.weights == "random":
        warnings.append(f"model.adapt: {recipe.model.adapt} keeps weights as they are that are random")
    options = target.options()
    for option, value in loaded.suggests.items():
        if option in options and options[option] != value:
            warnings.append(
                f"the weights were published with {option} {value} of target {target.name}, "
                f"the recipe has {options[option]}"
            )
    if not data.of("validation"):
        warnings.append(
            "there are no validation images: the weights of the last epoch are kept, and nothing stops early"
        )
    if not data.of("test"):
        warnings.append("there are no test images: accuracy is not measured")
    network = apply(
        loaded.network, recipe.model.adapt, recipe.model.adapt_options, loaded.encoder, training.seed
    )
    model = Model(
        network,
        target,
        normalise,
        recipe.data.channels,
        channels,
        loaded.divisor,
        loaded.architecture,
        loaded.halo,
    )
    chosen = open_options(recipe.model.target, recipe.model.target_options)
    if chosen and not data.of("validation"):
        warnings.append(f"{', '.join(chosen)}: no validation images to choose by, so the default is kept")
        chosen = []
    counted = count(network)
    return Plan(
        recipe, known, files, split_by, model, loaded.origin, data, counted, place, chosen, warnings
    )


def _check_grid(architecture: dict[str, Any], target: Target) -> None:
    """A network that predicts for every second pixel needs a target that expects that."""
    theirs, ours = architecture.get("options", {}).get("grid", 1), target.options().get("grid", 1)
    if theirs != ours:
        raise InputError(
            f"the network's maps have a pixel for each {theirs} × {theirs} of the image, the target "
            f"{target.name} expects {ours} × {ours}: set model.options.grid, or take "
            f"model.target=rays with model.target_options.grid={theirs}"
        )


def _measure_diameter(recipe: Recipe, pairs: list[Pair], held: LabelKind) -> Recipe:
    """Put the diameter of the objects in the training labels where an option of the network asks for it."""
    if recipe.model.options.get("diameter") != "auto":
        return recipe
    labels = (
        convert(read_labels(pair.label, pair.page), held, "instances")
        for pair in pairs
        if pair.split == "train"
    )
    options = recipe.model.options | {"diameter": mean_diameter(labels)}
    return recipe.model_copy(update={"model": recipe.model.model_copy(update={"options": options})})


def _find(section: DataSection, known: NamedData | None) -> tuple[list[Pair], Path]:
    """Pairs of images and masks, and the folder they lie in."""
    if section.csv is not None:
        return find_pairs(section.csv.parent, layout="csv", csv=section.csv.name), section.csv.parent
    root = section.root
    if root is None:
        assert known is not None  # the recipe has a name, a root or a table
        root = fetch(known)
    return find_pairs(root, layout=section.layout), root


def _channels(section: DataSection, files: list[DataFile]) -> int:
    """How many channels the network sees; check_data has made sure that all images agree."""
    if section.channels == "gray":
        return 1
    return len(section.channels) if isinstance(section.channels, list) else files[0].shape[0]


def _fill_in(recipe: Recipe, held: LabelKind, default_learning_rate: float) -> Recipe:
    """Put in what the recipe left open, so that the record tells what was done."""
    data = recipe.data.model_copy(update={"labels": held})
    rate = recipe.training.learning_rate or default_learning_rate
    training = recipe.training.model_copy(update={"learning_rate": rate})
    return recipe.model_copy(update={"data": data, "training": training})
