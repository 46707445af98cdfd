"""Parts of a TIFF file read without the rest: tiled and uncompressed files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from tifffile import PHOTOMETRIC, TiffFile, TiffPageSeries, memmap

from finetune.data.images import unreadable
from finetune.data.orientation import TAG
from finetune.data.tiff import CHANNEL_AXES, axes_of, color_samples, data_series, series_pages
from finetune.utils.optional import is_installed

ReadWindow = Callable[[slice, slice], np.ndarray]


def has_tiff_windows(path: Path) -> bool:
    """Whether `open_tiff_windows` reads a file part by part.

    Args:
        path: TIFF file.

    Returns:
        True for tiled, striped and uncompressed files; False for those that are read as a whole, one strip
        that holds the whole image among them.
    """
    with TiffFile(path) as tif:
        series = data_series(tif, path)
        if len(series) > 1 or not _is_plain(series[0]):
            return False
        if _is_mapped(series[0]):
            return True
        height, width = (series[0].keyframe.imagelength, series[0].keyframe.imagewidth)
        return is_installed("zarr") and prod(series[0].keyframe.chunks[:2]) < height * width


@contextmanager
def open_tiff_windows(path: Path) -> Iterator[ReadWindow | None]:
    """Open a TIFF file for reading parts of its image.

    Args:
        path: TIFF file.

    Yields:
        A function from rows and columns to (C, h, w) in the file's dtype; None for files that are read as a
        whole: several pages, alpha, white is zero, rotated, or compressed where zarr is not installed.

    Raises:
        DataError: if the file is too short.
    """
    with TiffFile(path) as tif:
        series = data_series(tif, path)
        try:
            array = _array(tif, series[0], path) if len(series) == 1 and _is_plain(series[0]) else None
        except (OSError, ValueError) as error:  # numpy's, if the file is too short to be mapped
            raise unreadable(path, error) from error
        if array is None:
            yield None
            return
        axes = axes_of(series[0])
        kept = [axis for axis in axes if axis in f"{CHANNEL_AXES}YX"]
        order = [kept.index(axis) for axis in (*(axis for axis in kept if axis in CHANNEL_AXES), "Y", "X")]

        def read(rows: slice, columns: slice) -> np.ndarray:
            where = {"Y": rows, "X": columns} | {axis: slice(None) for axis in CHANNEL_AXES}
            part = np.asarray(array[tuple(where.get(axis, 0) for axis in axes)]).transpose(order)
            return part.reshape(-1, *part.shape[-2:])

        yield read


def _is_plain(series: TiffPageSeries) -> bool:
    """Whether `finetune.data.tiff.read_page` returns the pixels of the file as they are."""
    frame, sizes = series.keyframe, dict(zip(axes_of(series), series.shape, strict=True))
    upright = TAG not in frame.tags or int(frame.tags[TAG].value) == 1
    colors = "S" not in sizes or len(color_samples(sizes["S"], frame)) == sizes["S"]
    return upright and colors and series_pages(series) == 1 and frame.photometric != PHOTOMETRIC.MINISWHITE


def _is_mapped(series: TiffPageSeries) -> bool:
    return series.dataoffset is not None and series.keyframe.is_memmappable


def _array(tif: TiffFile, series: TiffPageSeries, path: Path) -> Any:
    """The array of a series: mapped into memory, or a Zarr array that decodes the tiles it needs."""
    if _is_mapped(series):
        return memmap(path, series=tif.series.index(series), mode="r")
    if not is_installed("zarr"):
        return None
    import zarr

    return zarr.open_array(series.aszarr(level=0), mode="r")
