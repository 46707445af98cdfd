"""Maps of whole images on disk, so that each label image is encoded once and not once an epoch.

One file an image, read through memory mapping: a patch reads the part under its window only, and memory does
not grow with the number of images. Any number of processes may write and read the same folder.
"""

from __future__ import annotations

import hashlib
import io
import json
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from finetune.utils.atomic import write_file

if TYPE_CHECKING:
    from finetune.targets.base import LabelEncoding


class MapStore:
    """A folder of encoded label images.

    Maps are kept as float16, which is exact for 0 and 1 and off by at most 1 in 2048 for directions and
    distances.
    """

    def __init__(self, folder: Path, target: LabelEncoding) -> None:
        """Name the folder; it is made when something is written into it.

        Args:
            folder: where the files lie.
            target: encodes the labels.
        """
        self.folder, self.target = folder, target
        # Files of another version of the encoder, left by a run that is now resumed, are not for us.
        encoder = [version("finetune"), _installed_version("stardist"), target.name, target.options()]
        self._encoder = json.dumps(encoder, sort_keys=True).encode()

    def keep(self, labels: np.ndarray) -> Path:
        """The file with the maps of `labels` (H, W); encoded and written if it is not there.

        Raises:
            OSError: if it cannot be written, or the disk is full.
        """
        path = self.folder / f"{self._key(labels)}.npy"
        if not path.exists():
            write_file(path, *_npy(self.target.encode(labels).astype(np.float16)))
        return path

    def _key(self, labels: np.ndarray) -> str:
        digest = hashlib.sha256(self._encoder)
        digest.update(f"{labels.shape} {labels.dtype.str}".encode())
        digest.update(np.ascontiguousarray(labels).data)
        return digest.hexdigest()


def read(path: Path) -> np.ndarray:
    """Maps (K, H, W) float16 in a file of the store, of which only what is touched is read from disk."""
    return np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)


def _npy(maps: np.ndarray) -> tuple[bytes, memoryview]:
    """A .npy file in two parts. Not np.save, which hides a full disk in an error without a number."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(maps))
    return header.getvalue(), np.ascontiguousarray(maps).data


def _installed_version(package: str) -> str | None:
    """Version of an optional package, or None without it."""
    return version(package) if find_spec(package) else None
