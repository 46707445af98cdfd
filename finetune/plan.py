"""A recipe resolved: images found and checked, network built, nothing trained yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import Progress

from cards.errors import InputError
from cards.fingerprint import environment
from cards.record import DataFile, Environment, LabelKind, Origin, Split
from finetune.data.augment import Augmentation
from finetune.data.catalog import NamedData, fetch, is_published, named
from finetune.data.check import check_data
from finetune.data.module import SegmentationData
from finetune.data.normalise import build_normalise
from finetune.data.pairs import Pair, find_pairs
from finetune.data.splits import assign_splits
from finetune.model import Model
from finetune.recipe import DataSection, Recipe
from finetune.repositories import load
from finetune.targets import build_target
from finetune.training import check_compute


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
        environment: of this process, before it began: the source may change while it runs.
        warnings: what a person should know, in words.
    """

    recipe: Recipe
    named: NamedData | None
    files: list[DataFile]
    split_by: str
    model: Model
    origin: Origin
    data: SegmentationData
    environment: Environment
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
    normalise = build_normalise(recipe.data.normalise)
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
    loaded = load(
        recipe.model.repository,
        recipe.model.name,
        in_channels=channels,
        out_channels=target.channels,
        options=recipe.model.options,
        checkpoint=recipe.model.checkpoint,
        seed=recipe.training.seed,
    )
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
    if not data.of("validation"):
        warnings.append(
            "there are no validation images: the weights of the last epoch are kept, and nothing stops early"
        )
    if not data.of("test"):
        warnings.append("there are no test images: accuracy is not measured")
    model = Model(
        loaded.network, target, normalise, recipe.data.channels, channels, loaded.divisor, loaded.architecture
    )
    return Plan(recipe, known, files, split_by, model, loaded.origin, data, place, warnings)


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
