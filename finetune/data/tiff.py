"""TIFF files as pages of channels: which axis is which, and one page read without the others."""

from __future__ import annotations

import logging
from math import prod
from pathlib import Path

import numpy as np
import tifffile
from tifffile import EXTRASAMPLE, PHOTOMETRIC, TiffFile, TiffPageSeries

from cards.errors import DataError
from finetune.data.channels import has_channels_last
from finetune.data.formats.stack import refuse_missing, refuse_planes
from finetune.data.orientation import TAG, turn_upright

PLANE_AXES = "CSYX"
CHANNEL_AXES = "CS"  # tifffile's letters: channel, and sample (the R, G, B of one pixel)
UNNAMED_AXES = "QI"  # tifffile's letters for an axis the file gives no meaning to
ALPHA = {EXTRASAMPLE.ASSOCALPHA, EXTRASAMPLE.UNASSALPHA}
WHOLE_FILE_KINDS = {"ome", "shaped", "generic", "uniform", "imagej"}
"""Formats in which every series is data; in slide scanners' formats the others are labels and thumbnails."""

# tifffile logs inconsistent headers and goes on; where they matter, they are errors here.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)


def count_pages(path: Path) -> int:
    """Count the 2D images in a file: the product of all axes but channel, y and x.

    Args:
        path: TIFF file.

    Returns:
        Number of pages.

    Raises:
        DataError: if the file holds no image, images that differ, or fewer planes than its header describes.
    """
    with TiffFile(path) as tif:
        series = data_series(tif, path)
        for one in series:
            _check_planes(one, path)
        return len(series) * series_pages(series[0])


