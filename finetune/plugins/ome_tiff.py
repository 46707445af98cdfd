"""Label images as tiled OME-TIFF, as WIPP stores collections, with name and pixel size of their image."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from finetune.data.layouts import stem

if TYPE_CHECKING:
    from finetune.inference.extras.registry import Segmented

TILE = 1024
"""Height and width in pixels of the tiles of WIPP's collections."""


def label_file(image: Path) -> str:
    """Name of the label image of an image.

    Args:
        image: path of the image.

    Returns:
        The name of the image, with the ending .ome.tif.
    """
    return f"{stem(image)}.ome.tif"


def write_labels(result: Segmented, path: Path, image: Path) -> None:
    """Write the label image of an image.

    Args:
        result: the segmented image, of one plane.
        path: the new file.
        image: the image.
    """
    from finetune.inference.label_tiff import as_stored, write_label_tiff

    labels = as_stored(result.labels[0])
    write_label_tiff(labels, path, image_name(image), result.calibration, tile=TILE)


def image_name(image: Path) -> str:
    """Name that an image states for itself.

    Args:
        image: an image file.

    Returns:
        The name in its OME-XML; without one, the name of the file without its ending.
    """
    import tifffile

    if image.suffix.lower() in (".tif", ".tiff"):
        with tifffile.TiffFile(image) as tif:
            if tif.is_ome and tif.ome_metadata:
                with suppress(ElementTree.ParseError):  # damaged metadata: the pixels count
                    first = ElementTree.fromstring(tif.ome_metadata.encode()).find(".//{*}Image")
                    if first is not None and first.get("Name"):
                        return str(first.get("Name"))
    return stem(image)
