"""Memory of this process, as Linux reports it in /proc/self/status (proc(5))."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

_STATUS = Path("/proc/self/status")


def resident_memory(field: Literal["VmRSS", "VmHWM"]) -> int | None:
    """Read the resident memory of the process.

    Args:
        field: "VmRSS" is the memory in use now, "VmHWM" the highest since the process started or since
            `/proc/self/clear_refs` was last written.

    Returns:
        Bytes; None if they cannot be measured, as on other systems than Linux.
    """
    try:
        lines = _STATUS.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(field)), None)
