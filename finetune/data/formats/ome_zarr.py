"""OME-Zarr, versions 0.1 to 0.5 (https://ngff.openmicroscopy.org), by zarr: full resolution of an image.

Chunks that are absent hold the fill value: writers leave out empty ones, so they are no sign of damage.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from cards.errors import DataError
from finetune.data.formats.registry import is_zarr
from finetune.data.formats.stack import PLANE_AXES, Stack
from finetune.data.units import micrometers

ARRAY_FILES = {"zarr.json", ".zarray", ".zattrs"}
FIRST_AXES = "TCZYX"  # of versions 0.1 and 0.2, which do not name them


@contextmanager
def open_stack(path: Path) -> Iterator[Stack]:
    """Open an OME-Zarr image, or the label image in one.

    Args:
        path: folder of the image, or of a label image in `labels/`.

    Yields:
        The open image.

    Raises:
        DataError: if the folder is no OME-Zarr image, or holds no pixels.
    """
    group = _group(path)
    multiscales = _metadata(group).get("multiscales")
    if not multiscales:
        raise DataError(f"{path}: is a Zarr group, but no OME-Zarr image: it has no multiscales")
    name = str(multiscales[0]["datasets"][0]["path"])
    array: Any = group[name]
    axes = _axes(multiscales[0], array.ndim, path)
    if not _has_chunks(path / name):
        raise DataError(f"{path}: holds no pixels: all chunks of the image are missing")
    sizes = dict(zip(axes, array.shape, strict=True))

    def read(index: Mapping[str, int]) -> np.ndarray:
        pixels = np.asarray(array[tuple(index.get(axis, slice(None)) for axis in axes)])
        kept = [axis for axis in axes if axis in PLANE_AXES]
        return pixels.transpose([kept.index(axis) for axis in "CYX" if axis in kept])

    yield Stack(sizes, str(array.dtype), read, _lengths(multiscales[0], axes))


def open_levels(path: Path) -> tuple[list[Any], list[str]]:
    """Open an OME-Zarr image with all its resolutions, without reading pixels.

    Args:
        path: folder of the image, or of a label image in `labels/`.

    Returns:
        Zarr arrays, the full resolution first, and the letters of their axes.

    Raises:
        DataError: if the folder is no OME-Zarr image.
    """
    group = _group(path)
    multiscales = _metadata(group).get("multiscales")
    if not multiscales:
        raise DataError(f"{path}: is a Zarr group, but no OME-Zarr image: it has no multiscales")
    levels: list[Any] = [group[str(dataset["path"])] for dataset in multiscales[0]["datasets"]]
    return levels, _axes(multiscales[0], levels[0].ndim, path)


def labels_of(path: Path) -> Path | None:
    """Find the label image in an OME-Zarr image.

    Args:
        path: folder of the image.

    Returns:
        Folder of the label image; None if there is none.

    Raises:
        DataError: if there are several.
    """
    folder = path / "labels"
    names = _metadata(_group(folder)).get("labels", []) if is_zarr(folder) else []
    if len(names) > 1:
        raise DataError(
            f"{path}: holds {len(names)} label images ({', '.join(map(str, names[:3]))}): name one "
            "in a table (data.csv)"
        )
    if not names:
        return None
    label = folder / str(names[0])
    if label.resolve().parent != folder.resolve() or not label.is_dir():
        raise DataError(f"{path}: lists the label image {names[0]}, which is not in labels/")
    return label


def _has_chunks(folder: Path) -> bool:
    """Whether an array holds a file besides its metadata. zarr would look for each possible chunk."""
    return any(file.is_file() and file.name not in ARRAY_FILES for file in folder.rglob("*"))


def _group(path: Path) -> Any:
    import zarr

    if _is_array(path):
        raise DataError(f"{path}: is an array of an OME-Zarr image: name the folder of the image")
    return zarr.open_group(path, mode="r")


def _is_array(path: Path) -> bool:
    metadata = path / "zarr.json"  # of version 3; version 2 has .zarray
    if not metadata.is_file():
        return (path / ".zarray").is_file()
    with suppress(OSError, ValueError, AttributeError):
        return json.loads(metadata.read_text(encoding="utf-8")).get("node_type") == "array"
    return False


def _metadata(group: Any) -> dict[str, Any]:
    """Metadata of OME: in version 0.5 below the key ome."""
    attributes = dict(group.attrs)
    return dict(attributes.get("ome", attributes))


def _lengths(multiscale: Mapping[str, Any], axes: list[str]) -> dict[str, float | None]:
    """Length of a pixel in µm by axis, of the full resolution. Axes without a unit have no length."""
    units = [axis.get("unit") if isinstance(axis, dict) else None for axis in multiscale.get("axes") or axes]
    steps = [1.0] * len(axes)
    for owner in (multiscale["datasets"][0], multiscale):  # both transformations apply, one after the other
        for transformation in owner.get("coordinateTransformations") or ():
            if transformation.get("type") == "scale":
                steps = [step * float(n) for step, n in zip(steps, transformation["scale"], strict=True)]
    return {axis: micrometers(step, unit) for axis, step, unit in zip(axes, steps, units, strict=True)}


def _axes(multiscale: Mapping[str, Any], dimensions: int, path: Path) -> list[str]:
    named = multiscale.get("axes") or list(FIRST_AXES)
    axes = [str(axis["name"] if isinstance(axis, dict) else axis).upper() for axis in named]
    if len(axes) != dimensions or len(set(axes)) < dimensions or not {"Y", "X"} <= set(axes):
        raise DataError(f"{path}: its axes {', '.join(axes)} do not fit its {dimensions} dimensions")
    return axes
