"""Temporary folders that the next run deletes if their process was killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from finetune.utils import lock

PREFIX = "finetune-"
LOCK = ".finetune-lock"


class ScratchFolder(tempfile.TemporaryDirectory[str]):
    """A temporary folder in TMPDIR, locked while its process lives."""

    def __init__(self) -> None:
        """Create the folder, and delete those of processes that were killed."""
        remove_stale()
        super().__init__(prefix=PREFIX)
        self._lock = lock.FileLock(Path(self.name) / LOCK)
        self._lock.acquire()

    def cleanup(self) -> None:
        """Delete the folder."""
        self._lock.close()
        super().cleanup()


def remove_stale() -> None:
    """Delete the temporary folders of processes that were killed.

    A folder is deleted only if it contains the lock file of a `ScratchFolder` and nobody holds that lock.
    """
    if lock.fcntl is None:
        return
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if folder.is_symlink():
            continue
        with contextlib.suppress(OSError):  # no lock file, another user's folder, or just deleted
            descriptor = os.open(folder / LOCK, os.O_RDONLY)
            try:
                if lock.try_lock(descriptor):
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(descriptor)
