"""Size, channels and type of an image from its header, without decoding pixels."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from cards.errors import InputError
from finetune.data.formats.registry import LIBRARIES, read_shape
from finetune.data.images import image_format, unreadable
from finetune.data.memory_limit import check_declared, check_plausible

# Color types of PNG (ISO/IEC 15948, 11.2.2) and their channels as they are read: alpha is dropped, and a
# palette gives colors.
PNG_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 1, 6: 3}


class Header(NamedTuple):
    """What the header of an image file declares.

    Attributes:
        channels: number of channels as `read_image` returns them, without alpha.
        height: in pixels, upright or not.
        width: in pixels, upright or not.
        dtype: type of the pixels in the file.
    """

    channels: int
    height: int
    width: int
    dtype: str


def read_header(path: Path, *, planes: bool = False, in_parts: bool = False) -> Header:
    """Read the header of an image that is going to be read.

    Args:
        path: TIFF, PNG, JPEG, CZI, ND2 or LIF file, or folder of an OME-Zarr image.
        planes: whether the planes of a stack are read one by one; otherwise the file must hold one 2D image.
        in_parts: whether the image may be read part by part, and therefore exceed the memory.

    Returns:
        Size, channels and type of the image, or of each plane.

    Raises:
        DataError: if the file is missing, is no image, holds several planes or fewer than its header
            describes, or declares more pixels than fit into memory or, read part by part, than any image has.
    """
    kind = image_format(path)
    try:
        if kind in LIBRARIES:
            (channels, height, width), dtype = read_shape(kind, path, planes=planes)
            header = Header(channels, height, width, dtype)
        elif kind == "tiff":
            header = _tiff(path, planes)
        else:
            header = {"png": _png, "jpeg": _jpeg}[kind](path)
    except InputError:
        raise
    except Exception as error:  # decoders raise arbitrary exceptions on a damaged file
        raise unreadable(path, error) from error
    check = check_plausible if in_parts else check_declared
    check(path, header.channels, header.height, header.width)
    return header


def _tiff(path: Path, planes: bool) -> Header:
    from finetune.data.tiff import read_shape

    (channels, height, width), dtype = read_shape(path, planes=planes)
    return Header(channels, height, width, dtype)


def _png(path: Path) -> Header:
    with path.open("rb") as file:
        head = file.read(26)
    if head[12:16] != b"IHDR" or len(head) < 26:
        raise ValueError("no IHDR chunk")
    width, height = (int.from_bytes(head[start : start + 4], "big") for start in (16, 20))
    return Header(PNG_CHANNELS[head[25]], height, width, "uint16" if head[24] == 16 else "uint8")


def _jpeg(path: Path) -> Header:
    from PIL.JpegImagePlugin import JpegImageFile  # unlike Image.open, it opens pictures of any size

    with JpegImageFile(path) as image:
        return Header(1 if image.mode == "L" else 3, image.height, image.width, "uint8")
