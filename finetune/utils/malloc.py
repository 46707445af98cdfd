"""Memory allocator settings that make networks faster on a CPU (measured by benchmarks/training_step.py)."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

# mallopt(3): numbers of two parameters of glibc's allocator, from malloc.h
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
TRAINING = 1 << 30  # bytes
# Feature maps of 512 × 512 pixels and 64 channels. Larger ones, of large tiles, are returned to the kernel.
PREDICTION = 1 << 26


def keep_freed_memory(largest: int) -> None:
    """Let glibc keep large freed blocks instead of returning them to the kernel.

    Steps of training and prediction allocate and free the same large tensors again and again. By default the
    kernel maps each of them anew, page by page, which took a third of a training step of a U-Net, and a tenth
    of a prediction. On other platforms than Linux with glibc, the function does nothing.

    Args:
        largest: size of the largest block that is kept, in bytes, at most 1 GiB.
    """
    mallopt = _of_glibc("mallopt")
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, largest)
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)


def return_freed_memory() -> None:
    """Return what `keep_freed_memory` kept, before work that needs memory in blocks of other sizes."""
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(0)


def _of_glibc(name: str) -> Any:
    """A function of the allocator; None on other platforms, and with musl, which has none."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
