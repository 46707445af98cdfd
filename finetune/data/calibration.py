"""Pixel size of an image file, and which of its axes count planes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import NamedTuple

from cards.errors import InputError
from finetune.data.images import image_format, unreadable


class Calibration(NamedTuple):
    """Pixel size and planes of an image file.

    Attributes:
        y: height of a pixel in µm; None if the file does not state it.
        x: width of a pixel in µm.
        z: distance of the planes of a z-stack in µm.
        axes: letters of the axes that count planes, T and Z, in the order of the file; other axes are
            one axis Z.
        planes: number of planes along each of these axes.
    """

    y: float | None = None
    x: float | None = None
    z: float | None = None
    axes: str = ""
    planes: tuple[int, ...] = ()

    @property
    def size(self) -> float | None:
        """Pixel size in µm if pixels are square within 1 %, else None."""
        if self.y is None or self.x is None or abs(self.y - self.x) > 0.01 * self.x:
            return None
        return self.x


def read_calibration(path: Path) -> Calibration:
    """Read pixel size and planes from the header of an image.

    Sources: OME-XML, tags of ImageJ (`unit`, `spacing`) and the resolution per centimeter in TIFF; the
    metadata of CZI, ND2 and LIF; the scale of OME-Zarr. PNG and JPEG state none.

    Args:
        path: TIFF, PNG, JPEG, CZI, ND2 or LIF file, or folder of an OME-Zarr image.

    Returns:
        The calibration; entries that the file does not state are None.

    Raises:
        DataError: if the file is missing, is no image, or its header is damaged.
    """
    kind = image_format(path)
    try:
        if kind in ("png", "jpeg"):
            return Calibration()
        if kind == "tiff":
            from finetune.data.tiff import read_scale

            return _calibration(*read_scale(path))
        from finetune.data.formats.registry import read_scale as read_stack_scale

        return _calibration(*read_stack_scale(kind, path))
    except InputError:
        raise
    except Exception as error:  # decoders raise arbitrary exceptions on a damaged file
        raise unreadable(path, error) from error


def _calibration(sizes: Mapping[str, int], scale: Mapping[str, float | None]) -> Calibration:
    axes, planes = "".join(sizes), tuple(sizes.values())
    if not re.fullmatch("T?Z?|ZT", axes):  # positions, or axes without a name
        axes, planes = "Z", (prod(planes),)
    return Calibration(scale.get("Y"), scale.get("X"), scale.get("Z"), axes, planes)
