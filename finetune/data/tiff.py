"""TIFF files as pages of channels: which axis is which, and one page read without the others."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
import tifffile
from tifffile import EXTRASAMPLE, PHOTOMETRIC, TiffFile, TiffPageSeries

from cards.errors import DataError

PLANE_AXES = "CSYX"
CHANNEL_AXES = "CS"  # tifffile's letters: channel, and sample (the R, G, B of one pixel)
ALPHA = {EXTRASAMPLE.ASSOCALPHA, EXTRASAMPLE.UNASSALPHA}
UNNAMED_AXES = "QI"  # tifffile's letters for an axis the file gives no meaning to
WHOLE_FILE_KINDS = {"ome", "shaped", "generic", "uniform", "imagej"}
"""Formats in which every series is data; in slide scanners' formats the others are labels and thumbnails."""


def count_pages(path: Path) -> int:
    """Number of 2D images in the file: the product of all axes but channel, y and x."""
    with TiffFile(path) as tif:
        series = _series(tif, path)
        return len(series) * _pages(series[0])


def read_page(path: Path, page: int | None, unnamed_are_channels: bool) -> np.ndarray:
    """One page (C, H, W) in the file's dtype, alpha dropped.

    Args:
        path: the file.
        page: index from 0; None where the file must hold one image only.
        unnamed_are_channels: whether, without `page`, several pages along an axis without a name are
            channels.

    Raises:
        DataError: if there is no such page, or the file holds several and none is asked for.
    """
    with TiffFile(path) as tif:
        series = _series(tif, path)
        each = _pages(series[0])
        count = len(series) * each
        if page is None and count > 1:
            unnamed = all(series[0].axes[index] in UNNAMED_AXES for index in _page_axes(series[0]))
            if not (unnamed and unnamed_are_channels):
                raise DataError(
                    f"{path}: holds {count} planes (axes {series[0].axes}) where one 2D image is needed: "
                    "save each plane to its own file, or give image and mask as many planes as each other"
                )
            planes = [_read(series[index // each], index % each) for index in range(count)]
            return np.concatenate(planes)
        if page is not None and not 0 <= page < count:
            raise DataError(f"{path}: has no page {page}: it holds {count}, counted from 0")
        index = page or 0
        return _read(series[index // each], index % each)


def _series(tif: TiffFile, path: Path) -> list[TiffPageSeries]:
    series = list(tif.series)
    if not series:
        raise DataError(f"{path}: holds no image")
    if len(series) == 1 or series[0].kind not in WHOLE_FILE_KINDS:
        return series[:1]
    if len({(s.shape, s.axes, s.dtype) for s in series}) > 1:
        sizes = ", ".join(" × ".join(map(str, s.shape)) for s in series[:3])
        raise DataError(
            f"{path}: holds images that differ in size or type ({sizes}): save each to its own file"
        )
    return series


def _page_axes(series: TiffPageSeries) -> list[int]:
    return [index for index, axis in enumerate(series.axes) if axis not in PLANE_AXES]


def _pages(series: TiffPageSeries) -> int:
    return prod(series.shape[index] for index in _page_axes(series))


def _read(series: TiffPageSeries, page: int) -> np.ndarray:
    """One page of a series as (C, H, W)."""
    counted = _page_axes(series)
    first = list(range(len(counted)))
    shape = tuple(n for n, axis in zip(series.shape, series.axes, strict=True) if axis in PLANE_AXES)
    array = _read_only(series, page, shape) if counted == first else None
    if array is None:
        array = np.moveaxis(series.asarray(), counted, first).reshape(-1, *shape)[page]
    axes = "".join(axis for axis in series.axes if axis in PLANE_AXES)
    if "S" in axes:
        array = _drop_alpha(array, axes.index("S"), series.keyframe)
    channels = [axes.index(axis) for axis in CHANNEL_AXES if axis in axes]
    array = array.transpose(*channels, axes.index("Y"), axes.index("X"))
    return array.reshape(-1, *array.shape[-2:])


def _read_only(series: TiffPageSeries, page: int, shape: tuple[int, ...]) -> np.ndarray | None:
    """One page without decoding the others; None where the file does not keep its planes one by one."""
    each = len(series.pages) // _pages(series)
    planes = [plane.asarray() for plane in series.pages[page * each : (page + 1) * each] if plane is not None]
    if not planes or sum(plane.size for plane in planes) != prod(shape):
        return None
    return np.stack(planes).reshape(shape)


def _drop_alpha(array: np.ndarray, axis: int, keyframe: tifffile.TiffPage) -> np.ndarray:
    samples = array.shape[axis]
    extra = tuple(keyframe.extrasamples or ())
    meanings = (None,) * (samples - len(extra)) + extra
    keep = [i for i, meaning in enumerate(meanings) if meaning not in ALPHA]
    if keyframe.photometric == PHOTOMETRIC.RGB and samples == 4:
        keep = [0, 1, 2]  # some writers add alpha to RGB without saying what the fourth sample is
    return np.take(array, keep, axis) if len(keep) < samples else array
