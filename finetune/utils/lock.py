"""Lock files: one process at a time, for as long as it lives."""

from __future__ import annotations

import json
import os
import socket
import time
from datetime import datetime
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: nothing is locked there
    fcntl = None  # type: ignore[assignment]

RETRY_SECONDS = 0.3
"""How long `acquire` tries: `holder` takes the lock for a moment to see whether it is free."""

_open: set[int] = set()  # descriptors of all locks that this process holds


class LockedError(Exception):
    """Another process holds the lock; the message describes that process."""


class FileLock:
    """An exclusive lock (`flock`) on a file that states process id, host and start time of its holder.

    The operating system releases the lock when the process ends, however it ends. Forked processes, such as
    workers that read images, do not keep it. Where locks are not supported, as on some network file systems,
    every process gets the lock.
    """

    def __init__(self, path: Path) -> None:
        """Prepare; nothing is created.

        Args:
            path: the lock file.
        """
        self.path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            LockedError: if another process holds it.
            OSError: if the lock file cannot be created.
        """
        end = time.monotonic() + RETRY_SECONDS
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            if try_lock(descriptor) and _is_same(descriptor, self.path):
                break
            os.close(descriptor)
            if time.monotonic() > end:
                raise LockedError(self._describe())
            time.sleep(0.02)
        self._descriptor = descriptor
        _open.add(descriptor)
        since = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        os.ftruncate(descriptor, 0)
        os.write(
            descriptor,
            json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since}).encode(),
        )

    def holder(self) -> str | None:
        """Describe the process that holds the lock.

        Returns:
            Process id, host and start time in words; None if the lock is free.
        """
        try:
            descriptor = os.open(self.path, os.O_RDONLY)
        except OSError:
            return None
        try:
            return None if try_lock(descriptor) else self._describe()
        finally:
            os.close(descriptor)

    def release(self) -> None:
        """Delete the lock file and release the lock; nothing happens if the lock is not held."""
        if self._descriptor is None:
            return
        # Deleted first: whoever opened the file meanwhile notices that it is no longer the one at this path.
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Release the lock without deleting the lock file."""
        if self._descriptor is not None:
            _open.discard(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None

    def _describe(self) -> str:
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            return f"process {content['pid']} on {content['host']}, since {content['since']}"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process"


def try_lock(descriptor: int) -> bool:
    """Lock an open file, unless another process holds the lock.

    Args:
        descriptor: of the file; the lock is released when it is closed.

    Returns:
        Whether the lock was obtained, or the file system does not support locks.
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _is_same(descriptor: int, path: Path) -> bool:
    """Whether the path still leads to the open file, which its earlier holder may have deleted."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _close_in_child() -> None:
    for descriptor in _open:
        os.close(descriptor)
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)
