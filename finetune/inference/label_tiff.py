"""Label images as OME-TIFF: name, axes and pixel size of the image are carried over."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from finetune.data.calibration import Calibration
from finetune.inference.markers import SOFTWARE, software
from finetune.utils.atomic import new_file

LARGEST_RESOLUTION = 2**32  # pixels per cm that the tag of a TIFF can hold; the OME metadata state any size


def as_stored(labels: np.ndarray) -> np.ndarray:
    """Convert labels to the type in which they are stored.

    Args:
        labels: int32, 0 is background.

    Returns:
        uint16; int32 with more than 65,535 instances.
    """
    return labels.astype("uint16" if labels.max(initial=0) < 2**16 else "int32")


def write_label_tiff(
    labels: np.ndarray, path: Path, name: str, calibration: Calibration, *, tile: int | None = None
) -> None:
    """Write a label image as a compressed OME-TIFF.

    Args:
        labels: (H, W), or (P, H, W) for a stack; uint16 or int32.
        path: the file, which must not exist.
        name: name of the image, for viewers.
        calibration: of the image.
        tile: height and width of the tiles in pixels; None for strips.
    """
    axes = "YX"
    if labels.ndim > 2:
        axes = f"{calibration.axes}YX"
        labels = labels.reshape(*calibration.planes, *labels.shape[-2:])
    write_ome_tiff(labels, path, axes, name, calibration, mark=SOFTWARE, tile=tile)


def write_ome_tiff(
    pixels: np.ndarray,
    path: Path,
    axes: str,
    name: str,
    calibration: Calibration,
    *,
    mark: str,
    channels: Sequence[str] = (),
    tile: int | None = None,
) -> None:
    """Write a compressed OME-TIFF.

    The pixel size is stated as PhysicalSizeX and PhysicalSizeY and in the tags XResolution and YResolution,
    per centimeter. Equal pixels give equal files: the UUID is derived from them and the name.

    Args:
        pixels: an array of any type.
        path: the file, which must not exist.
        axes: one letter per axis.
        name: name of the image, for viewers.
        calibration: of the image.
        mark: start of the tag Software.
        channels: names of the channels.
        tile: height and width of the tiles in pixels; None for strips.
    """
    import tifffile

    metadata, options = describe(axes, name, calibration)
    metadata["UUID"] = content_uuid(pixels, name)
    if channels:
        metadata["Channel"] = {"Name": list(channels)}
    with new_file(path) as file:
        tifffile.imwrite(
            file,
            pixels,
            ome=True,
            metadata=metadata,
            compression="zlib",
            tile=(tile, tile) if tile else None,
            photometric="minisblack",
            software=software(mark),
            **options,
        )


def describe(axes: str, name: str, calibration: Calibration) -> tuple[dict[str, Any], dict[str, Any]]:
    """Metadata of an OME-TIFF for `tifffile`.

    Args:
        axes: one letter per axis.
        name: name of the image.
        calibration: of the image.

    Returns:
        OME metadata, and the arguments that set the tags of the resolution.
    """
    metadata: dict[str, Any] = {"axes": axes, "Name": name, "Creator": f"finetune {version('finetune')}"}
    sizes = {"X": calibration.x, "Y": calibration.y} | ({"Z": calibration.z} if "Z" in axes else {})
    for axis, size in sizes.items():
        if size is not None:
            metadata |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": "µm"}
    options: dict[str, Any] = {}
    if calibration.x and calibration.y and max(1e4 / calibration.x, 1e4 / calibration.y) < LARGEST_RESOLUTION:
        options = {"resolution": (1e4 / calibration.x, 1e4 / calibration.y), "resolutionunit": "CENTIMETER"}
    return metadata, options


def content_uuid(array: np.ndarray, name: str) -> str:
    """Identify the content of a file, as OME-TIFF requires.

    Args:
        array: the pixels.
        name: of the image.

    Returns:
        UUID, version 5.
    """
    digest = hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{digest} {name}"))
