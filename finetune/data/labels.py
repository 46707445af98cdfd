"""Label images: from pixels to integers, and from what a mask holds to what a target learns."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from cards.base import LabelKind
from cards.errors import DataError


def convert(
    labels: np.ndarray, label_kind: LabelKind, target_kind: Literal["instances", "boundary"]
) -> np.ndarray:
    """Convert a mask to the labels that a target learns.

    Instances are the connected components of a foreground, or of what a boundary leaves open: by 4 neighbors,
    so that a diagonal line one pixel wide still separates. The boundary of instances is `inner_boundary`: two
    pixels wide where two instances touch.

    Args:
        labels: the mask as read, (H, W) integer, 0 is background.
        label_kind: content of the mask: instances (one integer each), foreground (not 0) or boundary (not 0).
        target_kind: "instances", or "boundary" (0 or 1).

    Returns:
        (H, W) int32. Instances are renumbered from 1 if a label exceeds the number of pixels, so that no
        later step needs memory in proportion to a label.
    """
    if label_kind == "boundary":
        return (labels > 0).astype(np.int32) if target_kind == "boundary" else _components(labels == 0)
    instances = labels if label_kind == "instances" else _components(labels > 0)
    if instances.max(initial=0) > instances.size:
        instances = renumber(instances)
    return _outline(instances) if target_kind == "boundary" else instances.astype(np.int32, copy=False)


def renumber(labels: np.ndarray) -> np.ndarray:
    """Renumber instances consecutively, in the order of their labels.

    Args:
        labels: (H, W), non-negative numbers of any type and size, 0 is background.

    Returns:
        (H, W) int32 with labels 1 to the number of instances.
    """
    values, indices = np.unique(labels, return_inverse=True)
    return (indices.reshape(labels.shape) + (values[0] != 0)).astype(np.int32)


def _components(mask: np.ndarray) -> np.ndarray:
    from scipy import ndimage  # takes 0.2 s: a viewer that starts needs no components

    return ndimage.label(mask, output=np.int32)[0]


def _outline(instances: np.ndarray) -> np.ndarray:
    from finetune.targets.pixels import inner_boundary

    return inner_boundary(instances).astype(np.int32)


def as_integers(labels: np.ndarray, path: Path) -> np.ndarray:
    """Convert the pixels of a label image.

    Args:
        labels: (H, W) of any type.
        path: the file, for messages.

    Returns:
        (H, W) int32, 0 is background. Labels over 2³¹ − 1 are renumbered from 1, in the same order.

    Raises:
        DataError: if they are no numbers, or fractions, negative or not finite.
    """
    if labels.dtype.kind not in "buif":
        raise DataError(f"{path}: holds {labels.dtype} values; labels must be integers: save it as uint16")
    if labels.dtype.kind == "f" and (odd := np.count_nonzero(~np.isfinite(labels))):
        raise DataError(
            f"{path}: {odd / labels.size:.1%} of its pixels are NaN or infinite; labels must be integers: "
            "set the background to 0 and save it as uint16"
        )
    if labels.dtype.kind == "f" and (fractions := np.count_nonzero(~(np.mod(labels, 1) == 0))):
        raise DataError(
            f"{path}: holds {labels.dtype} values from {labels.min():.3g} to {labels.max():.3g}, fractions "
            f"in {fractions / labels.size:.1%} of its pixels; labels must be integers: threshold a soft mask "
            "and save it as uint8 or uint16"
        )
    if labels.size and labels.min() < 0:
        raise DataError(
            f"{path}: holds labels from {labels.min()} to {labels.max()}; 0 must be background, and every "
            "instance a positive integer"
        )
    if labels.size and labels.max() > np.iinfo(np.int32).max:
        return renumber(labels)
    return np.ascontiguousarray(labels, dtype=np.int32)
