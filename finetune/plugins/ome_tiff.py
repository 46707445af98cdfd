"""Label images as tiled OME-TIFF, with the name and the pixel size of their image."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from finetune.data.layouts import stem
from finetune.inference.outputs import SOFTWARE

TILE = 1024
"""Height and width of a tile in pixels: WIPP's collections hold tiles of this size."""

SIZES = ("PhysicalSizeX", "PhysicalSizeY")


def label_file(image: Path) -> str:
    """Name of the label image of an image.

    Args:
        image: path of the image.

    Returns:
        The name of the image, with the ending .ome.tif.
    """
    return f"{stem(image)}.ome.tif"


def write_labels(labels: np.ndarray, path: Path, image: Path) -> None:
    """Write a label image as a compressed tiled OME-TIFF.

    Args:
        labels: (H, W) integer, 0 is background.
        path: the new file.
        image: the image that was segmented, whose metadata are kept.
    """
    import tifffile

    metadata = {"Name": path.name.removesuffix(".ome.tif"), **read_metadata(image), "axes": "YX"}
    tifffile.imwrite(
        path,
        labels.astype("uint16" if labels.max(initial=0) < 2**16 else "int32"),
        ome=True,
        tile=(TILE, TILE),
        compression="zlib",
        photometric="minisblack",
        software=f"{SOFTWARE}, version {version('finetune')}",
        metadata=metadata,
    )


def read_metadata(image: Path) -> dict[str, Any]:
    """Read name and pixel size of an image.

    Args:
        image: an image file.

    Returns:
        Attributes of OME-XML: `Name`, `PhysicalSizeX`, `PhysicalSizeXUnit`, and the same for Y; only those
        that the file states.
    """
    import tifffile

    if image.suffix.lower() not in (".tif", ".tiff"):
        return {}
    with tifffile.TiffFile(image) as tif:
        if tif.ome_metadata:
            return _of_ome(tif.ome_metadata)
        if tif.imagej_metadata:
            return _of_imagej(tif)
    return {}


def _of_ome(xml: str) -> dict[str, Any]:
    root = ElementTree.fromstring(xml)
    images = [element for element in root if element.tag.endswith("}Image")]
    if not images:
        return {}
    pixels = next((element for element in images[0] if element.tag.endswith("}Pixels")), images[0])
    found: dict[str, Any] = {"Name": images[0].get("Name")} if images[0].get("Name") else {}
    for size in SIZES:
        if value := pixels.get(size):
            found |= {size: float(value), f"{size}Unit": pixels.get(f"{size}Unit", "µm")}
    return found


def _of_imagej(tif: Any) -> dict[str, Any]:
    unit = {"micron": "µm", "um": "µm", "\\u00B5m": "µm", "µm": "µm", "nm": "nm", "mm": "mm"}.get(
        str((tif.imagej_metadata or {}).get("unit"))
    )
    found: dict[str, Any] = {}
    for size, tag in zip(SIZES, ("XResolution", "YResolution"), strict=True):
        resolution = tif.pages.first.tags.get(tag)
        if unit and resolution is not None and resolution.value[0]:
            found |= {size: resolution.value[1] / resolution.value[0], f"{size}Unit": unit}
    return found
