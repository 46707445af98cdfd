"""One table of all instances of all images: area, position, shape and intensity.

Lengths are given in pixels, and in µm where the file states the pixel size; the unit ends the name of the
column. Positions count from the center of the first pixel. What was not measured is an empty cell.
"""

from __future__ import annotations

import csv
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import numpy as np

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


class MeasurementTable:
    """Collects the measurements of images; one row per instance."""

    def __init__(self) -> None:
        """Start with an empty table."""
        self._parts: list[dict[str, Column]] = []

    def add(self, result: Segmented) -> None:
        """Measure the instances of an image.

        Args:
            result: the segmented image.
        """
        for index, pixels, labels in zip(plane_indices(result), result.pixels, result.labels, strict=True):
            columns = measure(labels, pixels, result.calibration.y, result.calibration.x)
            count = len(columns["label"])
            place: dict[str, Column] = {"image": np.full(count, result.name, object)}
            place |= {axis.lower(): np.full(count, number) for axis, number in index.items()}
            self._parts.append(place | columns)

    def add_parts(self, parts: SegmentedParts) -> None:
        """Measure the instances of an image that is not kept in memory.

        Args:
            parts: the segmented image.
        """
        y, x, width = parts.calibration.y, parts.calibration.x, parts.bands.shape[1]
        for top, labels, offset in complete_parts(parts.bands):
            pixels = parts.windows.read(slice(top, top + len(labels)), slice(0, width))
            columns = measure(labels, pixels, y, x, top)
            columns["label"] = columns["label"] + offset
            name = np.full(len(columns["label"]), parts.name, object)
            self._parts.append({"image": name} | columns)

    def write(self, path: Path) -> None:
        """Write the table as CSV, UTF-8.

        Args:
            path: the file, which must not exist.
        """
        names = sorted({name for part in self._parts for name in part}, key=_order)
        with new_file(path) as raw, TextIOWrapper(raw, "utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(names or ["image", "label"])
            for part in self._parts:
                columns = [[_text(value) for value in part[name]] if name in part else None for name in names]
                for row in range(len(part["label"])):
                    table.writerow([column[row] if column else "" for column in columns])


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


FIRST = ("image", "t", "z", "label", "area", "centroid_y", "centroid_x", *LENGTHS.values(), "eccentricity")


def _order(name: str) -> tuple[int, int, str]:
    """Columns as listed above, pixels before µm; then the intensities of each channel."""
    base, _, unit = name.rpartition("_")
    if "_intensity_" in name:
        return len(FIRST), int(unit), ("mean", "min", "max").index(name.split("_")[0]).__str__()
    return FIRST.index(name if name in FIRST else base), 0, {"px": "0"}.get(unit, "1")


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)
