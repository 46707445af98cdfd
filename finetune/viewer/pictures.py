"""Parts of images at the resolution of the screen: nothing else of a large image is read or sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from cards.errors import DataError, InputError
from finetune.data.images import image_format, page_count, read_image, read_labels, unreadable
from finetune.data.tiff import ALPHA
from finetune.utils.optional import is_installed

LARGE = 16_000_000
"""Pixels above which a TIFF is read part by part."""
OPEN_PICTURES = 12
"""Images that stay in memory; small ones are read as a whole."""


@dataclass(frozen=True)
class Part:
    """A part of an image.

    Attributes:
        pixels: (C, h, w), fewer pixels than the part covers if it is reduced.
        x: left edge in pixels of the whole image.
        y: upper edge.
        width: width in pixels of the whole image.
        height: height.
    """

    pixels: np.ndarray
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Level:
    """One resolution of an image.

    Attributes:
        factor: pixels of the whole image along one pixel of this level.
        read: reads rows and columns as (C, h, w), of which the slices name start, stop and step.
    """

    factor: float
    read: Callable[[slice, slice], np.ndarray]


@dataclass(frozen=True)
class Picture:
    """An image of which parts can be read.

    Attributes:
        height: of the whole image in pixels.
        width: of the whole image in pixels.
        levels: resolutions, the full one first.
    """

    height: int
    width: int
    levels: Sequence[Level]

    def part(self, x: tuple[float, float], y: tuple[float, float], side: int) -> Part:
        """Read the visible part.

        Args:
            x: left and right edge in pixels; may lie outside the image.
            y: upper and lower edge.
            side: pixels along the longer side of the result, up to half more or a quarter less.

        Returns:
            The part, from the level of the pyramid that suffices; every n-th pixel of it if it is too large.
        """
        left, right = (min(max(int(edge), 0), self.width) for edge in (min(x), ceil(max(x))))
        top, bottom = (min(max(int(edge), 0), self.height) for edge in (min(y), ceil(max(y))))
        if right <= left or bottom <= top:
            return Part(np.zeros((1, 0, 0), np.uint8), left, top, 0, 0)
        reduction = max(right - left, bottom - top) / side
        level = max(
            (one for one in self.levels if one.factor <= max(1.0, reduction)), key=lambda one: one.factor
        )
        step = max(1, round(reduction / level.factor))
        first = [int(edge / level.factor) // step * step for edge in (top, left)]
        last = [ceil(edge / level.factor) for edge in (bottom, right)]
        rows, columns = (slice(start, stop, step) for start, stop in zip(first, last, strict=True))
        pixels = level.read(rows, columns)
        scale = step * level.factor
        return Part(
            pixels,
            x=round(first[1] * level.factor),
            y=round(first[0] * level.factor),
            width=round(pixels.shape[2] * scale),
            height=round(pixels.shape[1] * scale),
        )


def open_picture(path: Path, page: int | None = None, *, labels: bool = False) -> Picture:
    """Open an image.

    Args:
        path: any image that finetune reads.
        page: index from 0 in a file of several planes; None for the first, or the only one.
        labels: read it as a label image.

    Returns:
        The image.

    Raises:
        DataError: if it cannot be read.
    """
    try:
        modified = path.stat().st_mtime_ns
    except OSError as error:
        raise DataError(f"{path.name}: cannot be read: {error.strerror}") from error
    try:
        return _open(path, page, labels, modified)
    except InputError:
        raise
    except Exception as error:  # zarr raises arbitrary exceptions on damaged metadata
        raise unreadable(path, error) from error


def in_memory(pixels: np.ndarray) -> Picture:
    """Wrap an array.

    Args:
        pixels: (C, H, W) or (H, W).

    Returns:
        The image, with one level.
    """
    array = pixels if pixels.ndim == 3 else pixels[np.newaxis]
    return Picture(array.shape[1], array.shape[2], [Level(1, lambda rows, columns: array[:, rows, columns])])


@lru_cache(maxsize=OPEN_PICTURES)
def _open(path: Path, page: int | None, labels: bool, modified: int) -> Picture:
    kind = image_format(path)
    if kind == "zarr":
        return _zarr(path, page or 0)
    if kind == "tiff" and is_installed("zarr"):
        found = _large_tiff(path, page or 0)
        if found is not None:
            return found
    if page is None and page_count(path) > 1:
        page = 0
    return in_memory(read_labels(path, page) if labels else read_image(path, page))


def _zarr(path: Path, page: int) -> Picture:
    """An OME-Zarr image with its levels."""
    from finetune.data.formats.ome_zarr import open_levels

    levels, axes = open_levels(path)
    return _pyramid(levels, axes, page)


def _large_tiff(path: Path, page: int) -> Picture | None:
    """A TIFF with its levels, if it is large; None if reading it as a whole is simpler or safer."""
    import tifffile
    import zarr

    try:
        with tifffile.TiffFile(path) as tif:
            if len(tif.series) > 1:  # positions of a stage, of which each has planes of its own
                return None
            series = tif.series[0]
            axes = series.axes
            size = dict(zip(axes, series.shape, strict=True))
            plain = tif.pages.first.photometric in {tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.RGB}
            plain = plain and not any(sample in ALPHA for sample in tif.pages.first.extrasamples)
            oriented = (tag := tif.pages.first.tags.get("Orientation")) is not None and tag.value != 1
        if not {"Y", "X"} <= set(axes) or size["Y"] * size["X"] < LARGE or not plain or oriented:
            return None
        opened: Any = zarr.open(tifffile.imread(path, aszarr=True), mode="r")
    except Exception:  # whatever a damaged file causes: reading it as a whole reports it
        return None
    if isinstance(opened, zarr.Array):
        return _pyramid([opened], axes, page)
    names = [str(entry["path"]) for entry in dict(opened.attrs)["multiscales"][0]["datasets"]]
    return _pyramid([opened[name] for name in names], axes, page)


def _pyramid(arrays: Sequence[Any], axes: Sequence[str], page: int) -> Picture:
    """Levels of a Zarr image; axes other than channel, sample, y and x count pages."""
    full = dict(zip(axes, arrays[0].shape, strict=True))
    pages = [axis for axis in axes if axis not in "CSYX"]
    chosen = (
        dict(zip(pages, np.unravel_index(page, [full[axis] for axis in pages]), strict=True)) if pages else {}
    )
    kept = [axis for axis in axes if axis in "CSYX"]
    order = [kept.index(axis) for axis in ("C", "S", "Y", "X") if axis in kept]

    def reader(array: Any) -> Callable[[slice, slice], np.ndarray]:
        def read(rows: slice, columns: slice) -> np.ndarray:
            wanted = {"Y": rows, "X": columns} | {axis: int(index) for axis, index in chosen.items()}
            pixels = np.asarray(array[tuple(wanted.get(axis, slice(None)) for axis in axes)])
            pixels = pixels.transpose(order)
            return pixels.reshape(-1, *pixels.shape[-2:])

        return read

    column = list(axes).index("X")
    # A level that is reduced along z or time does not hold the chosen plane.
    same = [
        array for array in arrays if all(array.shape[list(axes).index(axis)] == full[axis] for axis in pages)
    ]
    levels = [Level(full["X"] / array.shape[column], reader(array)) for array in same]
    return Picture(full["Y"], full["X"], levels)
