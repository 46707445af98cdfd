"""One pass over the data before anything is trained: read, check, fingerprint."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np

from cards.base import LabelKind
from cards.errors import DataError
from cards.fingerprint import sha256_pixels
from cards.formatting import counted
from cards.record import DataFile
from finetune.data.alignment import find_misalignment
from finetune.data.annotations.registry import read_pair_labels, sha256_source
from finetune.data.channels import Channels, select_channels
from finetune.data.data_warnings import Checked, data_warnings
from finetune.data.images import read_image
from finetune.data.labels import convert
from finetune.data.mask_checks import check_mask
from finetune.data.pairs import Pair
from finetune.data.relations import take_imprint
from finetune.data.statistics import measure_image

SAMPLED = 65_536  # pixels of a channel whose percentiles are compared

Progress = Callable[[int, int], None]
"""Called with how many of how many images are done."""


def check_data(
    pairs: Sequence[Pair],
    label_kind: LabelKind,
    target_kind: Literal["instances", "boundary"],
    channels: Channels,
    root: Path | str,
    progress: Progress | None = None,
) -> tuple[list[DataFile], list[str]]:
    """Read and check every image and mask once, a few at a time, so that memory does not grow.

    Args:
        pairs: pairs with their splits.
        label_kind: content of the masks.
        target_kind: content of the labels that the target learns.
        channels: channels that the network sees; see `select_channels`.
        root: folder to which paths in the record are relative.
        progress: called after each image.

    Returns:
        One record per pair, in order, and warnings about what is suspicious but may be intended.

    Raises:
        DataError: for the first pair that cannot be used, and if no training mask holds a label.
    """
    checked = inspect_pairs(pairs, label_kind, channels, root, progress)
    check_labeled(pairs, checked)
    return [one.file for one in checked], data_warnings(checked, label_kind, target_kind)


def inspect_pairs(
    pairs: Sequence[Pair],
    label_kind: LabelKind,
    channels: Channels,
    root: Path | str,
    progress: Progress | None = None,
    *,
    imprints: bool = False,
) -> list[Checked]:
    """Read every image and mask once, a few at a time, and keep what the checks need.

    Args:
        pairs: pairs with their splits.
        label_kind: content of the masks.
        channels: channels that the network sees; see `select_channels`.
        root: folder to which paths in the record are relative.
        progress: called after each image.
        imprints: whether to keep what images are compared by; see `relations.take_imprint`.

    Returns:
        One entry per pair, in order.

    Raises:
        DataError: for the first pair that cannot be used.
    """
    checked: list[Checked] = []
    results = _check_all(pairs, label_kind, channels, Path(root), imprints)
    for pair, one in zip(pairs, results, strict=True):
        if checked and one.channels != checked[0].channels:
            raise DataError(
                f"{pair.image}: has {one.channels} channels but {pairs[0].image.name} has "
                f"{checked[0].channels}: set data.channels to gray, or to a list "
                "such as [0], so that all images have the same number of channels"
            )
        checked.append(one)
        if progress:
            progress(len(checked), len(pairs))
    return checked


def check_labeled(pairs: Sequence[Pair], checked: Sequence[Checked]) -> None:
    """Check that there is something to learn from.

    Args:
        pairs: the pairs that were inspected.
        checked: one entry per pair.

    Raises:
        DataError: if no training mask holds a label.
    """
    train = [one for one in checked if one.file.split == "train"]
    if train and not any(one.labeled for one in train):
        raise DataError(
            f"{pairs[0].label.parent}: no object in {counted(len(train), 'mask')} of the training images: "
            "all pixels are background"
        )


def _check_all(
    pairs: Sequence[Pair], label_kind: LabelKind, channels: Channels, root: Path, imprints: bool
) -> Iterator[Checked]:
    """Results in order. Threads, because reading and hashing let go of the interpreter."""
    workers = min(4, os.cpu_count() or 1)
    hash_file = lru_cache(maxsize=4 * workers)(sha256_source)  # the pages of a stack share a file

    def check(pair: Pair) -> Checked:
        return _check(pair, label_kind, channels, root, hash_file, imprints)

    with ThreadPoolExecutor(workers) as pool:
        for batch in _batches(pairs, 4 * workers):  # an error, or Ctrl-C, waits for one batch at most
            yield from pool.map(check, batch)


def _batches(pairs: Iterable[Pair], size: int) -> Iterator[list[Pair]]:
    rest = iter(pairs)
    while batch := list(islice(rest, size)):
        yield batch


def _check(
    pair: Pair,
    label_kind: LabelKind,
    channels: Channels,
    root: Path,
    hash_file: Callable[[Path], str],
    imprints: bool,
) -> Checked:
    image = read_image(pair.image, pair.page)
    labels = read_pair_labels(pair.image, pair.label, pair.page)
    if image.shape[1:] != labels.shape:
        sizes = [" × ".join(map(str, shape)) for shape in (image.shape[1:], labels.shape)]
        last = "; its channels look like the last axis: save it as (channel, y, x), or with names of axes"
        raise DataError(
            f"{pair.image}: is {sizes[0]} but its mask {pair.label.name} is {sizes[1]} pixels "
            f"(height × width){last if image.shape[:2] == labels.shape else ''}"
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
        instances=count_instances(labels, label_kind),
        image_sha256=hash_file(pair.image),
        label_sha256=hash_file(pair.label),
        image_pixels=sha256_pixels(image),
        label_pixels=sha256_pixels(labels),
    )
    low, high = float(image.min()), float(image.max())
    constant = low == high
    return Checked(
        file=file,
        channels=len(selected),
        values=(low, high),
        labeled=bool(labels.any()),
        constant=constant,
        flat=not constant and _is_flat(selected),
        finding=check_mask(labels, label_kind),
        misalignment=find_misalignment(image, labels),
        imprint=take_imprint(image, file.image_pixels) if imprints else None,
        statistics=measure_image(selected, pair.image, convert(labels, label_kind, "instances")),
    )


def _is_flat(image: np.ndarray) -> bool:
    """Whether the 1st and 99.8th percentile of a channel coincide, as a sample of its pixels shows."""
    pixels = image.reshape(len(image), -1)
    sample = pixels[:, :: max(1, pixels.shape[1] // SAMPLED)]
    low, high = np.percentile(sample, [1, 99.8], axis=1)
    return bool(np.any((low == high) & (pixels.min(axis=1) < pixels.max(axis=1))))


def count_instances(labels: np.ndarray, label_kind: LabelKind) -> int:
    """Count the instances of a label image.

    Args:
        labels: (H, W), as stored.
        label_kind: what its values mean.

    Returns:
        The number of instances.
    """
    instances = np.unique(convert(labels, label_kind, "instances"))
    return int(np.count_nonzero(instances))


def _relative(path: Path, root: Path) -> str:
    """Below the root, or the bare name: a record holds no path of this machine."""
    # Links are followed only if the path as written is not below the root.
    for one, folder in ((path.absolute(), root.absolute()), (path.resolve(), root.resolve())):
        if one.is_relative_to(folder) and ".." not in one.relative_to(folder).parts:
            return one.relative_to(folder).as_posix()
    return path.name
