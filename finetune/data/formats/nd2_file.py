"""ND2 (Nikon), by nd2."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from finetune.data.formats.stack import PLANE_AXES, Stack, refuse_missing
from finetune.data.units import micrometers


@contextmanager
def open_stack(path: Path) -> Iterator[Stack]:
    """Open an ND2 file.

    Args:
        path: the file.

    Yields:
        The open file.

    Raises:
        DataError: if frames are missing.
    """
    from nd2 import ND2File

    with ND2File(path) as file:
        sizes = dict(file.sizes)
        loops = [axis for axis in sizes if axis not in PLANE_AXES]
        count = prod(sizes[axis] for axis in loops)
        if (held := _frames(file, path)) is not None and held < count:
            refuse_missing(path, count, held)

        def read(index: Mapping[str, int]) -> np.ndarray:
            frame = int(
                np.ravel_multi_index([index[axis] for axis in loops], [sizes[axis] for axis in loops])
            )
            axes = [axis for axis in "CYXS" if sizes.get(axis, 1) > 1]  # read_frame drops the others
            image = file.read_frame(frame if loops else 0)
            image = image.reshape([sizes.get(axis, 1) for axis in "CYXS"]) if axes else image
            return image.transpose(0, 3, 1, 2)

        yield Stack(sizes, str(file.dtype), read, _lengths(file))


def _lengths(file: Any) -> dict[str, float | None]:
    """Length of a voxel in µm along the axes that were calibrated; nd2 returns 1 µm for the others."""
    try:
        calibrated = file.metadata.channels[0].volume.axesCalibrated
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):  # old files lack the metadata
        return {}
    lengths = zip("XYZ", file.voxel_size(), calibrated, strict=False)
    return {axis: micrometers(length, "µm") if known else None for axis, length, known in lengths}


def _frames(file: Any, path: Path) -> int | None:
    """Number of frames that the file holds whole; None if unknown.

    nd2 returns black frames for those that are missing, and has no public way to count them.
    """
    offsets = getattr(getattr(file, "_rdr", None), "_frame_offsets", None)
    if offsets is None:
        return None
    attributes = file.attributes
    whole = 0 if attributes.compressionType else attributes.heightPx * (attributes.widthBytes or 0)
    return sum(offset + whole <= path.stat().st_size for offset in offsets.values())