def read_page(path: Path, page: int | None, *, labels: bool = False) -> np.ndarray:
    """Read one 2D image.

    Alpha is dropped and the orientation tag is applied. Images in which white is zero are inverted.

    Args:
        path: TIFF file.
        page: index from 0; None if the file must hold one image only.
        labels: read a label image: values are never inverted, and pages are never channels. Otherwise,
            without `page`, pages along an axis without a name are channels.

    Returns:
        (C, H, W) in the file's dtype.

    Raises:
        DataError: if there is no such page, the file holds several and none is given, or fewer planes than
            its header describes.
    """
    with TiffFile(path) as tif:
        series = data_series(tif, path)
        each = series_pages(series[0])
        count = len(series) * each
        if page is not None and not 0 <= page < count:
            raise DataError(f"{path}: has no page {page}: it holds {count}, counted from 0")
        if page is None and count > 1:
            _check_channels(series[0], count, path, labels)
            image = np.concatenate([_read(series[i // each], i % each, path) for i in range(count)])
        else:
            image = _read(series[(page or 0) // each], (page or 0) % each, path)
        frame = series[0].keyframe
        if frame.photometric == PHOTOMETRIC.MINISWHITE and not labels:
            image = _inverted(image, int(frame.bitspersample))
        orientation = frame.tags.get(TAG)
        return image if orientation is None else turn_upright(image, int(orientation.value))


def read_shape(path: Path, *, planes: bool = False) -> tuple[tuple[int, int, int], str]:
    """Shape and type of the image that `read_page` reads without `page`, from the header alone.

    Args:
        path: TIFF file.
        planes: describe one page of several instead, each of which `read_page` reads.

    Returns:
        (C, H, W) without alpha and before the orientation tag is applied, and the file's dtype.

    Raises:
        DataError: if the file holds several images, or fewer planes than its header describes.
    """
    with TiffFile(path) as tif:
        series = data_series(tif, path)
        first = series[0]
        pages = 1 if planes else len(series) * series_pages(first)
        if pages > 1:
            _check_channels(first, pages, path, labels=False)
        for one in series:
            _check_planes(one, path)
        sizes = list(zip(axes_of(first), first.shape, strict=True))
        height, width = (next(size for axis, size in sizes if axis == letter) for letter in "YX")
        samples = [
            len(color_samples(size, first.keyframe)) if axis == "S" else size
            for axis, size in sizes
            if axis in CHANNEL_AXES
        ]
        return (pages * prod(samples), height, width), str(first.dtype)


def read_scale(path: Path) -> tuple[dict[str, int], dict[str, float | None]]:
    """Number of planes by axis, and size of a pixel in µm by axis, from the header alone.

    Args:
        path: TIFF file.

    Returns:
        Sizes of the axes with more than one plane, without channel, sample, y and x; and the length of a
        pixel along Z, Y and X, or None where the file does not state it.

    Raises:
        DataError: if the file holds no image.
    """
    from finetune.data.tiff_scale import pixel_lengths

    with TiffFile(path) as tif:
        series = data_series(tif, path)
        sizes = {
            axis: size
            for axis, size in zip(axes_of(series[0]), series[0].shape, strict=True)
            if axis not in PLANE_AXES and size > 1
        }
        return ({"I": len(series)} if len(series) > 1 else {}) | sizes, pixel_lengths(tif)


def _check_channels(series: TiffPageSeries, count: int, path: Path, labels: bool) -> None:
    """Refuse several pages unless they may be channels: an axis without a name, of an image."""
    axes = axes_of(series)
    if labels or any(axes[index] not in UNNAMED_AXES for index in _page_axes(series)):
        refuse_planes(path, count, axes)


def data_series(tif: TiffFile, path: Path) -> list[TiffPageSeries]:
    """Select the series that hold data: no thumbnails, no reduced resolutions, no transparency masks.

    Args:
        tif: an open TIFF.
        path: of the TIFF, for messages.

    Returns:
        At least one series.

    Raises:
        DataError: if there is none, or the header does not fit the file.
    """
    series = [one for one in tif.series if not (one.keyframe.is_reduced or one.keyframe.is_mask)]
    series = series or list(tif.series)
    if not series:
        raise DataError(f"{path}: holds no image")
    _check_header(tif, series, path)
    if len(series) == 1 or series[0].kind not in WHOLE_FILE_KINDS:
        return series[:1]
    if len({(one.shape, one.axes, one.dtype) for one in series}) > 1:
        sizes = ", ".join(" × ".join(map(str, one.shape)) for one in series[:3])
        raise DataError(
            f"{path}: holds images that differ in size or type ({sizes}): save each to its own file"
        )
    return series


def _check_header(tif: TiffFile, series: list[TiffPageSeries], path: Path) -> None:
    """Refuse a file that tifffile reads as single pages because the planes of its header are missing."""
    first = series[0]
    if first.kind in {"generic", "uniform"} and tif.is_imagej:
        described = int((tif.imagej_metadata or {}).get("images", 1))
        if described > len(tif.pages):
            refuse_missing(path, described, len(tif.pages))
    if first.kind == "shaped" and f'"shape": {list(first.shape)}' not in first.keyframe.description:
        for one, header in zip(series, tif.shaped_metadata or (), strict=False):
            if prod(header["shape"]) > prod(one.shape):
                described = prod(header["shape"]) // prod(one.keyframe.shape)
                refuse_missing(path, described, len(tif.pages))


def _check_planes(series: TiffPageSeries, path: Path) -> None:
    """Refuse a series of which planes are missing."""
    if series.dataoffset is not None:
        return  # one block of pixels: reading fails if it is cut short
    described, held = prod(series.shape) // prod(series.keyframe.shape), 0
    for index in range(len(series.pages)):
        try:
            held += series.pages[index] is not None
        except IndexError:
            break
    if held < described:
        refuse_missing(path, described, held)


def axes_of(series: TiffPageSeries) -> str:
    """Name the axes of a series. Three axes without names are (channel, y, x), or (y, x, channel): see above.

    Args:
        series: of a TIFF.

    Returns:
        tifffile's letter of each axis.
    """
    axes, shape = series.axes, series.shape
    unnamed = len(axes) == 3 and axes[0] in UNNAMED_AXES and axes[1:] == "YX"
    return "YXC" if unnamed and has_channels_last(shape) else axes


def _page_axes(series: TiffPageSeries) -> list[int]:
    return [index for index, axis in enumerate(axes_of(series)) if axis not in PLANE_AXES]


def series_pages(series: TiffPageSeries) -> int:
    """Count the 2D images of a series.

    Args:
        series: of a TIFF.

    Returns:
        Product of the sizes of all axes but those of a plane and its channels.
    """
    return prod(series.shape[index] for index in _page_axes(series))


def _read(series: TiffPageSeries, page: int, path: Path) -> np.ndarray:
    """One page of a series as (C, H, W)."""
    letters, counted = axes_of(series), _page_axes(series)
    first = list(range(len(counted)))
    shape = tuple(n for n, axis in zip(series.shape, letters, strict=True) if axis in PLANE_AXES)
    array = _read_only(series, page, shape, path) if counted == first else None
    if array is None:
        _check_planes(series, path)
        array = np.moveaxis(series.asarray(), counted, first).reshape(-1, *shape)[page]
    axes = "".join(axis for axis in letters if axis in PLANE_AXES)
    if "S" in axes:
        array = _drop_alpha(array, axes.index("S"), series.keyframe)
    channels = [axes.index(axis) for axis in CHANNEL_AXES if axis in axes]
    array = array.transpose(*channels, axes.index("Y"), axes.index("X"))
    return array.reshape(-1, *array.shape[-2:])


def _read_only(series: TiffPageSeries, page: int, shape: tuple[int, ...], path: Path) -> np.ndarray | None:
    """One page without decoding the others; None if the file does not store its planes one by one."""
    each = len(series.pages) // series_pages(series)
    try:
        planes = list(series.pages[page * each : (page + 1) * each])
    except IndexError:  # fewer entries than planes: one block of pixels, or planes are missing
        return None
    if any(plane is None for plane in planes):
        _check_planes(series, path)
    arrays = [plane.asarray() for plane in planes if plane is not None]
    if not arrays or sum(array.size for array in arrays) != prod(shape):
        return None
    return np.stack(arrays).reshape(shape)


def _drop_alpha(array: np.ndarray, axis: int, keyframe: tifffile.TiffPage) -> np.ndarray:
    samples = array.shape[axis]
    keep = color_samples(samples, keyframe)
    return np.take(array, keep, axis) if len(keep) < samples else array


def color_samples(samples: int, keyframe: tifffile.TiffPage) -> list[int]:
    """Select the samples of a pixel that are not alpha.

    tifffile tags a fourth channel as alpha, unless it is told otherwise. Microscopes write no transparency,
    and programs that do write it use 8 bits, so samples of more bits are channels.

    Args:
        samples: number of samples of a pixel.
        keyframe: first page of the series.

    Returns:
        Their indices.
    """
    if keyframe.bitspersample > 8:
        return list(range(samples))
    extra = tuple(keyframe.extrasamples or ())
    meanings = (None,) * (samples - len(extra)) + extra
    if keyframe.photometric == PHOTOMETRIC.RGB and samples == 4:
        return [0, 1, 2]  # some writers add alpha to RGB without saying what the fourth sample is
    return [i for i, meaning in enumerate(meanings) if meaning not in ALPHA]


def _inverted(image: np.ndarray, bits: int) -> np.ndarray:
    """Unsigned integers so that black is zero; for other types white has no defined value."""
    if image.dtype == bool:
        return ~image
    return image.dtype.type(2**bits - 1) - image if image.dtype.kind == "u" else image
