"""Images that declare more pixels than fit into memory, or than any image has."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from cards.errors import DataError

CGROUP = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Files with the limit of a container: versions 2 and 1 of Linux's control groups."""

LARGEST = 2**38
"""Pixels of the largest image that is read part by part, 524,288 × 524,288; slide scanners reach 2^35."""


def check_declared(path: Path, channels: int, height: int, width: int) -> None:
    """Refuse an image that declares more pixels than fit into memory, before any is read.

    Args:
        path: the file.
        channels: declared number of channels.
        height: declared height in pixels.
        width: declared width in pixels.

    Raises:
        DataError: if one byte per value already exceeds `memory_limit`.
    """
    if _exceeds_memory(channels, height, width):
        raise DataError(
            f"{path}: its header declares {height:,} × {width:,} pixels, more than the "
            f"{memory_limit() / 2**30:.0f} GiB of memory hold ({channels * height * width / 2**30:.0f} GiB): "
            "it may be damaged; cut it into smaller images"
        )


def check_plausible(path: Path, channels: int, height: int, width: int) -> None:
    """Refuse an image that declares more pixels than any image has.

    Args:
        path: the file.
        channels: declared number of channels.
        height: declared height in pixels.
        width: declared width in pixels.

    Raises:
        DataError: if it has more than `LARGEST` pixels and exceeds the memory.
    """
    if height * width > LARGEST and _exceeds_memory(channels, height, width):
        raise DataError(
            f"{path}: its header declares {height:,} × {width:,} pixels, more than any microscope takes: "
            "it may be damaged"
        )


@cache
def memory_limit() -> int:
    """Memory that this process may use.

    Returns:
        Bytes: the physical memory, or less in a container or a job with a limit of its own (cgroup).
    """
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = [Path(file).read_text().strip() for file in CGROUP if Path(file).is_file()]
    return min([physical, *(int(limit) for limit in limits if limit.isdecimal())])


def _exceeds_memory(channels: int, height: int, width: int) -> bool:
    """Whether one byte per value already exceeds the memory."""
    return channels * height * width > memory_limit()
