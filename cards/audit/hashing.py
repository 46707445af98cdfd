"""SHA-256 of files, computed once in an audit although several families compare them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from cards.audit.claims import Subject
from cards.fingerprint import sha256_file
from cards.record import RunRecord


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


def is_unchanged(subject: Subject, record: RunRecord, name: str) -> bool | None:
    """Whether a file of a model has the hash that its run recorded.

    Args:
        subject: the model under audit.
        record: of the run.
        name: path of the file in the folder of the model.

    Returns:
        None if no hash is recorded.
    """
    path = f"huggingface/{name}" if subject.kind == "hub" else name
    recorded = next((file.sha256 for file in record.files if file.path == path), None)
    return None if recorded is None else sha256_of(subject.folder / name) == recorded


@lru_cache(maxsize=4096)
def _hash(path: Path, size: int, modified: int, inode: int) -> str:
    return sha256_file(path)
