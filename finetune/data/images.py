"""Reading images and label images: TIFF (8 and 16 bit, float, multi-page, OME), PNG, JPEG, and `formats`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from cards.errors import DataError, InputError
from finetune.data.formats.registry import LIBRARIES, is_zarr, read_page
from finetune.data.labels import as_integers
from finetune.data.orientation import TAG, turn_upright
from finetune.data.png_jpeg import decode_jpeg, decode_png

SUFFIXES = {".tif", ".tiff", ".btf", ".tf8", ".lsm", ".stk", ".png", ".jpg", ".jpeg", ".czi", ".nd2", ".lif"}
ZARR = ".zarr"  # a folder
NAMES = "TIFF, PNG, JPEG, CZI, ND2, LIF or OME-Zarr"

Format = Literal["tiff", "png", "jpeg", "czi", "nd2", "lif", "zarr"]

MAGIC: dict[bytes, Format] = {
    b"II*\0": "tiff",
    b"MM\0*": "tiff",
    b"II+\0": "tiff",  # BigTIFF
    b"MM\0+": "tiff",
    b"\x89PNG": "png",
    b"\xff\xd8\xff": "jpeg",
    b"ZISRAWFILE": "czi",
    b"\xda\xce\xbe\x0a": "nd2",
    b"\0\0\0\x0cjP  ": "nd2",  # before 2010: in JPEG 2000
    b"\x70\0\0\0": "lif",
}


def is_image(path: Path) -> bool:
    """Whether a path is that of an image.

    Args:
        path: any path; it is not opened.

    Returns:
        True for a file with a known ending or an OME-Zarr folder, unless hidden.
    """
    if path.name.startswith("."):
        return False
    suffix = path.suffix.lower()
    return is_zarr(path) if suffix == ZARR else suffix in SUFFIXES and not path.is_dir()


def read_image(path: Path | str, page: int | None = None) -> np.ndarray:
    """Read an image.

    Gray, RGB and any number of channels; alpha is dropped, orientation tags are applied. In a TIFF, axes
    named channel or sample are channels and every other axis counts pages. Without `page`, pages along an
    axis without a name are channels. Three axes without names are (channel, y, x), or (y, x, channel) if the
    last has 2 to 4 entries. CZI, ND2, LIF and OME-Zarr name their axes.

    Args:
        path: TIFF, PNG, JPEG, CZI, ND2 or LIF file, or folder of an OME-Zarr image.
        page: index from 0 in a file of several pages; None if the file holds one image.

    Returns:
        (C, H, W): uint8 or uint16 as stored, every other type as float32.

    Raises:
        DataError: if the file is missing, is no image, is cut short, holds several planes and no `page` is
            given, or has pixels that are not finite.
    """
    path = Path(path)
    kind = image_format(path)
    if kind in LIBRARIES:
        image = _stack(kind, path, page)
    elif kind == "tiff":
        image = _tiff(path, page)
    else:
        _only_page(path, page)
        image = _decode(path, kind)
    return check_finite(as_stored_type(image, path), path)


def read_labels(path: Path | str, page: int | None = None) -> np.ndarray:
    """Read a label image.

    Args:
        path: TIFF or PNG file, or folder of a label image in OME-Zarr.
        page: index from 0 in a file of several pages; None if the file holds one image.

    Returns:
        (H, W) int32, 0 is background. Labels over 2³¹ − 1 are renumbered from 1, in the same order.

    Raises:
        DataError: as for `read_image`, and if the file holds fractions, colors or negative numbers, or is a
            JPEG.
    """
    path = Path(path)
    kind = image_format(path)
    if kind == "jpeg":
        raise DataError(
            f"{path}: JPEG changes pixel values, so it cannot hold labels: save them as PNG or TIFF"
        )
    if kind in LIBRARIES:
        labels = _stack(kind, path, page)
    elif kind == "tiff":
        labels = _tiff(path, page, labels=True)
    else:
        _only_page(path, page)
        labels = _png_labels(path)
    if len(labels) != 1:
        raise DataError(
            f"{path}: holds {len(labels)} channels; labels must be one integer a pixel: "
            "save it as a gray image"
        )
    return as_integers(labels[0], path)


def page_count(path: Path | str) -> int:
    """Count the 2D images in a file from its header.

    Args:
        path: TIFF, PNG, JPEG, CZI, ND2 or LIF file, or folder of an OME-Zarr image.

    Returns:
        1 for PNG and JPEG.

    Raises:
        DataError: if the file is missing, is no image, or its header is damaged.
    """
    path = Path(path)
    kind = image_format(path)
    if kind in ("png", "jpeg"):
        return 1
    from finetune.data.formats.registry import count_pages as count_stack
    from finetune.data.tiff import count_pages

    try:
        return count_pages(path) if kind == "tiff" else count_stack(kind, path)
    except InputError:
        raise
    except Exception as error:
        raise unreadable(path, error) from error


def image_format(path: Path) -> Format:
    """Recognize the format of a file by its first bytes, because a file name can have the wrong ending.

    Args:
        path: any path.

    Returns:
        The format.

    Raises:
        DataError: if the file is missing, cannot be opened, or is no image.
    """
    if is_zarr(path):
        return "zarr"
    try:
        with path.open("rb") as file:
            head = file.read(10)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be opened: {error.strerror}") from error
    for magic, kind in MAGIC.items():
        if head.startswith(magic):
            return kind
    what = "is empty" if not head else f"is not a {NAMES} image"
    raise DataError(f"{path}: {what}")


def unreadable(path: Path, error: Exception) -> DataError:
    """Create the error for a file that is damaged or may not be read.

    Args:
        path: the file, or the folder of an OME-Zarr image.
        error: whatever the decoder raised.

    Returns:
        The error, to be raised by the caller.
    """
    if isinstance(error, PermissionError):
        return DataError(f"{path}: no permission to read it")
    reason = str(error).strip().splitlines() or [type(error).__name__]
    return DataError(f"{path}: cannot be read, it may be damaged or cut short ({reason[0]})")


def _only_page(path: Path, page: int | None) -> None:
    if page:
        raise DataError(f"{path}: has no page {page}: it holds one image")


# The decoders below raise arbitrary exceptions (struct.error, zlib.error, KeyError, ...) on a damaged file,
# hence `except Exception`: to the user it is one thing.


def _stack(kind: Format, path: Path, page: int | None) -> np.ndarray:
    try:
        return read_page(kind, path, page)
    except InputError:
        raise
    except Exception as error:
        raise unreadable(path, error) from error


def _tiff(path: Path, page: int | None, *, labels: bool = False) -> np.ndarray:
    from finetune.data.tiff import read_page

    try:
        return read_page(path, page, labels=labels)
    except InputError:
        raise
    except Exception as error:
        raise unreadable(path, error) from error


def _decode(path: Path, kind: Format) -> np.ndarray:
    """A PNG or JPEG as (C, H, W), alpha dropped, upright."""
    try:
        array, orientation = decode_png(path) if kind == "png" else decode_jpeg(path)
    except Exception as error:
        raise unreadable(path, error) from error
    if array.ndim == 2:
        return turn_upright(array[np.newaxis], orientation)
    colors = {2: 1, 4: 3}.get(array.shape[2], array.shape[2])
    return turn_upright(np.moveaxis(array[..., :colors], -1, 0), orientation)


def _png_labels(path: Path) -> np.ndarray:
    """A PNG as (C, H, W); one with a palette as its indices, where labeling tools put the labels."""
    from PIL.PngImagePlugin import PngImageFile  # unlike Image.open, it opens pictures of any size

    try:
        with PngImageFile(path) as image:
            array = np.asarray(image.getchannel(0) if image.mode == "LA" else image)
            orientation = image.getexif().get(TAG, 1)
    except Exception as error:
        raise unreadable(path, error) from error
    return turn_upright(np.atleast_3d(array).transpose(2, 0, 1), orientation)


def as_stored_type(image: np.ndarray, path: Path) -> np.ndarray:
    """Convert pixels to the types that `read_image` returns.

    Args:
        image: pixels of any shape and type.
        path: the file, for messages.

    Returns:
        uint8 or uint16 as they are, every other type as float32.

    Raises:
        DataError: if the pixels are no numbers.
    """
    if image.dtype.kind not in "buif":
        raise DataError(f"{path}: holds {image.dtype} pixels; save it as uint8, uint16 or float32")
    dtype = {"b1": "uint8", "u1": "uint8", "u2": "uint16"}.get(image.dtype.str[1:], "float32")
    with np.errstate(over="ignore"):  # what does not fit float32 becomes infinite, which is reported
        return np.ascontiguousarray(image, dtype=dtype)


def check_finite(image: np.ndarray, path: Path) -> np.ndarray:
    """Refuse NaN and infinity.

    Args:
        image: pixels of any shape and type.
        path: the file, for messages.

    Returns:
        The image.

    Raises:
        DataError: if a pixel is not finite.
    """
    if image.dtype == np.float32 and not np.isfinite(image).all():
        bad = int((~np.isfinite(image)).sum())
        raise DataError(
            f"{path}: {bad:,} of {image.size:,} values are NaN or infinite: replace them and save it again"
        )
    return image
