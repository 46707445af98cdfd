"""SHA-256 of files, computed once in an audit although several families compare them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from cards.fingerprint import sha256_file


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, from memory if the file has not changed.

    Args:
        path: the file.

    Returns:
        64 hexadecimal digits.

    Raises:
        OSError: if the file cannot be read.
    """
    status = path.stat()
    return _hash(path, status.st_size, status.st_mtime_ns, status.st_ino)


@lru_cache(maxsize=4096)
def _hash(path: Path, size: int, modified: int, inode: int) -> str:
    return sha256_file(path)
