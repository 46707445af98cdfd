"""Inputs of a run: images located, split and inspected; environment and device captured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from rich.console import Console

from cards.base import LabelKind, Split
from cards.environment import capture_environment
from cards.evidence import Leakage
from cards.image_statistics import ImageStatistics
from cards.paths import expand_user
from cards.record import DataFile, Environment
from finetune.data.data_warnings import Checked, data_warnings, unread_warnings
from finetune.data.datasets import NamedData, fetch, is_published, named
from finetune.data.fields import fields
from finetune.data.images import read_image
from finetune.data.inspection import check_labeled, inspect_pairs
from finetune.data.pairs import Pair, find_pairs
from finetune.data.relations import Imprint, find_links, leakage_warnings, relate
from finetune.data.splits import assign_splits, keep_fraction
from finetune.data.statistics import summarize
from finetune.recipe.schema import DataSection, Recipe
from finetune.training.hardware import device_of, resolve_compute
from finetune.utils.progress import stage
from finetune.utils.registration import providers


@dataclass(frozen=True)
class RunInputs:
    """Everything a run knows before it loads a network.

    Attributes:
        recipe: the recipe with the precision and the label type filled in.
        environment: hardware and software, captured before the run starts, because the source may change
            while it runs.
        device: the device for evaluation and for training in a single process.
        named: the named data set, if the images are pixel for pixel those of that data set.
        pairs: images and label images, each assigned to a split.
        label_kind: what the label images contain.
        files: shape, hashes and number of instances of each pair.
        split_by: how the split was made, in words.
        channels: number of image channels that the network sees.
        leakage: relations of validation and test images to training images.
        statistics: brightness, contrast, size of objects and pixels of the training images.
        warnings: findings of the inspection.
    """

    recipe: Recipe
    environment: Environment
    device: torch.device
    named: NamedData | None
    pairs: list[Pair]
    label_kind: LabelKind
    files: list[DataFile]
    split_by: str
    channels: int
    leakage: Leakage
    statistics: ImageStatistics | None
    warnings: list[str]


def collect_inputs(
    recipe: Recipe, target_kind: Literal["instances", "boundary"], console: Console
) -> RunInputs:
    """Locate, split and inspect the images; resolve defaults; capture environment and device.

    Args:
        recipe: a recipe, whose sections `data` and `compute` are used.
        target_kind: the label type that the target is trained on.
        console: where progress is shown.

    Returns:
        The inputs, with the recipe as far as it can be resolved without a network.

    Raises:
        InputError: if the section `compute` is invalid, no images are found, or an image cannot be used.
    """
    recipe = resolve_compute(recipe)
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    captured = capture_environment(gpus, providers())
    dataset = named(recipe.data.name) if recipe.data.name is not None else None
    label_kind: LabelKind = recipe.data.labels or (dataset.labels if dataset else "instances")
    pairs, root = locate_pairs(recipe.data, dataset)
    drawn = not any(pair.split == "validation" for pair in pairs)
    remedy = "data.split=by-field keeps related images in one split" if drawn else ""
    pairs, checked, split_by = _inspect(pairs, root, label_kind, recipe.data, console)
    warnings = []
    if dataset and is_published(dataset, [one.file for one in checked]) is False:
        warnings.append(
            f"the images differ from the published data set {dataset.id}; the card does not name it"
        )
        dataset = None
    if recipe.data.csv is None:  # a table is a choice of files
        warnings += unread_warnings(root, pairs)
    pairs, checked, split_by = _fraction(pairs, checked, split_by, recipe.data)
    check_labeled(pairs, checked)
    files = [one.file for one in checked]
    with console.status("comparing images"):
        leakage = _relate(pairs, checked)
    counts = {split: sum(pair.split == split for pair in pairs) for split in get_args(Split)}
    warnings = [
        *data_warnings(checked, label_kind, target_kind),
        *leakage_warnings(leakage, counts, remedy),
        *warnings,
    ]
    data = recipe.data.model_copy(update={"labels": label_kind})
    return RunInputs(
        recipe=recipe.model_copy(update={"data": data}),
        environment=captured,
        device=device_of(recipe.compute),
        named=dataset,
        pairs=pairs,
        label_kind=label_kind,
        files=files,
        split_by=split_by,
        channels=_channels(recipe.data, files),
        leakage=leakage,
        statistics=_statistics(checked),
        warnings=warnings,
    )


def locate_pairs(section: DataSection, dataset: NamedData | None) -> tuple[list[Pair], Path]:
    """Find the pairs of images and label images.

    Args:
        section: the section `data` of a recipe.
        dataset: the named data set, if the section names one.

    Returns:
        The pairs, and the folder that contains them.

    Raises:
        DataError: if there are none, or the data set cannot be downloaded.
    """
    if section.csv is not None:
        csv = expand_user(section.csv)
        return find_pairs(csv.parent, layout="csv", csv=csv.name), csv.parent
    root = expand_user(section.root) if section.root else None
    if root is None:
        assert dataset is not None  # the recipe has a name, a root or a table
        root = fetch(dataset)
    return find_pairs(root, layout=section.layout), root


def _inspect(
    pairs: list[Pair], root: Path, label_kind: LabelKind, section: DataSection, console: Console
) -> tuple[list[Pair], list[Checked], str]:
    """Assign splits and read every image once: by field of view, the images decide the splits."""
    draw = partial(
        assign_splits, pairs, validation=section.validation, test=section.test, seed=section.split_seed
    )
    if section.split == "random":
        pairs, split_by = draw()
    else:
        pairs = [replace(pair, split=pair.split or "train") for pair in pairs]
    with stage(console, "reading images", len(pairs)) as progress:
        checked = inspect_pairs(
            pairs, label_kind, section.channels, root, lambda *_: progress.advance(), imprints=True
        )
    if section.split == "random":
        return pairs, checked, split_by
    with console.status("searching fields of view"):
        pairs, split_by = draw(fields=_fields(pairs, checked))
    moved = [one.in_split(pair.split or "train") for one, pair in zip(checked, pairs, strict=True)]
    return pairs, moved, split_by


def _fraction(
    pairs: list[Pair], checked: list[Checked], split_by: str, section: DataSection
) -> tuple[list[Pair], list[Checked], str]:
    """The pairs that are used, and how they were chosen in words."""
    kept = keep_fraction(pairs, section.train_fraction, section.split_seed)
    if len(kept) == len(pairs):
        return pairs, checked, split_by
    total = sum(pair.split == "train" for pair in pairs)
    used = total - (len(pairs) - len(kept))
    train, others = split_by.split("; ", 1)
    split_by = f"{train}, {used} of {total} images used, seed {section.split_seed}; {others}"
    return [pairs[index] for index in kept], [checked[index] for index in kept], split_by


def _fields(pairs: list[Pair], checked: list[Checked]) -> list[int]:
    """Number of the field of view of each pair; the pages of a stack belong to one field."""
    links = [(link.first, link.second) for link in find_links(_imprints(checked), _loader(pairs))]
    stacks: dict[Path, int] = {}
    several = len({pair.image for pair in pairs}) > 1
    links += [(stacks.setdefault(pair.image, i), i) for i, pair in enumerate(pairs) if several]
    return fields(len(pairs), links)


def _relate(pairs: list[Pair], checked: list[Checked]) -> Leakage:
    """Relations of validation and test images to training images."""
    files = [one.file for one in checked]
    names, splits = [file.name for file in files], [file.split for file in files]
    return relate(names, splits, _imprints(checked), _loader(pairs))


def _statistics(checked: list[Checked]) -> ImageStatistics | None:
    train = [one.statistics for one in checked if one.file.split == "train" and one.statistics]
    return summarize(train)


def _imprints(checked: list[Checked]) -> list[Imprint]:
    return [one.imprint for one in checked if one.imprint is not None]


def _loader(pairs: list[Pair]) -> Callable[[int], np.ndarray]:
    return lambda index: read_image(pairs[index].image, pairs[index].page)


def _channels(section: DataSection, files: list[DataFile]) -> int:
    """Number of channels that the network sees; inspect_pairs ensures that all images agree."""
    if section.channels == "gray":
        return 1
    return len(section.channels) if isinstance(section.channels, list) else files[0].shape[0]
