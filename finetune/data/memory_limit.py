"""Images that declare more pixels than fit into memory."""

from __future__ import annotations

import os
from pathlib import Path

from cards.errors import DataError


def check_declared(path: Path, channels: int, height: int, width: int) -> None:
    """Refuse an image that declares more pixels than fit into memory, before any is read.

    Args:
        path: the file.
        channels: declared number of channels.
        height: declared height in pixels.
        width: declared width in pixels.

    Raises:
        DataError: if one byte per value already exceeds the physical memory.
    """
    declared, memory = channels * height * width, _memory()
    if declared > memory:
        raise DataError(
            f"{path}: its header declares {height:,} × {width:,} pixels, more than the "
            f"{memory / 2**30:.0f} GiB of memory hold ({declared / 2**30:.0f} GiB): it may be damaged; "
            "cut it into smaller images"
        )


def _memory() -> int:
    """Physical memory in bytes."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
