"""One pass over the data before anything is trained: read, check, fingerprint."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from cards.base import LabelKind
from cards.errors import DataError
from cards.fingerprint import sha256_file, sha256_pixels
from cards.record import DataFile
from finetune.data.channels import Channels, select_channels
from finetune.data.images import read_image, read_labels
from finetune.data.labels import convert
from finetune.data.pairs import LISTED, Pair

Progress = Callable[[int, int], None]
"""Called with how many of how many images are done."""


class Checked(NamedTuple):
    """What is kept of an image once its pixels are gone."""

    file: DataFile
    channels: int  # that the network will see
    labeled: bool  # whether the mask holds anything but background
    constant: bool


def check_data(
    pairs: Sequence[Pair],
    label_kind: LabelKind,
    target_kind: Literal["instances", "boundary"],
    channels: Channels,
    root: Path | str,
    progress: Progress | None = None,
) -> tuple[list[DataFile], list[str]]:
    """Read every image and mask once, a few at a time, so that memory does not grow with their number.

    Args:
        pairs: with their splits.
        label_kind: what the masks hold.
        target_kind: what the target learns.
        channels: see `select_channels`.
        root: paths in the record are relative to it.
        progress: called after each image.

    Returns:
        A record a pair, in order, and warnings: what is suspect but may be meant.

    Raises:
        DataError: for the first pair that cannot be used, and if no mask of the train images holds a label.
    """
    checked: list[Checked] = []
    for pair, one in zip(pairs, _check_all(pairs, label_kind, channels, Path(root)), strict=True):
        if checked and one.channels != checked[0].channels:
            raise DataError(
                f"{pair.image}: has {one.channels} channels but {pairs[0].image.name} has "
                f"{checked[0].channels}: set data.channels to gray, or to a list "
                "such as [0], so that every image gives as many"
            )
        checked.append(one)
        if progress:
            progress(len(checked), len(pairs))
    train = [one for one in checked if one.file.split == "train"]
    if train and not any(one.labeled for one in train):
        raise DataError(
            f"{pairs[0].label.parent}: all {len(train)} masks of the train images hold background only"
        )
    warnings = [*_leaks(checked), *_constant(checked), *_one_instance(checked, label_kind, target_kind)]
    return [one.file for one in checked], warnings


def _check_all(
    pairs: Sequence[Pair], label_kind: LabelKind, channels: Channels, root: Path
) -> Iterator[Checked]:
    """Results in order. Threads, because reading and hashing let go of the interpreter."""
    workers = min(4, os.cpu_count() or 1)
    hash_file = lru_cache(maxsize=4 * workers)(sha256_file)  # the pages of a stack share a file

    def check(pair: Pair) -> Checked:
        return _check(pair, label_kind, channels, root, hash_file)

    with ThreadPoolExecutor(workers) as pool:
        for batch in _batches(pairs, 4 * workers):  # an error, or Ctrl-C, waits for one batch at most
            yield from pool.map(check, batch)


def _batches(pairs: Iterable[Pair], size: int) -> Iterator[list[Pair]]:
    rest = iter(pairs)
    while batch := list(islice(rest, size)):
        yield batch


def _check(
    pair: Pair, label_kind: LabelKind, channels: Channels, root: Path, hash_file: Callable[[Path], str]
) -> Checked:
    image = read_image(pair.image, pair.page)
    labels = read_labels(pair.label, pair.page)
    if image.shape[1:] != labels.shape:
        sizes = [" × ".join(map(str, shape)) for shape in (image.shape[1:], labels.shape)]
        raise DataError(
            f"{pair.image}: is {sizes[0]} but its mask {pair.label.name} is {sizes[1]} pixels "
            "(height × width)"
        )
    if pair.split is None:
        raise ValueError(f"{pair.name} has no split: call assign_splits first")
    selected = select_channels(image, channels, str(pair.image))
    file = DataFile(
        name=pair.name,
        split=pair.split,
        image=_relative(pair.image, root),
        label=_relative(pair.label, root),
        page=pair.page,
        shape=list(image.shape),
        dtype=str(image.dtype),
        instances=_instances(labels, label_kind),
        image_sha256=hash_file(pair.image),
        label_sha256=hash_file(pair.label),
        image_pixels=sha256_pixels(image),
        label_pixels=sha256_pixels(labels),
    )
    return Checked(file, len(selected), bool(labels.any()), bool(image.min() == image.max()))


def _instances(labels: np.ndarray, label_kind: LabelKind) -> int:
    instances = np.unique(convert(labels, label_kind, "instances"))
    return int(np.count_nonzero(instances))


def _relative(path: Path, root: Path) -> str:
    """Below the root, or the bare name: a record holds no path of this machine."""
    path, root = path.resolve(), root.resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def _some(names: list[str]) -> str:
    return ", ".join(names[:LISTED]) + (", …" if len(names) > LISTED else "")


def _leaks(checked: list[Checked]) -> list[str]:
    train = {one.file.image_pixels: one.file.name for one in checked if one.file.split == "train"}
    found = []
    for split in ("validation", "test"):
        same = [
            f"{one.file.name} is {train[one.file.image_pixels]}"
            for one in checked
            if one.file.split == split and one.file.image_pixels in train
        ]
        if same:
            found.append(
                f"{len(same)} {split} images have the very pixels of a train image, so their scores mean "
                f"nothing: {_some(same)}"
            )
    return found


def _constant(checked: list[Checked]) -> list[str]:
    names = [one.file.name for one in checked if one.constant]
    return [f"{len(names)} images hold a single value, no structure: {_some(names)}"] if names else []


def _one_instance(checked: list[Checked], label_kind: LabelKind, target_kind: str) -> list[str]:
    """Masks of many instances that all come out as one were taken for what they are not."""
    if target_kind == "boundary" or any(one.file.instances > 1 for one in checked):
        return []
    other = "foreground" if label_kind == "instances" else "instances"
    return [f"no mask holds more than one instance: is data.labels {label_kind} right, or is it {other}?"]
