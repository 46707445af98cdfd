"""The maps that a model predicts, such as the probability of the foreground, as OME-TIFF."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from finetune.inference.extras.registry import Segmented
from finetune.inference.label_tiff import write_ome_tiff
from finetune.inference.markers import PRODUCT


def write(result: Segmented, path: Path) -> None:
    """Write one channel per map, float32: ImageJ does not read half precision.

    Args:
        result: the segmented image, with its maps.
        path: the file, which must not exist.
    """
    maps = np.stack(list(result.maps))
    names = list(result.map_names) or [f"map {index}" for index in range(maps.shape[1])]
    planes = result.calibration.planes
    maps = maps.reshape(*planes, *maps.shape[1:])
    axes = f"{result.calibration.axes if planes else ''}CYX"
    write_ome_tiff(maps, path, axes, result.name, result.calibration, mark=PRODUCT, channels=names)
