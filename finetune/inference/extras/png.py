"""PNG pictures written row by row, for images that do not fit into memory (PNG specification, third edition).

Pillow and imagecodecs encode a picture that is in memory as a whole.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from typing import IO

import numpy as np

COLOR_TYPES = {3: 2, 4: 6}  # channels: RGB and RGBA
LARGEST_CHUNK = 1 << 20  # bytes


def write_png(
    file: IO[bytes], parts: Iterable[np.ndarray], shape: tuple[int, int, int], software: str
) -> None:
    """Write a picture.

    Args:
        file: open for writing.
        parts: rows of the picture from top to bottom, each (h, W, 3) or (h, W, 4) uint8.
        shape: height, width and number of channels of the picture.
        software: text of the chunk Software.

    Raises:
        OSError: if the disk is full.
    """
    height, width, channels = shape
    file.write(b"\x89PNG\r\n\x1a\n")
    _chunk(file, b"IHDR", struct.pack(">IIBBBBB", width, height, 8, COLOR_TYPES[channels], 0, 0, 0))
    _chunk(file, b"tEXt", b"Software\0" + software.encode("latin-1"))
    compressor, waiting = zlib.compressobj(), b""
    for part in parts:
        rows = np.zeros((len(part), 1 + width * channels), np.uint8)  # each row starts with its filter: none
        rows[:, 1:] = part.reshape(len(part), -1)
        waiting += compressor.compress(rows.data)
        while len(waiting) >= LARGEST_CHUNK:
            _chunk(file, b"IDAT", waiting[:LARGEST_CHUNK])
            waiting = waiting[LARGEST_CHUNK:]
    _chunk(file, b"IDAT", waiting + compressor.flush())
    _chunk(file, b"IEND", b"")


def _chunk(file: IO[bytes], kind: bytes, content: bytes) -> None:
    file.write(struct.pack(">I", len(content)) + kind + content)
    file.write(struct.pack(">I", zlib.crc32(kind + content)))
