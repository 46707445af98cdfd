"""Relations between images of a data set: copies, parts, and adjacent tiles of one field of view."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cards.base import Split
from cards.evidence import Leakage, Relation, RelationKind
from cards.fingerprint import sha256_pixels
from finetune.data.fields import Borders, Seam, find_seams, read_borders
from finetune.data.images import read_image
from finetune.data.keypoints import Keypoints, find_keypoints
from finetune.data.near_duplicates import Copy, find_copies

METHOD = (
    "The pixels of all images were compared by hash, changed copies and parts of images were searched by "
    "keypoints and confirmed by correlation, and adjacent tiles were searched by border lines that continue "
    "each other."
)

ORDER: tuple[RelationKind, ...] = ("exact", "near", "crop", "same field")
"""Kinds of relations, the closest first."""

ADJECTIVES: dict[RelationKind, str] = {
    "exact": "identical",
    "near": "altered",
    "crop": "cropped",
    "same field": "in the same field of view",
}
"""The relation of one or more images, after their number."""

Load = Callable[[int], np.ndarray]
"""Reads an image by its index as (C, H, W)."""


class Imprint(NamedTuple):
    """What is kept of an image to compare it with others: some ten kilobytes, however large it is.

    Attributes:
        pixels: `cards.fingerprint.sha256_pixels` of the image.
        keypoints: for copies and parts.
        borders: for adjacent tiles.
    """

    pixels: str
    keypoints: Keypoints
    borders: Borders


class Link(NamedTuple):
    """Two related images.

    Attributes:
        first: index of an image.
        second: index of the other image.
        kind: how they are related.
        evidence: what shows it, as seen from the first image.
        correlation: of border lines or of pixels.
    """

    first: int
    second: int
    kind: RelationKind
    evidence: str
    correlation: float


def take_imprint(image: np.ndarray, pixels: str | None = None) -> Imprint:
    """Keep of an image what it can be compared by.

    Args:
        image: (C, H, W).
        pixels: the hash of its pixels, if it is known.

    Returns:
        The imprint.
    """
    return Imprint(pixels or sha256_pixels(image), find_keypoints(image), read_borders(image))


def find_links(
    imprints: Sequence[Imprint],
    load: Load,
    first: Sequence[int] | None = None,
    second: Sequence[int] | None = None,
) -> list[Link]:
    """Find related images.

    Args:
        imprints: of all images.
        load: reads an image again; called for candidates only.
        first: indices of the images whose relations are wanted; all if unset.
        second: indices of the images to which they may be related; all if unset.

    Returns:
        Links, the closest first.
    """
    copies = find_copies(
        [one.pixels for one in imprints], [one.keypoints for one in imprints], load, first, second
    )
    links = [_from_copy(copy) for copy in copies]
    wanted = set(range(len(imprints)) if first is None else first)
    others = set(range(len(imprints)) if second is None else second)
    known = {frozenset((copy.first, copy.second)) for copy in copies}
    for seam in find_seams([one.borders for one in imprints]):
        # An image and its mirror image have equal border lines, too, but are no neighbors.
        if frozenset((seam.first, seam.second)) in known:
            continue
        if seam.first in wanted and seam.second in others:
            links.append(_from_seam(seam, seam.first))
        elif seam.second in wanted and seam.first in others:
            links.append(_from_seam(seam, seam.second))
    return sorted(links, key=lambda link: (ORDER.index(link.kind), -link.correlation))


def relate(names: Sequence[str], splits: Sequence[Split], imprints: Sequence[Imprint], load: Load) -> Leakage:
    """Find the closest relation of each validation and test image to a training image.

    Args:
        names: of all images.
        splits: of all images.
        imprints: of all images.
        load: reads an image by its index; called for candidates only.

    Returns:
        At most one relation for each validation and test image, in the order of the images.
    """
    train = [index for index, split in enumerate(splits) if split == "train"]
    others = [index for index, split in enumerate(splits) if split != "train"]
    closest: dict[int, Link] = {}
    for link in find_links(imprints, load, others, train):
        closest.setdefault(link.first, link)
    relations = [
        Relation(
            image=names[index],
            split=splits[index],
            related_to=names[link.second],
            kind=link.kind,
            evidence=link.evidence,
        )
        for index, link in sorted(closest.items())
    ]
    return Leakage(method=METHOD, relations=relations)


def relate_images(
    images: Mapping[tuple[Split, str], Path | Callable[[], np.ndarray]],
    progress: Callable[[int, int], None] | None = None,
) -> Leakage:
    """Read images and find the closest relation of each validation and test image to a training image.

    Args:
        images: by split and name, the path of each image or a function that reads it as (C, H, W).
        progress: called with how many of how many images were read.

    Returns:
        At most one relation for each validation and test image, in the order of the images.

    Raises:
        DataError: if an image cannot be read.
    """
    sources = list(images.values())

    def load(index: int) -> np.ndarray:
        source = sources[index]
        return source() if callable(source) else read_image(source)

    imprints = []
    for index in range(len(sources)):
        imprints.append(take_imprint(load(index)))
        if progress:
            progress(index + 1, len(sources))
    return relate([name for _, name in images], [split for split, _ in images], imprints, load)


def leakage_warnings(leakage: Leakage, counts: Mapping[Split, int], remedy: str = "") -> list[str]:
    """Say in one sentence for each split how many images are related to a training image.

    Args:
        leakage: the relations.
        counts: number of images of each split.
        remedy: what to do about related validation images, if anything.

    Returns:
        No sentence for a split without related images, nor if all its related images have equal pixels, which
        the inspection of the images reports.
    """
    warnings = []
    means: dict[Split, str] = {
        "test": "accuracy on them is not independent of training",
        "validation": "the selected epoch and options are not independent of training"
        f"{remedy and '; ' + remedy}",
    }
    for split, meaning in means.items():
        kinds = Counter(relation.kind for relation in leakage.relations if relation.split == split)
        if set(kinds) - {"exact"}:
            details = ", ".join(f"{kinds[kind]} {ADJECTIVES[kind]}" for kind in ORDER if kinds[kind])
            related = sum(kinds.values())
            warnings.append(
                f"{related} of {counts[split]} {split} images {'is' if related == 1 else 'are'} related to a "
                f"training image ({details}): {meaning}"
            )
    return warnings


def _from_seam(seam: Seam, index: int) -> Link:
    other, edge = (
        (seam.second, seam.edge_of_first) if index == seam.first else (seam.first, seam.edge_of_second)
    )
    evidence = f"{edge} border continues, correlation {seam.correlation:.3f}"
    return Link(index, other, "same field", evidence, seam.correlation)


def _from_copy(copy: Copy) -> Link:
    if copy.kind == "exact":
        return Link(copy.first, copy.second, "exact", "equal pixels", 1.0)
    turned = _describe(copy.orientation)
    how = f"correlation {copy.correlation:.3f}{turned}"
    if copy.kind == "near":
        return Link(copy.first, copy.second, "near", how, copy.correlation)
    if copy.kind == "crop":
        return Link(copy.first, copy.second, "crop", f"one is part of the other, {how}", copy.correlation)
    evidence = f"overlap in {copy.share:.0%} of the smaller image, {how}"
    return Link(copy.first, copy.second, "same field", evidence, copy.correlation)


def _describe(orientation: int) -> str:
    """Rotation and reflection in words."""
    angle = orientation % 4 * 90
    steps = ([f"rotation by {angle}°"] if angle else []) + (["reflection"] if orientation >= 4 else [])
    return f" after {' and '.join(steps)}" if steps else ""
