"""Reading the masks in `_seg.npy` of Cellpose without executing code from the file.

The file is a NumPy array that holds one pickled dictionary. A pickle can call any function, so only the
functions that rebuild arrays and scalars of NumPy are allowed.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from cards.errors import DataError

REMEDY = "save the masks from Cellpose's GUI as PNG or TIFF"

MODULES = {
    "numpy",
    "numpy.core.multiarray",
    "numpy._core.multiarray",
    "numpy.core.numeric",
    "numpy._core.numeric",
}
NAMES = {"_reconstruct", "ndarray", "dtype", "scalar", "_frombuffer"}


def read_seg_npy(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """Read the label image in a `_seg.npy` file.

    Args:
        path: file that Cellpose 1 to 4 wrote.
        shape: height and width of the image; not needed to read this format.

    Returns:
        (H, W) int32, 0 is background.

    Raises:
        DataError: if the file is damaged, contains anything but arrays and plain values, or holds no masks
            in 2D.
    """
    try:
        content = _load(path)
    except DataError:
        raise
    except Exception as error:  # a damaged pickle raises whatever it likes
        raise DataError(f"{path}: cannot be read as _seg.npy of Cellpose: {REMEDY}") from error
    masks = content.get("masks") if isinstance(content, dict) else None
    if not isinstance(masks, np.ndarray) or masks.dtype.kind not in "bui":
        raise DataError(f"{path}: holds no masks of integers: {REMEDY}")
    if masks.ndim == 3 and len(masks) == 1:
        masks = masks[0]
    if masks.ndim != 2:
        raise DataError(
            f"{path}: holds masks with {masks.ndim} axes; only 2D is supported: save single planes"
        )
    if masks.size and (masks.min() < 0 or masks.max() > np.iinfo(np.int32).max):
        raise DataError(f"{path}: holds labels outside of 0 to 2³¹ − 1: {REMEDY}")
    return np.ascontiguousarray(masks, dtype=np.int32)


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: Any, path: Path) -> None:
        super().__init__(file, encoding="latin1")
        self.path = path

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("_codecs", "encode"):  # how older pickles store bytes
            return _bytes
        if module in MODULES and name in NAMES:
            return super().find_class(module, name)
        raise DataError(f"{self.path}: contains {module}.{name}, which is not loaded for safety: {REMEDY}")


def _bytes(text: str, encoding: str) -> bytes:
    return text.encode("latin1")


def _load(path: Path) -> Any:
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        _, _, dtype = header(file)
        if not dtype.hasobject:
            raise DataError(f"{path}: holds an array, not the dictionary of Cellpose: {REMEDY}")
        array = _Unpickler(file, path).load()
    return array.item()
