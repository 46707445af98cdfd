"""Images that are read window by window, so that their size does not matter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cards.errors import DataError, InputError
from finetune.data.images import as_stored_type, image_format, read_image, unreadable


@dataclass(frozen=True)
class Windows:
    """An open image.

    Attributes:
        shape: channels, height and width.
        read: rows and columns -> (C, h, w), with the values and types of `read_image`.
    """

    shape: tuple[int, int, int]
    read: Callable[[slice, slice], np.ndarray]


def has_windows(path: Path) -> bool:
    """Whether `open_windows` reads an image part by part, from its header alone.

    Args:
        path: the image, which holds one 2D image.

    Returns:
        True for OME-Zarr and most TIFF files.

    Raises:
        DataError: if the image cannot be read.
    """
    kind = image_format(path)
    if kind == "tiff":
        from finetune.data.tiff_windows import has_tiff_windows

        return has_tiff_windows(path)
    return kind == "zarr"


@contextmanager
def open_windows(path: Path) -> Iterator[Windows]:
    """Open an image. OME-Zarr and most TIFF files are read window by window, other formats as a whole.

    Args:
        path: the image, which holds one 2D image.

    Yields:
        The image.

    Raises:
        DataError: if the image cannot be read.
    """
    kind = image_format(path)
    if kind == "zarr":
        from finetune.data.formats.ome_zarr import open_stack

        with open_stack(path) as stack:
            index, (channels, height, width) = stack.index(path, None), stack.shape

            def read_zarr(rows: slice, columns: slice) -> np.ndarray:
                where: dict[str, Any] = {**index, "Y": rows, "X": columns}  # Zarr arrays take slices, too
                part = stack.read(where)
                return part.reshape(channels, *part.shape[-2:])

            yield Windows((channels, height, width), _checked(read_zarr, path))
        return
    if kind == "tiff":
        from finetune.data.tiff_windows import open_tiff_windows

        with open_tiff_windows(path) as read:
            if read is not None:
                from finetune.data.tiff import read_shape

                yield Windows(read_shape(path)[0], _checked(read, path))
                return
    yield windows_of(read_image(path))


def windows_of(image: np.ndarray) -> Windows:
    """Windows of an image in memory.

    Args:
        image: (C, H, W) of any numeric dtype.

    Returns:
        The image.
    """
    channels, height, width = image.shape
    return Windows((channels, height, width), lambda rows, columns: image[:, rows, columns])


def _checked(read: Callable[[slice, slice], np.ndarray], path: Path) -> Callable[[slice, slice], np.ndarray]:
    def checked(rows: slice, columns: slice) -> np.ndarray:
        try:
            window = read(rows, columns)
        except InputError:
            raise
        except Exception as error:  # decoders raise arbitrary exceptions on a damaged file
            raise unreadable(path, error) from error
        size = (rows.stop - rows.start, columns.stop - columns.start)
        if window.shape[-2:] != size:
            raise DataError(f"{path}: holds fewer pixels than its header describes")
        return as_stored_type(window, path)

    return checked
