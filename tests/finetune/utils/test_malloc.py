"""Freed memory, in a process of its own: the allocator's settings last."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
from pathlib import Path
from resource import getpagesize
from finetune.utils.malloc import TRAINING, keep_freed_memory, return_freed_memory

def mib():
    return int(Path("/proc/self/statm").read_text().split()[1]) * getpagesize() >> 20

keep_freed_memory(TRAINING)
blocks = [b"x" * 2**25 for _ in range(8)]
last = b"x" * 2**10  # keeps the blocks before it off the end of the heap
sizes = [mib()]
del blocks
sizes.append(mib())
return_freed_memory()
print(*sizes, mib())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_freed_memory_is_kept_until_it_is_returned() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True)
    used, kept, returned = map(int, done.stdout.split())
    assert kept > used - 20
    assert returned < used - 200
