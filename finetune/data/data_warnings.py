"""Warnings about a data set: what is suspicious but may be intended, with numbers and the right setting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from cards.base import LabelKind, Split
from cards.formatting import counted
from cards.record import DataFile
from finetune.data.alignment import Misalignment
from finetune.data.annotations.registry import label_files
from finetune.data.layouts import first_few, unread
from finetune.data.mask_checks import ADVICE, Finding, finding_warnings
from finetune.data.pairs import Pair
from finetune.data.relations import Imprint
from finetune.data.statistics import Measured

MOST_CHANNELS = 4  # more in a file without axis names may be z-slices or time points


class Checked(NamedTuple):
    """What is kept of an image and its mask after their pixels are released.

    Attributes:
        file: entry of the record.
        channels: number of channels that the network will see.
        values: smallest and largest value of the image.
        labeled: whether the mask holds anything but background.
        constant: whether the image holds a single value.
        flat: whether the 1st and 99.8th percentile of a channel coincide, though the image is not constant.
        finding: what is suspicious about the mask.
        misalignment: a placement in which the mask fits the image better.
        imprint: what the image is compared with others by; None if it is not compared.
        statistics: brightness, contrast, size of objects and pixels.
    """

    file: DataFile
    channels: int
    values: tuple[float, float]
    labeled: bool
    constant: bool
    flat: bool
    finding: Finding | None
    misalignment: Misalignment | None
    imprint: Imprint | None
    statistics: Measured | None = None

    def in_split(self, split: Split) -> Checked:
        """Move the image to a split.

        Args:
            split: train, validation or test.

        Returns:
            A copy with this split.
        """
        return self._replace(file=self.file.model_copy(update={"split": split}))


def data_warnings(
    checked: Sequence[Checked], label_kind: LabelKind, target_kind: Literal["instances", "boundary"]
) -> list[str]:
    """Collect warnings about images and masks.

    Args:
        checked: one entry per pair.
        label_kind: what the recipe says that masks hold.
        target_kind: what the target learns.

    Returns:
        One line per kind of warning, with the number of images and the names of the first.
    """
    return [
        *_leaks(checked),
        *_images(checked),
        *_masks(checked),
        *_misaligned(checked),
        *_one_instance(checked, label_kind, target_kind),
    ]


def _leaks(checked: Sequence[Checked]) -> list[str]:
    train = {one.file.image_pixels: one.file.name for one in checked if one.file.split == "train"}
    warnings = []
    for split in ("validation", "test"):
        same = [
            f"{one.file.name} is {train[one.file.image_pixels]}"
            for one in checked
            if one.file.split == split and one.file.image_pixels in train
        ]
        if same:
            warnings.append(
                f"{counted(len(same), f'{split} image')} with the same pixels as a training image; scores on "
                f"them are meaningless: {first_few(same)}"
            )
    return warnings


def _images(checked: Sequence[Checked]) -> list[str]:
    constant = [one.file.name for one in checked if one.constant]
    flat = [one.file.name for one in checked if one.flat]
    many = [one.file for one in checked if one.file.shape[0] > MOST_CHANNELS]
    warnings = []
    if constant:
        warnings.append(
            f"{counted(len(constant), 'image')} with a single value in all pixels: {first_few(constant)}"
        )
    if flat:
        warnings.append(
            f"{counted(len(flat), 'image')} with one value in nearly all pixels (sparse, thresholded or "
            f"saturated), where percentile normalization clips all others: {first_few(flat)}"
        )
    if many:
        names = first_few([f"{file.name} ({file.shape[0]})" for file in many])
        warnings.append(
            f"{counted(len(many), 'image')} with more than {MOST_CHANNELS} channels; if these are z-slices "
            f"or time points, save each to its own file, or select channels with data.channels: {names}"
        )
    return warnings


def _masks(checked: Sequence[Checked]) -> list[str]:
    kinds = Counter(one.finding.kind for one in checked if one.finding)
    # Both at once would be contradictory advice. Masks of boundaries with gaps look like class masks.
    rarer = "classes" if kinds["boundaries"] > kinds["classes"] else "boundaries"
    advice = {kind: text for kind, text in ADVICE.items() if kind != rarer}
    return finding_warnings("masks", advice, [(one.file.name, one.finding) for one in checked])


def _misaligned(checked: Sequence[Checked]) -> list[str]:
    names = [
        f"{one.file.name} ({move.change}: correlation {move.after:.2f} instead of {move.before:.2f})"
        for one in checked
        if (move := one.misalignment)
    ]
    if not names:
        return []
    return [
        f"{len(names)} of {len(checked)} masks fit their images better if moved; check how they were "
        f"exported: {first_few(names)}"
    ]


def _one_instance(checked: Sequence[Checked], label_kind: LabelKind, target_kind: str) -> list[str]:
    """Masks of many objects that all come out as one instance have the wrong label kind."""
    boundaries = any(one.finding and one.finding.kind == "boundaries" for one in checked)  # have a warning
    if target_kind == "boundary" or boundaries or any(one.file.instances > 1 for one in checked):
        return []
    other = "foreground" if label_kind == "instances" else "instances"
    return [f"no mask holds more than one instance: is data.labels {label_kind} right, or is it {other}?"]


def unread_warnings(root: Path, pairs: Sequence[Pair]) -> list[str]:
    """Name files and folders beside the images and masks that are not read.

    Args:
        root: data.root.
        pairs: as found.

    Returns:
        As `finetune.data.layouts.unread` words them.
    """
    return unread(root, [path for pair in pairs for path in (pair.image, *label_files(pair.label))])
