"""Label images that are written band by band, so that their size does not matter."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from finetune.data.calibration import Calibration
from finetune.data.windows import Windows
from finetune.inference.label_bands import LabelBands
from finetune.inference.label_tiff import describe
from finetune.inference.label_zarr import level_count, multiscale, require_zarr
from finetune.inference.markers import LABELS, MARK, SOFTWARE, software
from finetune.utils.atomic import new_file

TIFF_TILE = 512  # height and width of a tile of the TIFF in pixels; blocks are multiples of it
CHUNK = 1024  # the same for OME-Zarr


def write_large_tiff(bands: LabelBands, partial: Path, name: str, calibration: Calibration) -> None:
    """Write a label image as a tiled, compressed OME-TIFF, with the metadata of `write_label_tiff`.

    Args:
        bands: the label image.
        partial: the file, which must not exist.
        name: name of the image, for viewers.
        calibration: of the image.

    Raises:
        OSError: if the file cannot be written or the disk is full.
    """
    metadata, options = describe("YX", name, calibration)
    metadata["UUID"] = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{_sha256(bands)} {name}"))
    options["software"] = software(SOFTWARE)
    write_tiled_tiff(partial, cut_tiles(bands), bands.shape, np.dtype(bands.dtype), metadata, **options)


def write_tiled_tiff(
    path: Path,
    tiles: Iterable[np.ndarray],
    shape: tuple[int, ...],
    dtype: np.dtype,
    metadata: dict[str, Any],
    **options: Any,
) -> None:
    """Write an image of any size as a tiled, compressed OME-TIFF.

    Args:
        path: the file, which must not exist.
        tiles: of each channel in turn, as `cut_tiles` yields them.
        shape: (H, W) or (C, H, W).
        dtype: of the file.
        metadata: OME metadata.
        **options: more arguments of tifffile, such as the tags of the resolution.

    Raises:
        OSError: if the file cannot be written or the disk is full.
    """
    import tifffile

    with new_file(path) as file:
        tifffile.imwrite(
            file,
            (tile.astype(dtype, copy=False) for tile in tiles),
            shape=shape,
            dtype=dtype,
            tile=(TIFF_TILE, TIFF_TILE),
            bigtiff=prod(shape) * dtype.itemsize >= 2**32,
            ome=True,
            metadata=metadata,
            compression="zlib",
            photometric="minisblack",
            **options,
        )


def write_large_zarr(
    bands: LabelBands, windows: Windows, path: Path, name: str, calibration: Calibration
) -> None:
    """Write an image and its label image as OME-Zarr 0.5, as `write_label_zarr` does.

    Args:
        bands: the label image.
        windows: the image.
        path: folder, which must not exist.
        name: name of the image.
        calibration: of the image.

    Raises:
        OSError: if the folder cannot be written or the disk is full.
    """
    require_zarr()
    import zarr
    from yaozarrs import v05

    channels, height, width = windows.shape
    axes, shape = ("yx", (height, width)) if channels == 1 else ("cyx", windows.shape)
    image = v05.Image(multiscales=[multiscale(shape, axes, name, calibration)])
    described = v05.LabelImage(  # type: ignore[call-arg]  # populated by name
        multiscales=[multiscale(bands.shape, "yx", LABELS, calibration)],
        image_label=v05.ImageLabel(source=v05.LabelSource(image="../../")),
    )
    group = zarr.create_group(path, zarr_format=3)
    pixels = windows.read(slice(0, 1), slice(0, 1)).dtype
    levels = _create(group, shape, pixels, described=image)
    labels = group.create_group("labels")
    labels.attrs["ome"] = {"version": "0.5", "labels": [LABELS]}
    label_levels = _create(labels.create_group(LABELS), bands.shape, np.dtype(bands.dtype), described)
    digest, top = hashlib.sha256(), 0
    for band in bands:
        rows = slice(top, top + len(band))
        digest.update(np.ascontiguousarray(band).data)
        part = windows.read(rows, slice(0, width))
        for level, (array, label_array) in enumerate(zip(levels, label_levels, strict=True)):
            step = 2**level
            inside = slice(-(-rows.start // step), -(-rows.stop // step))
            first = inside.start * step - rows.start
            label_array[inside] = band[first::step, ::step]
            array[..., inside, :] = (part[0] if channels == 1 else part)[..., first::step, ::step]
        top += len(band)
    group.attrs[MARK] = {"software": software(SOFTWARE), "labels_sha256": digest.hexdigest()}


def _create(group: Any, shape: tuple[int, ...], dtype: np.dtype[Any], described: Any) -> list[Any]:
    """Arrays of all resolution levels, and their description."""
    group.attrs["ome"] = described.model_dump(mode="json", exclude_none=True, by_alias=True)
    arrays = []
    for level in range(level_count(shape)):
        size = (*shape[:-2], *(-(-length // 2**level) for length in shape[-2:]))
        chunks = (*(1 for _ in shape[:-2]), *(min(CHUNK, length) for length in size[-2:]))
        names = ["c", "y", "x"][-len(shape) :]
        arrays.append(
            group.create_array(str(level), shape=size, dtype=dtype, chunks=chunks, dimension_names=names)
        )
    return arrays


def _sha256(bands: LabelBands) -> str:
    digest = hashlib.sha256()
    for band in bands:
        digest.update(np.ascontiguousarray(band).data)
    return digest.hexdigest()


def cut_tiles(bands: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Cut an image into the tiles of a TIFF.

    Args:
        bands: (h, W) parts of the image from top to bottom, of any height.

    Yields:
        Squares of `TIFF_TILE` pixels, row by row; those at the ends are filled up with 0.
    """
    rest: np.ndarray | None = None
    for band in bands:
        rest = band if rest is None else np.concatenate([rest, band])
        while len(rest) >= TIFF_TILE:
            yield from _row(rest[:TIFF_TILE])
            rest = rest[TIFF_TILE:]
    if rest is not None and len(rest):
        yield from _row(rest)


def _row(band: np.ndarray) -> Iterator[np.ndarray]:
    for left in range(0, band.shape[1], TIFF_TILE):
        part = band[:, left : left + TIFF_TILE]
        missing = [(0, TIFF_TILE - length) for length in part.shape]
        yield np.pad(part, missing) if any(after for _, after in missing) else np.ascontiguousarray(part)
