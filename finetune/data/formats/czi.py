"""CZI (Zeiss), by pylibCZIrw. Tiles of a mosaic are put together; the pyramid is not read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from cards.errors import DataError
from finetune.data.formats.stack import Stack, refuse_missing
from finetune.data.units import micrometers

DTYPES = {
    "Gray8": "uint8",
    "Gray16": "uint16",
    "Gray32Float": "float32",
    "Bgr24": "uint8",
    "Bgr48": "uint16",
    "Bgr96Float": "float32",
}


@contextmanager
def open_stack(path: Path) -> Iterator[Stack]:
    """Open a CZI file.

    Args:
        path: the file.

    Yields:
        The open file; scenes are axis P.

    Raises:
        DataError: if planes are missing, or scenes or channels differ in size or type.
    """
    from pylibCZIrw import czi

    with czi.open_czi(str(path)) as document:
        box: dict[str, tuple[int, int]] = document.total_bounding_box
        scenes = document.scenes_bounding_rectangle
        types = set(document.pixel_types.values())
        if len(types) > 1 or not types <= set(DTYPES):
            raise DataError(
                f"{path}: its channels have the types {', '.join(sorted(types))}: save them as one"
            )
        if len(shapes := {(scene.h, scene.w) for scene in scenes.values()}) > 1:
            listed = ", ".join(f"{height} × {width}" for height, width in sorted(shapes)[:3])
            raise DataError(f"{path}: holds scenes that differ in size ({listed}): save each to its own file")
        order = sorted(scenes)
        loops = {axis: stop - start for axis, (start, stop) in box.items() if axis not in "XYC"}
        if any(box[axis][0] for axis in loops):
            raise DataError(f"{path}: its planes are not counted from 0: save it again in ZEN")
        channels = box["C"][1] - box["C"][0]
        _check_planes(document, path, prod(loops.values()) * channels * max(1, len(order)))
        (kind,) = types
        area = scenes[order[0]] if order else document.total_bounding_rectangle
        sizes = {"P": max(1, len(order)), **loops, "C": channels, "Y": area.h, "X": area.w}
        if kind.startswith("Bgr"):
            sizes["S"] = 3

        def read(index: Mapping[str, int]) -> np.ndarray:
            scene = order[index["P"]] if order else None
            plane = {axis: index[axis] for axis in loops}
            images = [document.read(plane=plane | {"C": channel}, scene=scene) for channel in range(channels)]
            return np.concatenate([np.moveaxis(image, -1, 0)[::-1] for image in images])  # BGR to RGB

        yield Stack(sizes, DTYPES[kind], read, _lengths(document))


def _lengths(document: Any) -> dict[str, float | None]:
    """Length of a pixel in µm by axis; CZI states meters."""
    metadata: Any = document.metadata
    for key in ("ImageDocument", "Metadata", "Scaling", "Items", "Distance"):
        metadata = (metadata or {}).get(key)
    entries = metadata if isinstance(metadata, list) else [metadata] if metadata else []
    return {entry.get("@Id", ""): micrometers(entry.get("Value"), "m") for entry in entries}


def _check_planes(document: Any, path: Path, described: int) -> None:
    """Refuse a file that lacks planes: libCZI would return black ones."""
    held = set()

    def note(_: int, block: Any) -> bool:
        held.add(tuple(sorted(block.coordinate.to_dict().items())))
        return True

    document.enumerate_subblocks(note)
    if len(held) < described:
        refuse_missing(path, described, len(held))
