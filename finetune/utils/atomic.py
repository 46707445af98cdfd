"""Atomic writes: a file or folder is complete under its final name, or not there at all.

Everything is written under a temporary name in the same folder, because a rename is atomic only within one
file system. Any number of processes may write the same path; the result is complete whoever finishes last.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from cards.errors import InputError
from finetune.utils.lock import try_lock

if TYPE_CHECKING:
    import torch

PREFIX = ".finetune-"
"""Start of every temporary name, by which leftovers of a killed process are recognized."""

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
WRITTEN = re.compile(r"\d+ requested and \d+ written")  # of numpy, if fewer values are written than asked for


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Write a file under a temporary name; rename it to `path` when the block ends without an error.

    Args:
        path: final name of the file; an existing file is replaced. The folder is created if it is missing.

    Yields:
        Temporary path in the same folder, at which the block creates the file.

    Raises:
        OSError: if the file cannot be written or the disk is full; no partial file remains.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _temporary(path.parent, ".partial")
    try:
        yield partial
        replace_file(partial, path)
    finally:
        with suppress(OSError):  # a read-only disk
            partial.unlink(missing_ok=True)


def replace_file(new: Path, path: Path) -> None:
    """Rename a complete file to its final name, replacing an existing one.

    Args:
        new: complete file, on the same file system.
        path: final name.

    Raises:
        OSError: if the file cannot be written to the disk or renamed.
    """
    with new.open("r+b") as file:
        try_lock(file.fileno())  # it tells other processes that the file is no leftover of a killed one
        os.fsync(file.fileno())  # a rename must not reach the disk before the content does
        new.replace(path)


def write_file(path: Path, *parts: str | bytes | memoryview) -> None:
    """Write a file atomically.

    Args:
        path: final name of the file; an existing file is replaced. The folder is created if it is missing.
        parts: content, written one after the other; text is encoded as UTF-8.

    Raises:
        OSError: if the file cannot be written or the disk is full; no partial file remains.
    """
    with atomic_file(path) as partial, partial.open("xb") as file:
        for part in parts:
            file.write(part.encode() if isinstance(part, str) else part)


def write_new_files(folder: Path, files: Mapping[str, bytes]) -> dict[Path, bool]:
    """Write files into a folder without replacing any: either all are written, or none.

    Args:
        folder: created if it is missing.
        files: content by path in the folder.

    Returns:
        For each path, whether it was written; False if the same file was there already.

    Raises:
        InputError: if a file with other content exists, or the folder cannot be written.
    """
    written = {}
    with disk_errors(folder, "choose another folder with --out"):
        for name, content in files.items():
            path = folder / name
            written[path] = not os.path.lexists(path)
            if not written[path] and not (path.is_file() and path.read_bytes() == content):
                raise InputError(f"{path}: exists and differs; choose another folder with --out")
        done: list[Path] = []
        try:
            for (path, new), content in zip(written.items(), files.values(), strict=True):
                if new:
                    write_file(path, content)
                    done.append(path)
        except BaseException:
            for path in done:
                path.unlink(missing_ok=True)
            raise
    return written


def write_safetensors(
    path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str] | None = None
) -> int:
    """Write a safetensors file atomically.

    The writer of safetensors 0.6 is not used: it reports a full disk as an error of its own, without errno.

    Args:
        path: final name of the file; an existing file is replaced. The folder is created if it is missing.
        tensors: contiguous tensors on the CPU, by name; no two may share memory.
        metadata: text values stored in the header, such as {"format": "pt"}.

    Returns:
        Size of the file in bytes.

    Raises:
        OSError: if the file cannot be written or the disk is full; no partial file remains.
    """
    from safetensors.torch import save

    content = save(dict(tensors), dict(metadata) if metadata else None)
    write_file(path, content)
    return len(content)


@contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """Create a file that other processes do not take for a leftover of a killed one while it is open.

    Args:
        path: the file, which must not exist.

    Yields:
        The file, open for reading and writing.

    Raises:
        FileExistsError: if the file exists.
    """
    with path.open("x+b") as file:
        try_lock(file.fileno())
        yield file


@contextmanager
def atomic_folder(folder: Path, hint: str) -> Iterator[Path]:
    """Fill an empty folder; rename it to `folder` when the block ends without an error.

    If another process completes `folder` first, its result is kept and this one is discarded.

    Args:
        folder: final name of the folder.
        hint: how to choose another folder, for the error message.

    Yields:
        Empty folder with the final name inside a temporary folder. That temporary folder, its parent, may
        hold intermediate files and is deleted in any case.

    Raises:
        InputError: if the disk is full or the location is not writable.
    """
    work = _temporary(folder.parent, "")
    new = work / folder.name
    with disk_errors(folder.parent, hint):
        new.mkdir(parents=True)
    try:
        with disk_errors(folder.parent, hint, only_full=True):
            yield new
            if not folder.is_dir():
                new.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def replace_folder(new: Path, folder: Path) -> None:
    """Rename a complete folder to its final name, replacing an existing one.

    Args:
        new: complete folder, on the same file system.
        folder: final name. An existing folder is deleted once the new one is in place.

    Raises:
        OSError: if a folder cannot be renamed; the existing one is back in its place.
    """
    old = _temporary(folder.parent, f".{folder.name}.old")
    if folder.exists():
        folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def replaced_folders(folder: Path) -> list[Path]:
    """List what `replace_folder` left beside a folder when its process was killed.

    Args:
        folder: final name of the folder.

    Returns:
        Earlier versions of the folder, under their temporary names.
    """
    if not folder.parent.is_dir():
        return []
    name = re.compile(rf"{re.escape(PREFIX)}[0-9a-f]{{16}}\.{re.escape(folder.name)}\.old")
    return sorted(path for path in folder.parent.iterdir() if name.fullmatch(path.name))


@contextmanager
def disk_errors(path: Path, hint: str, *, only_full: bool = False) -> Iterator[None]:
    """Report disk errors of a block in one line.

    Args:
        path: file or folder that the message names.
        hint: what the user can do, such as "set HF_HOME to a folder on another disk".
        only_full: report a full disk only; let other operating system errors through.

    Yields:
        Nothing.

    Raises:
        InputError: in place of an operating system error.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if is_disk_full(error):
            raise InputError(f"{path}: the disk is full; free some space, or {hint}") from error
        if only_full or not isinstance(error, OSError):
            raise
        raise InputError(f"{path}: cannot write here ({error.strerror or error}); {hint}") from error


def is_disk_full(error: BaseException | None) -> bool:
    """Whether a full disk is the cause of an error.

    Args:
        error: any error; its causes are searched, because libraries wrap operating system errors.

    Returns:
        True for a full disk, an exceeded quota or a file size limit.
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            return True
        if isinstance(error, RuntimeError) and "PytorchStreamWriter failed" in str(error):
            return True  # torch.save hides the errno
        if isinstance(error, OSError) and error.errno is None and WRITTEN.search(str(error)):
            return True  # so does numpy
        error = error.__cause__ or error.__context__
    return False


def _temporary(folder: Path, suffix: str) -> Path:
    """Unused name in a folder. Not from `tempfile`, whose files and folders only their owner can read."""
    return folder / f"{PREFIX}{secrets.token_hex(8)}{suffix}"
