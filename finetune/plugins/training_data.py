"""Collections of images and masks, laid out as a data set of finetune."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cards.errors import DataError, InputError
from cards.formatting import counted
from finetune.data.headers import read_header
from finetune.plugins.collection import check_alike, check_partners, link, select

SPLITS = {"train": ("imageDir", "maskDir"), "test": ("testImageDir", "testMaskDir")}
"""Inputs with images and masks, by split."""


def link_data(values: Mapping[str, Any], pattern: str, root: Path) -> Path:
    """Lay out collections as `train/images`, `train/masks`, `test/images` and `test/masks`, by links.

    Args:
        values: of the inputs of a plugin.
        pattern: of the names of images and masks.
        root: folder to create.

    Returns:
        The folder, for `data.root`.

    Raises:
        InputError: if a collection is missing its partner, is empty or mixed, or names have no partner.
    """
    first: dict[str, Path] = {}  # image by input
    for split, names in SPLITS.items():
        folders = [values[name] for name in names]
        if folders == [None, None]:
            continue
        if None in folders:
            given, missing = names if folders[1] is None else reversed(names)
            raise InputError(f"--{missing}: missing; --{given} needs it")
        images, masks = (select(folder, pattern, name) for folder, name in zip(folders, names, strict=True))
        check_partners(images, masks, names)
        check_alike(images, names[0])
        first[names[0]] = images[0]
        link(images, root / split / "images")
        link(masks, root / split / "masks")
    _check_channels(first)
    return root


def _check_channels(first: Mapping[str, Path]) -> None:
    """Check that training and test images have the same number of channels."""
    counts = {name: read_header(image).channels for name, image in first.items()}
    if len(set(counts.values())) > 1:
        words = [f"--{name}: {counted(count, 'channel')}" for name, count in counts.items()]
        raise DataError(f"{'; '.join(words)}; a model takes images of one kind")
