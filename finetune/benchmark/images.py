"""The images of a benchmark, read one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from rich.console import Console
from rich.progress import Progress

from cards.base import LabelKind, Split
from cards.errors import DataError
from cards.fingerprint import data_digest
from cards.record import DataFile
from finetune.benchmark.schema import BenchmarkFile
from finetune.data.annotations.registry import read_pair_labels
from finetune.data.channels import select_channels
from finetune.data.datasets import named
from finetune.data.images import read_image
from finetune.data.inspection import check_data
from finetune.data.pairs import Pair
from finetune.data.relations import relate_images
from finetune.pipeline.inputs import locate_pairs


@dataclass(frozen=True)
class BenchmarkImages:
    """Images with reference labels.

    Attributes:
        pairs: the images that are measured.
        training: training images of the data set; empty if they are measured themselves.
        files: shape and hashes of each of them.
        labels: content of the label images.
        data: name of the data set.
        channels: which channels of an image the models see.
        warnings: findings of the inspection.
    """

    pairs: list[Pair]
    training: list[Pair]
    files: list[DataFile]
    labels: LabelKind
    data: str
    channels: str | list[int]
    warnings: list[str]

    @property
    def digest(self) -> str:
        """`data_digest` of the images and their label images."""
        return data_digest(self.files)

    def read(self) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Read the images.

        Yields:
            Name, pixels (C, H, W) and label image (H, W) int32 as stored.
        """
        for pair in self.pairs:
            pixels = read_image(pair.image, pair.page)
            yield (
                pair.name,
                select_channels(pixels, self.channels, str(pair.image)),  # type: ignore[arg-type]
                read_pair_labels(pair.image, pair.label, pair.page),
            )

    def unrelated(self, console: Console) -> list[str] | None:
        """Find the images that are unrelated to the training images of the data set.

        Args:
            console: where progress is shown.

        Returns:
            Names of the images; None if the data set has no training images besides them.
        """
        if not self.training:
            return None
        splits: dict[Split, list[Pair]] = {"train": self.training, "test": self.pairs}
        sources: dict[tuple[Split, str], Callable[[], np.ndarray]] = {
            (split, pair.name): partial(read_image, pair.image, pair.page)
            for split, pairs in splits.items()
            for pair in pairs
        }
        with Progress(console=console, transient=True) as progress:
            bar = progress.add_task("comparing with training images", total=len(sources))
            leakage = relate_images(sources, lambda done, _: progress.update(bar, completed=done))
        related = leakage.related("test")
        return [pair.name for pair in self.pairs if pair.name not in related]


def find_images(benchmark: BenchmarkFile, console: Console) -> BenchmarkImages:
    """Locate and inspect the images of a benchmark.

    Args:
        benchmark: the benchmark file.
        console: where progress is shown.

    Returns:
        The images.

    Raises:
        DataError: if there are none, or one cannot be read.
    """
    section = benchmark.data
    dataset = named(section.name) if section.name is not None else None
    pairs, root = locate_pairs(section, dataset)
    if benchmark.images != "all" and any(pair.split for pair in pairs):
        chosen = [pair for pair in pairs if (pair.split or "train") == benchmark.images]
        if not chosen:
            splits = ", ".join(sorted({pair.split or "train" for pair in pairs}))
            raise DataError(
                f"{root}: has no {benchmark.images} images, only {splits}; set images to one of them"
            )
    else:
        chosen = [replace(pair, split=pair.split or "test") for pair in pairs]
    labels: LabelKind = section.labels or (dataset.labels if dataset else "instances")
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("reading images", total=len(chosen))
        files, warnings = check_data(
            chosen,
            labels,
            "boundary" if labels == "boundary" else "instances",
            section.channels,
            root,
            lambda done, _: progress.update(bar, completed=done),
        )
    return BenchmarkImages(
        pairs=chosen,
        training=[pair for pair in pairs if pair.split == "train" and pair not in chosen],
        files=files,
        labels=labels,
        data=dataset.title if dataset else root.resolve().name,
        channels=section.channels,
        warnings=warnings,
    )
