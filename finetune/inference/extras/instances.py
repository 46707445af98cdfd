"""Label image of the instances, where that of the model is a boundary: the regions that it encloses."""

from __future__ import annotations

from pathlib import Path

from finetune.inference.extras.registry import Segmented, SegmentedParts
from finetune.inference.label_tiff import as_stored, write_label_tiff
from finetune.inference.large_labels import write_large_tiff


def write(result: Segmented, path: Path) -> None:
    """Write an OME-TIFF.

    Args:
        result: the segmented image.
        path: the file, which must not exist.
    """
    labels = as_stored(result.instances)
    array = labels if result.calibration.planes else labels[0]
    write_label_tiff(array, path, result.name, result.calibration)


def write_parts(parts: SegmentedParts, path: Path) -> None:
    """Write the same for an image that is not kept in memory.

    Args:
        parts: the segmented image.
        path: the file, which must not exist.
    """
    write_large_tiff(parts.instances, path, parts.name, parts.calibration)
