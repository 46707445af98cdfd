"""Cache of encoded maps on disk: each label image is encoded once, not once per epoch.

One memory-mapped file per image: a patch reads only its window, and memory does not grow with the number of
images. Any number of processes may read and write the same folder.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from finetune.targets.registry import encoder_versions
from finetune.utils.atomic import write_file

if TYPE_CHECKING:
    from finetune.targets.base import LabelEncoding


class MapStore:
    """A folder of encoded label images.

    Maps are stored as float16, which is exact for 0 and 1 and has a relative error of at most 1 in 2048 for
    directions and distances.
    """

    def __init__(self, folder: Path, target: LabelEncoding) -> None:
        """Configure the cache; the folder is created when the first file is written.

        Args:
            folder: folder of the files.
            target: encoder of the labels.
        """
        self.folder, self.target = folder, target
        # A resumed run must not reuse maps that another version of the encoder wrote.
        encoder = [encoder_versions(target.name), target.name, target.options()]
        self._encoder = json.dumps(encoder, sort_keys=True).encode()

    def keep(self, labels: np.ndarray) -> Path:
        """Locate the encoded maps of a label image; encode and write them if they are not cached.

        Args:
            labels: (H, W) integer.

        Returns:
            Path of the file.

        Raises:
            OSError: if the file cannot be written, or the disk is full.
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
    """Open cached maps as a memory map.

    Args:
        path: the file, from `MapStore.keep`.

    Returns:
        Maps (K, H, W) float16.
    """
    return np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)


def _npy(maps: np.ndarray) -> tuple[bytes, memoryview]:
    """Header and data of a .npy file. np.save would report a full disk without an error number."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(maps))
    return header.getvalue(), np.ascontiguousarray(maps).data
