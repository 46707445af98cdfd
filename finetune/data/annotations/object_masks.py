"""One binary mask per object, as in the Data Science Bowl 2018 (Kaggle), merged into one label image."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cards.errors import DataError
from finetune.data.images import is_image, read_labels


def mask_files(folder: Path) -> list[Path]:
    """List the masks of one image.

    Args:
        folder: the folder `masks/` of one image.

    Returns:
        Paths, sorted by name.
    """
    return sorted(path for path in folder.iterdir() if is_image(path))


def read_object_masks(folder: Path) -> np.ndarray:
    """Merge the masks of one image.

    Args:
        folder: the folder `masks/` of one image; in each file, every value but 0 is the object.

    Returns:
        (H, W) int32; objects are numbered from 1 by file name. Where masks overlap, the later one wins.

    Raises:
        DataError: if there are no masks, a mask cannot be read, or their sizes differ.
    """
    files = mask_files(folder)
    if not files:
        raise DataError(f"{folder}: holds no masks: save an empty mask if the image has no objects")
    labels = np.zeros_like(read_labels(files[0]))
    for number, file in enumerate(files, 1):
        mask = read_labels(file)
        if mask.shape != labels.shape:
            raise DataError(
                f"{file}: is {mask.shape[0]} × {mask.shape[1]} but {files[0].name} is {labels.shape[0]} × "
                f"{labels.shape[1]} pixels (height × width): all masks of an image must have its size"
            )
        labels[mask > 0] = number
    return labels
