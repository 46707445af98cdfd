"""What every run looks for before it knows its network: the images, where it is, what a recipe left open."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from rich.console import Console
from rich.progress import Progress

from cards import environment
from cards.base import LabelKind
from cards.record import DataFile, Environment
from finetune.data.augmentation import Augmentation
from finetune.data.datamodule import SegmentationData
from finetune.data.datasets import NamedData, fetch, is_published, named
from finetune.data.inspection import check_data
from finetune.data.normalization import Normalize
from finetune.data.pairs import Pair, find_pairs
from finetune.data.splits import assign_splits
from finetune.recipe.schema import DataSection, Recipe
from finetune.targets.base import LabelEncoding


@dataclass
class InputData:
    """Images as they were found and read, before anything is made of them.

    Attributes:
        named: the named data set, if the images are its, pixel for pixel.
        pairs: with their splits.
        label_kind: what the masks hold.
        files: what was read of every image.
        split_by: how the split was made, in words.
        channels: of an image that the network sees.
        warnings: what a person should know, in words.
    """

    named: NamedData | None
    pairs: list[Pair]
    label_kind: LabelKind
    files: list[DataFile]
    split_by: str
    channels: int
    warnings: list[str]


def capture_environment() -> Environment:
    """Where this process runs."""
    return environment.capture_environment(
        [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    )


def collect_data(
    recipe: Recipe, target_kind: Literal["instances", "boundary"], console: Console
) -> InputData:
    """Find the images, split them, and read each of them once.

    Args:
        recipe: its section data.
        target_kind: what labels are to hold.
        console: where progress goes.

    Raises:
        InputError: if there are none, or one cannot be used.
    """
    known = named(recipe.data.name) if recipe.data.name is not None else None
    label_kind: LabelKind = recipe.data.labels or (known.labels if known else "instances")
    pairs, root = _find(recipe.data, known)
    pairs, split_by = assign_splits(
        pairs, validation=recipe.data.validation, test=recipe.data.test, seed=recipe.data.split_seed
    )
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("reading images", total=len(pairs))
        files, warnings = check_data(
            pairs,
            label_kind,
            target_kind,
            recipe.data.channels,
            root,
            lambda done, _: progress.update(task, completed=done),
        )
    if known and is_published(known, files) is False:
        warnings.append(
            f"these are not, pixel for pixel, the images known as {known.id}: the card does not call them so"
        )
        known = None
    return InputData(known, pairs, label_kind, files, split_by, _channels(recipe.data, files), warnings)


def build_data(
    recipe: Recipe, found: InputData, target: LabelEncoding, normalize: Normalize, *, squared: bool = False
) -> SegmentationData:
    """The images as training and evaluation take them.

    Args:
        recipe: its sections data and training, with all filled in.
        found: the images.
        target: what is learned from them.
        normalize: as the network's weights want it.
        squared: see `SegmentationData`.
    """
    training = recipe.training
    return SegmentationData(
        found.pairs,
        target,
        normalize,
        label_kind=found.label_kind,
        channels=recipe.data.channels,
        augmentation=Augmentation(**training.augmentation.model_dump()),
        patch=training.patch,
        batch_size=training.batch_size,
        images_per_epoch=training.images_per_epoch,
        views=training.views,
        squared=squared,
        workers=training.workers,
        seed=training.seed,
    )


def warn_about_missing_splits(data: SegmentationData) -> list[str]:
    """What cannot be done for want of images, in words."""
    missing = []
    if not data.of("validation"):
        missing.append(
            "there are no validation images: the weights of the last epoch are kept, and nothing stops early"
        )
    if not data.of("test"):
        missing.append("there are no test images: accuracy is not measured")
    return missing


def resolve_defaults(recipe: Recipe, label_kind: LabelKind, default_learning_rate: float) -> Recipe:
    """Put in what the recipe left open, so that the record tells what was done."""
    data = recipe.data.model_copy(update={"labels": label_kind})
    rate = recipe.training.learning_rate or default_learning_rate
    training = recipe.training.model_copy(update={"learning_rate": rate})
    return recipe.model_copy(update={"data": data, "training": training})


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
