"""Which formats are read by which library, and reading any of them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import numpy as np

from finetune.data.formats.stack import Stack
from finetune.data.memory_limit import check_declared
from finetune.utils.optional import require

EXTRA = "formats"


class Library(NamedTuple):
    """The library that reads a format.

    Attributes:
        package: import name.
        module: module of this package that opens the format with it.
    """

    package: str
    module: str


LIBRARIES = {
    "czi": Library("pylibCZIrw", "czi"),  # of Zeiss; czifile has no current release for Python 3.11
    "nd2": Library("nd2", "nd2_file"),
    "lif": Library("liffile", "lif"),
    "zarr": Library("zarr", "ome_zarr"),
}

ZARR_FILES = ("zarr.json", ".zattrs", ".zgroup")  # of a group in format 3 and 2


def is_zarr(path: Path) -> bool:
    """Whether a path is a Zarr group.

    Args:
        path: any path.

    Returns:
        True for a folder with the metadata of a group, or, if the folder may not be read, with its suffix.
    """
    try:
        return path.is_dir() and any((path / name).is_file() for name in ZARR_FILES)
    except PermissionError:
        return path.suffix == ".zarr"


def count_pages(kind: str, path: Path) -> int:
    """Count the 2D images in a file from its header.

    Args:
        kind: "czi", "nd2", "lif" or "zarr".
        path: the file; a folder for Zarr.

    Returns:
        Product of all axes but channel, sample, y and x.

    Raises:
        InputError: if the library is not installed, or planes are missing.
    """
    with _open(kind, path) as stack:
        return stack.pages


def read_page(kind: str, path: Path, page: int | None) -> np.ndarray:
    """Read one 2D image.

    Args:
        kind: "czi", "nd2", "lif" or "zarr".
        path: the file; a folder for Zarr.
        page: index from 0; None if the file must hold one image only.

    Returns:
        (C, H, W) in the file's dtype.

    Raises:
        InputError: if the library is not installed, planes are missing, there is no such page, the file
            holds several and none is given, or an image does not fit into memory.
    """
    with _open(kind, path) as stack:
        index = stack.index(path, page)
        check_declared(path, *stack.shape)
        # a copy, because nd2 and liffile return views of a file that is closed in a moment
        return np.array(stack.read(index)).reshape(stack.shape)


def read_shape(kind: str, path: Path, *, planes: bool = False) -> tuple[tuple[int, int, int], str]:
    """Shape and type of the image that `read_page` reads without `page`, from the header alone.

    Args:
        kind: "czi", "nd2", "lif" or "zarr".
        path: the file; a folder for Zarr.
        planes: describe one of several images instead, each of which `read_page` reads.

    Returns:
        (C, H, W) and the file's dtype.

    Raises:
        InputError: if the library is not installed, planes are missing, or the file holds several images.
    """
    with _open(kind, path) as stack:
        stack.index(path, 0 if planes else None)
        return stack.shape, stack.dtype


def read_scale(kind: str, path: Path) -> tuple[dict[str, int], dict[str, float | None]]:
    """Number of planes by axis, and size of a pixel in µm by axis, from the header alone.

    Args:
        kind: "czi", "nd2", "lif" or "zarr".
        path: the file; a folder for Zarr.

    Returns:
        Sizes of the axes with more than one plane, without channel, sample, y and x; and the length of a
        pixel along Z, Y and X where the file states it.

    Raises:
        InputError: if the library is not installed, or planes are missing.
    """
    with _open(kind, path) as stack:
        sizes = {axis: stack.sizes[axis] for axis in stack.page_axes if stack.sizes[axis] > 1}
        return sizes, dict(stack.scale)


def _open(kind: str, path: Path) -> AbstractContextManager[Stack]:
    library = LIBRARIES[kind]
    require(library.package, EXTRA)
    module = import_module(f"finetune.data.formats.{library.module}")
    opener: Callable[[Path], AbstractContextManager[Stack]] = module.open_stack
    return opener(path)
