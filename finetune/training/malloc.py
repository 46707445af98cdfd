"""Memory allocator settings that speed up training (measured by benchmarks/training_step.py)."""

from __future__ import annotations

import ctypes
import sys

# mallopt(3): numbers of two parameters of glibc's allocator, from malloc.h
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


def keep_freed_memory() -> None:
    """Let glibc keep large freed blocks instead of returning them to the kernel.

    Training steps allocate and free the same large tensors again and again. By default the kernel maps each
    of them anew, page by page, which took a third of a training step of a U-Net. On other platforms than
    Linux with glibc, the function does nothing.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, 1 << 30)
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)
