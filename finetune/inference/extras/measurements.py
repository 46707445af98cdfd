"""One table of all instances of all images: area, position, shape and intensity.

Lengths are given in pixels, and in µm where the file states the pixel size; the unit ends the name of the
column. Positions count from the center of the first pixel. What was not measured is an empty cell.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Sequence
from io import TextIOWrapper
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cards.scores import csv_text
from finetune.inference.extras.registry import Segmented, SegmentedParts, plane_indices
from finetune.inference.label_parts import complete_parts
from finetune.utils.atomic import new_file

SHAPES = (
    "label",
    "area",
    "centroid",
    "equivalent_diameter_area",
    "perimeter",
    "axis_major_length",
    "axis_minor_length",
    "eccentricity",
)
"""Properties of `skimage.measure.regionprops_table`."""

LENGTHS = {
    "equivalent_diameter_area": "equivalent_diameter",
    "perimeter": "perimeter",
    "axis_major_length": "major_axis",
    "axis_minor_length": "minor_axis",
}
"""Columns of lengths that need square pixels in µm."""

INTENSITIES = {"mean": "intensity_mean", "min": "intensity_min", "max": "intensity_max"}

Column = np.ndarray


class Part(NamedTuple):
    """Measurements of a plane or a part of an image.

    Attributes:
        image: name of the image file.
        columns: values by name of the column, one per instance.
    """

    image: str
    columns: dict[str, Column]


class MeasurementTable:
    """Collects the measurements of images; one row per instance."""

    def __init__(self) -> None:
        """Start with an empty table."""
        self._parts: list[Part] = []

    def add(self, result: Segmented | SegmentedParts) -> list[Part]:
        """Measure the instances of an image.

        Args:
            result: the segmented image.

        Returns:
            What was added.
        """
        added = list(_of_parts(result) if isinstance(result, SegmentedParts) else _of_planes(result))
        self._parts += added
        return added

    def restore(self, kept: Sequence[Any]) -> None:
        """Add the measurements of an image that was measured before.

        Args:
            kept: result of `to_json`.
        """
        for part in kept:
            columns = {name: np.array(values) for name, values in part["columns"].items()}
            self._parts.append(Part(part["image"], columns))

    def keep(self, path: Path, images: Collection[str]) -> None:
        """Put rows of an earlier table before all others.

        Args:
            path: the table; a missing one has no rows.
            images: names of the images whose rows are kept.
        """
        if not path.is_file():
            return
        cells, kept = {csv_text(image) for image in images}, list[Part]()
        with path.open(encoding="utf-8", newline="") as file:
            for image, rows in groupby(csv.DictReader(file), key=itemgetter("image")):
                if image in cells:
                    listed = list(rows)
                    columns = {name: np.array([row[name] for row in listed]) for name in listed[0]}
                    del columns["image"]
                    kept.append(Part(image, columns))
        self._parts = kept + self._parts

    def write(self, path: Path) -> None:
        """Write the table as CSV, UTF-8.

        Args:
            path: the file, which must not exist.
        """
        names = sorted({name for part in self._parts for name in part.columns}, key=_order)
        with new_file(path) as raw, TextIOWrapper(raw, "utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(["image", *(names or ["label"])])
            for image, columns in self._parts:
                texts = [[_text(value) for value in columns[n]] if n in columns else None for n in names]
                for row in range(len(columns["label"])):
                    table.writerow([csv_text(image), *(column[row] if column else "" for column in texts)])


def to_json(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """Measurements as JSON values, from which `MeasurementTable.restore` gives the same table.

    Args:
        parts: what was added for an image.

    Returns:
        Name of the image and columns of each part.
    """
    return [
        {"image": part.image, "columns": {name: values.tolist() for name, values in part.columns.items()}}
        for part in parts
    ]


def _of_planes(result: Segmented) -> Iterator[Part]:
    for index, pixels, labels in zip(plane_indices(result), result.pixels, result.instances, strict=True):
        columns = measure(labels, pixels, result.calibration.y, result.calibration.x)
        count = len(columns["label"])
        place = {axis.lower(): np.full(count, number) for axis, number in index.items()}
        yield Part(result.name, place | columns)


def _of_parts(parts: SegmentedParts) -> Iterator[Part]:
    """Parts of an image that is not kept in memory."""
    y, x, width = parts.calibration.y, parts.calibration.x, parts.instances.shape[1]
    for top, labels, offset in complete_parts(parts.instances):
        pixels = parts.windows.read(slice(top, top + len(labels)), slice(0, width))
        columns = measure(labels, pixels, y, x, top)
        columns["label"] = columns["label"] + offset
        yield Part(parts.name, columns)


def measure(
    labels: np.ndarray, pixels: np.ndarray, y: float | None, x: float | None, top: int = 0
) -> dict[str, Column]:
    """Measure the instances of a label image.

    Args:
        labels: (H, W) int32, 0 is background.
        pixels: (C, H, W), the image as read.
        y: height of a pixel in µm; None if unknown.
        x: width of a pixel in µm.
        top: row of the image in which the label image begins.

    Returns:
        Columns by name, with one entry per instance; lengths in µm only where the pixel size is known,
        and those of shapes only if pixels are square.
    """
    from skimage.measure import regionprops_table

    properties = (*SHAPES, *INTENSITIES.values())
    found = regionprops_table(labels, np.moveaxis(pixels, 0, -1), properties=properties)
    found["centroid-0"] = found["centroid-0"] + top
    columns: dict[str, Column] = {
        "label": found["label"],
        "area_px": found["area"].astype(int),
        "centroid_y_px": found["centroid-0"],
        "centroid_x_px": found["centroid-1"],
    }
    if y is not None and x is not None:
        columns["area_um2"] = found["area"] * (y * x)
        columns["centroid_y_um"], columns["centroid_x_um"] = found["centroid-0"] * y, found["centroid-1"] * x
    square = y is not None and x is not None and abs(y - x) <= 0.01 * x
    for source, name in LENGTHS.items():
        columns[f"{name}_px"] = found[source]
        if square and x is not None:
            columns[f"{name}_um"] = found[source] * x
    columns["eccentricity"] = found["eccentricity"]
    for channel in range(len(pixels)):
        for name, source in INTENSITIES.items():
            columns[f"{name}_intensity_{channel}"] = found[f"{source}-{channel}"]
    return columns


FIRST = ("t", "z", "label", "area", "centroid_y", "centroid_x", *LENGTHS.values(), "eccentricity")


def _order(name: str) -> tuple[int, int, str]:
    """Columns as listed above, pixels before µm; then the intensities of each channel."""
    base, _, unit = name.rpartition("_")
    if "_intensity_" in name:
        return len(FIRST), int(unit), str(tuple(INTENSITIES).index(name.split("_")[0]))
    return FIRST.index(name if name in FIRST else base), 0, {"px": "0"}.get(unit, "1")


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)
