"""Settings that make training faster and change no result; benchmarks/training_step.py measures each."""

from __future__ import annotations

import ctypes
import sys

# mallopt(3): the numbers of two parameters of glibc's allocator, from malloc.h
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


def keep_freed_memory() -> None:
    """Let glibc keep large freed blocks instead of giving them back to Linux.

    A training step frees and asks for the same large tensors over and over. By default each comes from
    the kernel anew, page by page, which took a third of a step of a U-Net. Elsewhere it does nothing.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, 1 << 30)
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)
