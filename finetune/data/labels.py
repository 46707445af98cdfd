"""Label images from what a mask holds to what a target learns."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import ndimage

from cards.base import LabelKind


def convert(
    labels: np.ndarray, label_kind: LabelKind, target_kind: Literal["instances", "boundary"]
) -> np.ndarray:
    """Labels (H, W) integer -> (H, W) int32.

    Args:
        labels: the mask as read, 0 is background.
        label_kind: what it holds: instances (each its own integer), foreground (not 0) or boundary (not 0).
        target_kind: "instances", or "boundary" (0 or 1).

    Instances are taken from a foreground as its connected components, and from a boundary as the connected
    components of what it leaves open: by 4 neighbors, so that a diagonal line one pixel wide still
    separates. The boundary of instances is `inner_boundary`: two pixels wide where two
    of them touch.
    """
    if label_kind == "boundary":
        return (labels > 0).astype(np.int32) if target_kind == "boundary" else _components(labels == 0)
    instances = labels if label_kind == "instances" else _components(labels > 0)
    return _outline(instances) if target_kind == "boundary" else instances.astype(np.int32, copy=False)


def _components(mask: np.ndarray) -> np.ndarray:
    return ndimage.label(mask, output=np.int32)[0]


def _outline(instances: np.ndarray) -> np.ndarray:
    from finetune.targets.pixels import inner_boundary

    return inner_boundary(instances).astype(np.int32)
