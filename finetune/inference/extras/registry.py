"""Which optional outputs there are, and where they are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from cards.errors import DataError
from finetune.data.calibration import Calibration
from finetune.data.labels import convert
from finetune.utils.optional import require

if TYPE_CHECKING:
    from finetune.data.windows import Windows
    from finetune.inference.label_bands import LabelBands


class Extra(NamedTuple):
    """A kind of optional output, one file per image.

    Attributes:
        folder: subfolder of the label images. There the files bear the names of the images, and tools that
            match files by name find them.
        ending: of the file.
        stack_ending: of the file for a stack that is segmented plane by plane.
        module: module of this package with `write(result, path)`.
        in_parts: whether the module also has `write_parts(parts, path)`, for an image that does not fit into
            memory.
        largest: height and width in pixels that the format can describe; None without a limit.
        package: import name of the package that writes it, and the extra that installs the package.
    """

    folder: str
    ending: str
    stack_ending: str
    module: str
    in_parts: bool = True
    largest: int | None = None
    package: tuple[str, str] | None = None


EXTRAS = {
    "probabilities": Extra("probabilities", ".tif", ".tif", "maps", in_parts=False),
    "outlines": Extra("outlines", ".png", ".tif", "outlines"),
    "overlays": Extra("overlays", ".png", ".tif", "overlays"),
    "geojson": Extra("geojson", ".geojson", ".geojson", "geojson"),
    "instances": Extra("instances", ".tif", ".tif", "instances"),
    "rois": Extra(
        "rois",
        "_RoiSet.zip",
        "_RoiSet.zip",
        "rois",
        largest=32_767,  # regions store their position in 16 bits
        package=("roifile", "formats"),
    ),
}

TABLE = "measurements"
TABLE_FILE = "measurements.csv"

KINDS = (TABLE, *EXTRAS)


@dataclass(frozen=True)
class Segmented:
    """A segmented image, as the optional outputs need it.

    Attributes:
        name: name of the image file.
        calibration: pixel size and planes.
        pixels: each plane (C, H, W) as read.
        labels: (P, H, W) int32, 0 is background; P is 1 unless planes are segmented.
        maps: of each plane (K, H, W) float32; empty if they were not asked for.
        map_names: one name per map.
        stack: whether pictures are written as stacks, even of one plane.
        content: what the labels are: instances, or 1 on a boundary.
    """

    name: str
    calibration: Calibration
    pixels: Sequence[np.ndarray]
    labels: np.ndarray
    maps: Sequence[np.ndarray]
    map_names: Sequence[str]
    stack: bool = False
    content: Literal["instances", "boundary"] = "instances"

    @cached_property
    def instances(self) -> np.ndarray:
        """Labels (P, H, W) int32 of the instances: the regions that a boundary encloses, or `labels`."""
        if self.content == "instances":
            return self.labels
        return np.stack([convert(labels, self.content, "instances") for labels in self.labels])


@dataclass(frozen=True)
class SegmentedParts:
    """A segmented image that is read part by part, as the optional outputs need it.

    Attributes:
        name: name of the image file.
        calibration: pixel size.
        windows: the image.
        instances: labels of the instances: the regions that a boundary encloses, or the label image.
    """

    name: str
    calibration: Calibration
    windows: Windows
    instances: LabelBands


def parse_kinds(text: str) -> tuple[str, ...]:
    """Parse a list of optional outputs.

    Args:
        text: names separated by commas.

    Returns:
        Keys of `EXTRAS` and `TABLE`, each once, in the order given.

    Raises:
        DataError: if a name is unknown.
        InputError: if a package that writes an output is missing.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in KINDS:
            raise DataError(f"--save: there is no output {name}; choose from {', '.join(KINDS)}")
        if name in EXTRAS and (package := EXTRAS[name].package):
            require(*package)
    return tuple(dict.fromkeys(names))


def check_size(kinds: Sequence[str], height: int, width: int, image: Path) -> None:
    """Check that the optional outputs can describe an image.

    Args:
        kinds: keys of `EXTRAS`.
        height: of the image in pixels.
        width: of the image in pixels.
        image: its path, for the message.

    Raises:
        DataError: if the image is too large for one of them.
    """
    for kind in kinds:
        largest = EXTRAS[kind].largest
        if largest and max(height, width) > largest:
            raise DataError(
                f"{image}: --save {kind} reaches to {largest:,} pixels, the image is {height:,} × {width:,}; "
                "save geojson instead"
            )


def plane_indices(result: Segmented) -> list[dict[str, int]]:
    """Index of each plane along the axes of its stack.

    Args:
        result: a segmented image.

    Returns:
        Index from 0 by axis, T or Z; empty for a single image.
    """
    calibration = result.calibration
    return [dict(zip(calibration.axes, index, strict=True)) for index in np.ndindex(*calibration.planes)]


def parts_writer(kind: str) -> Callable[[SegmentedParts, Path], None]:
    """Find the function that writes a kind of output for an image that is not kept in memory.

    Args:
        kind: a key of `EXTRAS` whose `in_parts` is true.

    Returns:
        Writes one image to a path, at which no file exists.
    """
    function: Callable[[SegmentedParts, Path], None] = _module(kind).write_parts
    return function


def writer(kind: str) -> Callable[[Segmented, Path], None]:
    """Find the function that writes a kind of output.

    Args:
        kind: a key of `EXTRAS`.

    Returns:
        Writes one image to a path, at which no file exists.
    """
    function: Callable[[Segmented, Path], None] = _module(kind).write
    return function


def _module(kind: str) -> Any:
    return import_module(f"finetune.inference.extras.{EXTRAS[kind].module}")
