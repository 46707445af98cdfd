"""Description of a data set: images, instances, related images and suspicious masks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from cards.base import LabelKind, Split
from cards.errors import DataError
from cards.fingerprint import data_digest
from cards.formatting import counted
from finetune.data.data_warnings import Checked, data_warnings, unread_warnings
from finetune.data.fields import fields
from finetune.data.images import read_image
from finetune.data.inspection import Progress, check_labeled, inspect_pairs
from finetune.data.pairs import Pair, find_pairs
from finetune.data.relations import ADJECTIVES, ORDER, Link, find_links

SPLIT_BY_FIELD = "images are related: split them with data.split=by-field"


@dataclass(frozen=True)
class Description:
    """What is known of a data set after reading every image once.

    Attributes:
        pairs: images and label images; those without a split count as train.
        provided: whether the data set says which images are for training, validation and testing.
        checked: what was kept of each.
        links: related images, the closest relation first.
        fields: number of the field of view of each image; related images share one.
        warnings: what is suspicious, one sentence each.
    """

    pairs: list[Pair]
    provided: bool
    checked: list[Checked]
    links: list[Link]
    fields: list[int]
    warnings: list[str]

    def split(self, index: int) -> Split:
        """Split of an image.

        Args:
            index: of the image.

        Returns:
            The split.
        """
        return self.checked[index].file.split

    def across(self) -> list[Link]:
        """Links between a validation or test image and a training image.

        Returns:
            The links, the closest first.
        """
        return [
            link
            for link in self.links
            if (self.split(link.first) == "train") != (self.split(link.second) == "train")
        ]

    def load(self, index: int) -> np.ndarray:
        """Read an image again.

        Args:
            index: of the image.

        Returns:
            (C, H, W).
        """
        return read_image(self.pairs[index].image, self.pairs[index].page)

    def to_json(self) -> dict[str, Any]:
        """Everything that was found, for other programs.

        Returns:
            A JSON object; images are named by split and name.
        """
        files = [one.file for one in self.checked]
        instances = [file.instances for file in files]
        return {
            "images": {split: count for split, count in Counter(file.split for file in files).items()},
            "split_provided": self.provided,
            "sizes": _count([" × ".join(map(str, file.shape[1:])) for file in files]),
            "channels": _count([str(file.shape[0]) for file in files]),
            "dtypes": _count([file.dtype for file in files]),
            "values": [
                min(one.values[0] for one in self.checked),
                max(one.values[1] for one in self.checked),
            ],
            "instances": {
                "total": sum(instances),
                "median": median(instances),
                "least": min(instances),
                "most": max(instances),
            },
            "fields": len(set(self.fields)),
            "related": [
                {
                    "first": self._name(link.first),
                    "second": self._name(link.second),
                    "kind": link.kind,
                    "evidence": link.evidence,
                }
                for link in self.links
            ],
            "digest": data_digest(files),
            "warnings": self.warnings,
        }

    def lines(self) -> dict[str, str]:
        """Describe the data set in a few lines.

        Returns:
            Text by label.
        """
        facts = self.to_json()
        splits = ", ".join(f"{count} {split}" for split, count in facts["images"].items())
        instances = facts["instances"]
        kinds = Counter(link.kind for link in self.links)
        related = ", ".join(f"{kinds[kind]} {ADJECTIVES[kind]}" for kind in ORDER if kinds[kind])
        return {
            "images": f"{len(self.pairs)} ({splits})" if self.provided else f"{len(self.pairs)}, not split",
            "size": f"{_listed(facts['sizes'])} px (height × width)",
            "channels": _listed(facts["channels"]),
            "type": f"{_listed(facts['dtypes'])}, values {facts['values'][0]:g} to {facts['values'][1]:g}",
            "instances": f"{instances['total']:,}; in an image {instances['least']} to {instances['most']}, "
            f"median {instances['median']:g}",
            "related": f"{counted(len(self.links), 'pair')} of images: {related}"
            if self.links
            else "no images",
            "fields": f"{facts['fields']}, one for each image or group of related images; the largest has "
            f"{counted(max(Counter(self.fields).values()), 'image')}",
        }

    def _name(self, index: int) -> str:
        return f"{self.split(index)}/{self.checked[index].file.name}"


def describe_data(
    root: Path,
    labels: LabelKind = "instances",
    csv: Path | str | None = None,
    progress: Progress | None = None,
) -> Description:
    """Read every image and label image of a data set once and describe them.

    Args:
        root: folder with the data.
        labels: content of the label images.
        csv: table of images and label images.
        progress: called with how many of how many images were read.

    Returns:
        The description.

    Raises:
        DataError: if an image or label image cannot be used.
    """
    found = find_pairs(root, csv=csv)
    provided = any(pair.split in {"validation", "test"} for pair in found)
    pairs = [Pair(one.image, one.label, one.name, one.split or "train", one.page) for one in found]
    checked = inspect_pairs(pairs, labels, "gray", root, progress, imprints=True)
    warnings = data_warnings(checked, labels, "boundary" if labels == "boundary" else "instances")
    if csv is None:
        warnings += unread_warnings(root, pairs)
    try:
        check_labeled(pairs, checked)
    except DataError as error:
        warnings.append(str(error).removeprefix(f"{pairs[0].label.parent}: "))
    imprints = [one.imprint for one in checked if one.imprint is not None]
    links = find_links(imprints, lambda index: read_image(pairs[index].image, pairs[index].page))
    numbers = fields(len(pairs), [(link.first, link.second) for link in links])
    described = Description(pairs, provided, checked, links, numbers, warnings)
    warnings += _across_splits(described)
    return described


def _across_splits(described: Description) -> list[str]:
    warnings = []
    split: Split
    for split in ("test", "validation"):
        related = {
            index
            for link in described.across()
            for index in (link.first, link.second)
            if described.split(index) == split
        }
        if related:
            count = sum(one.file.split == split for one in described.checked)
            verb = "is" if len(related) == 1 else "are"
            warnings.append(f"{len(related)} of {count} {split} images {verb} related to a training image")
    if not described.provided and described.links:
        warnings.append(SPLIT_BY_FIELD)
    return warnings


def _count(values: Sequence[str]) -> dict[str, int]:
    """How often each value occurs, the most frequent first."""
    return dict(Counter(values).most_common())


def _listed(counts: dict[str, int], most: int = 4) -> str:
    if len(counts) == 1:
        return next(iter(counts))
    text = ", ".join(f"{value} ({count})" for value, count in list(counts.items())[:most])
    return text + (f" and {len(counts) - most} more" if len(counts) > most else "")
