"""Run-length encoding of COCO masks, compressed and uncompressed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

BITS = 5  # payload bits per character
FIRST = 48  # ASCII code of the value 0


def decode(segmentation: Mapping[str, Any], shape: tuple[int, int]) -> np.ndarray:
    """Decode a mask.

    Args:
        segmentation: `counts`, a list or the string of the compressed form, and `size`.
        shape: height and width of the image.

    Returns:
        (H, W) bool.

    Raises:
        ValueError: if the runs do not cover the image exactly.
    """
    counts = segmentation["counts"]
    runs = _decompress(counts) if isinstance(counts, str) else [int(count) for count in counts]
    size = segmentation.get("size")
    if min(runs, default=0) < 0 or sum(runs) != shape[0] * shape[1] or (size and tuple(size) != shape):
        raise ValueError("the runs do not cover the image")
    # Run lengths of background and object in turn, by columns.
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(shape, order="F")


def _decompress(text: str) -> list[int]:
    """Run lengths from the compressed string.

    Each number is a sequence of characters of 6 bits, the lowest first; bit 5 says that another follows, and
    bit 4 of the last is the sign. From the fourth on, a number is the difference to the run two before
    (`rleFrString` in https://github.com/cocodataset/cocoapi/blob/master/common/maskApi.c).
    """
    runs: list[int] = []
    number = shift = 0
    for character in text:
        value = ord(character) - FIRST
        if not 0 <= value < 64:
            raise ValueError("not a character of compressed RLE")
        number |= (value & 0x1F) << shift
        shift += BITS
        if value & 0x20:
            continue
        if value & 0x10:
            number -= 1 << shift
        runs.append(number + runs[-2] if len(runs) > 2 else number)
        number = shift = 0
    if shift:
        raise ValueError("the compressed RLE is cut short")
    return runs
