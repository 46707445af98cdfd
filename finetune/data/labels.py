"""Label images from what a mask holds to what a target learns."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import ndimage

from cards.base import LabelKind


def convert(labels: np.ndarray, held: LabelKind, wanted: Literal["instances", "boundary"]) -> np.ndarray:
    """Labels (H, W) integer -> (H, W) int32.

    Args:
        labels: the mask as read, 0 is background.
        held: what it holds: instances (each its own integer), foreground (not 0) or boundary (not 0).
        wanted: "instances", or "boundary" (0 or 1).

    Instances are taken from a foreground as its connected components, and from a boundary as the connected
    components of what it leaves open: by 4 neighbours, so that a diagonal line one pixel wide still
    separates. The boundary of instances is `inner_boundary`: two pixels wide where two
    of them touch.
    """
    if held == "boundary":
        return (labels > 0).astype(np.int32) if wanted == "boundary" else _components(labels == 0)
    instances = labels if held == "instances" else _components(labels > 0)
    return _outline(instances) if wanted == "boundary" else instances.astype(np.int32, copy=False)


def _components(mask: np.ndarray) -> np.ndarray:
    return ndimage.label(mask, output=np.int32)[0]


def _outline(instances: np.ndarray) -> np.ndarray:
    from finetune.targets.probability import inner_boundary

    return inner_boundary(instances).astype(np.int32)
