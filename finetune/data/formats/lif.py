"""LIF (Leica), by liffile. The images of one file are positions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cards.errors import DataError
from finetune.data.formats.stack import PLANE_AXES, Stack
from finetune.data.units import micrometers

if TYPE_CHECKING:
    from liffile import LifImage


@contextmanager
def open_stack(path: Path) -> Iterator[Stack]:
    """Open a LIF file.

    Args:
        path: the file.

    Yields:
        The open file; its images are axis P.

    Raises:
        DataError: if it holds no image, or images that differ in size, axes or type.
    """
    from liffile import LifFile, LifImage

    with LifFile(path) as file:
        images = [image for image in file.images if isinstance(image, LifImage)]  # no lifetimes (FLIM)
        images = [image for image in images if {"X", "Y"} <= set(image.sizes)]
        if not images:
            raise DataError(f"{path}: holds no image")
        kinds = {(tuple(image.sizes.items()), str(image.dtype)) for image in images}
        if len(kinds) > 1:
            shapes = ", ".join(sorted({" × ".join(map(str, image.shape)) for image in images})[:3])
            raise DataError(
                f"{path}: holds images that differ in size or type ({shapes}): save each to its own file"
            )
        sizes = {"P": len(images), **images[0].sizes}
        channels = [axis for axis in sizes if axis[0] in "CS"]  # also C1, of several detectors
        if odd := [axis for axis in sizes if len(axis) > 1 and axis not in channels]:
            raise DataError(f"{path}: has axes that are not supported: {', '.join(odd)}")
        loops = [axis for axis in sizes if axis not in PLANE_AXES and axis not in channels]
        kept = [axis for axis in images[0].sizes if axis not in loops]

        def read(index: Mapping[str, int]) -> np.ndarray:
            image = images[index["P"]]
            place = tuple(index[axis] if axis in loops else slice(None) for axis in image.sizes)
            pixels = image.asarray(mode="c", out="memmap")[place]  # other planes stay on disk
            return np.asarray(pixels).transpose(
                [*map(kept.index, channels), kept.index("Y"), kept.index("X")]
            )

        total = int(np.prod([sizes[axis] for axis in channels], dtype=np.int64))
        planes = {axis: size for axis, size in sizes.items() if axis not in channels}
        yield Stack(planes | {"C": total}, str(images[0].dtype), read, _lengths(images[0]))


def _lengths(image: LifImage) -> dict[str, float | None]:
    """Length of a pixel in µm by axis; the header states the distance of the first and the last in meters."""
    return {
        axis: micrometers((places[-1] - places[0]) / (len(places) - 1), "m")
        for axis, places in image.coords.items()
        if axis in "XYZ" and len(places) > 1
    }
