"""Finished parts of a large prediction on disk: a killed prediction continues where it stopped.

Each part is a file that appears under its name when it is complete. The file `job.json` states what the parts
depend on: if image, model or settings have changed, the parts are deleted and the work starts over.
"""

from __future__ import annotations

import json
import secrets
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from cards.errors import DataError
from finetune.utils.atomic import PREFIX, write_file
from finetune.utils.lock import FileLock, LockedError

KEY = "job.json"
LOCK = "lock"
PARTS = ("tiles", "blocks")
LAYERS = "layers"  # first part of the names of results for which the network ran over the image


class ScratchJob:
    """Folder of the finished parts of one image.

    Attributes:
        folder: the folder, `.finetune-<name of the output>.job` beside the output.
    """

    def __init__(self, folder: Path) -> None:
        """Use a folder that exists; see `open_job`.

        Args:
            folder: the folder.
        """
        self.folder = folder

    def path(self, part: str, number: int) -> Path:
        """Path of a part.

        Args:
            part: "tiles" or "blocks".
            number: of the tile or block, row by row.

        Returns:
            The path; the file exists if the part is finished.
        """
        return self.folder / part / f"{number:07d}.{'npy' if part == 'tiles' else 'npz'}"

    def missing(self, part: str, count: int) -> list[int]:
        """List the parts that are not finished.

        Args:
            part: "tiles" or "blocks".
            count: number of all parts.

        Returns:
            Their numbers.
        """
        done = {path.name for path in (self.folder / part).iterdir()}
        return [number for number in range(count) if self.path(part, number).name not in done]

    def save(self, part: str, number: int, write: Callable[[Path], None]) -> None:
        """Write a part; several processes may write the same one.

        Args:
            part: "tiles" or "blocks".
            number: of the part.
            write: creates the file at a temporary path.

        Raises:
            OSError: if the disk is full.
        """
        path = self.path(part, number)
        partial = path.with_name(f"{path.name}.{secrets.token_hex(8)}.partial")
        try:
            write(partial)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    def save_tile(self, number: int, maps: np.ndarray, used: np.ndarray | None = None) -> None:
        """Write the maps of a tile.

        Args:
            number: of the tile.
            maps: the kept part (K, h, w) float32.
            used: (h, w) bool, pixels to write; the others are read as 0. None for all.

        Raises:
            OSError: if the disk is full.
        """

        def write(path: Path) -> None:
            with path.open("wb") as file:
                if used is None:
                    np.save(file, maps)
                else:
                    np.savez(file, used=np.packbits(used), values=maps[:, used], shape=np.array(maps.shape))

        self.save("tiles", number, write)

    def load_tile(self, number: int) -> np.ndarray:
        """Read the maps of a tile.

        Args:
            number: of the tile.

        Returns:
            Maps (K, h, w) float32; mapped into memory if all pixels were written.
        """
        content = np.load(self.path("tiles", number), mmap_mode="r")
        if isinstance(content, np.ndarray):
            return content
        with content as arrays:
            shape = arrays["shape"]
            maps = np.zeros(shape, np.float32)
            used = np.unpackbits(arrays["used"], count=int(shape[1] * shape[2])).astype(bool)
            maps[:, used.reshape(shape[1:])] = arrays["values"]
        return maps

    def remember(self, name: str, compute: Callable[[], Any]) -> Any:
        """A result that is computed once.

        Args:
            name: of the result.
            compute: computes it: numbers and lists.

        Returns:
            The result.
        """
        path = self.folder / f"{name}.json"
        if path.exists():
            return json.loads(path.read_text(encoding="utf-8"))
        result = compute()
        write_file(path, json.dumps(result))
        return result

    def new(self, name: str) -> Path:
        """Path of a file or folder in which the output is written before it is moved to its place.

        Args:
            name: of the file or folder.

        Returns:
            The path; what a killed process left there is deleted.
        """
        path = self.folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        return path

    def remove(self) -> None:
        """Delete the folder, once the output is written; what identifies it goes last."""
        for entry in self.folder.iterdir():
            if entry.name not in (KEY, LOCK):
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        shutil.rmtree(self.folder, ignore_errors=True)


def job_folder(output: Path) -> Path:
    """Folder of the finished parts of an output.

    Args:
        output: path of the label image.

    Returns:
        A hidden folder beside it.
    """
    return output.with_name(f"{PREFIX}{output.name}.job")


@contextmanager
def open_job(output: Path, key: Mapping[str, Any]) -> Iterator[ScratchJob]:
    """Continue the prediction of an image, or start over if it is another one.

    Args:
        output: path of the label image.
        key: JSON values on which the parts depend.

    Yields:
        The job, locked for this process.

    Raises:
        DataError: if another process writes the same output, or the folder is not one of finetune.
    """
    folder = job_folder(output)
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire()
    except LockedError as error:
        raise DataError(f"{output}: {error} is writing it; wait, or choose another folder") from error
    try:
        if not _is_job(folder):
            raise DataError(f"{folder}: was not written by finetune; delete it, or choose another folder")
        _prepare(folder, json.dumps(key, sort_keys=True, indent=2) + "\n")
        job = ScratchJob(folder)
        try:
            yield job
        finally:
            if folder.exists() and not _has_results(folder):
                job.remove()
    finally:
        lock.close()


def clear_job(output: Path) -> None:
    """Delete the finished parts of an output that is complete, which a killed process left.

    Args:
        output: path of the label image.
    """
    folder = job_folder(output)
    if not (folder / KEY).is_file():
        return
    lock = FileLock(folder / LOCK)
    with suppress(LockedError, OSError):
        lock.acquire()
        try:
            ScratchJob(folder).remove()
        finally:
            lock.close()


def _is_job(folder: Path) -> bool:
    """Whether finetune created a folder; a killed process may have left it before it was marked."""
    names = {entry.name for entry in folder.iterdir()}
    return KEY in names or all(name == LOCK or name.startswith(PREFIX) for name in names)


def _has_results(folder: Path) -> bool:
    """Whether there is something to continue with that took long."""
    finished = any(any((folder / part).iterdir()) for part in PARTS)
    return finished or any(folder.glob(f"{LAYERS}-*.json"))


def _prepare(folder: Path, key: str) -> None:
    """Delete the parts of another key and incomplete parts, and create the folders of the parts."""
    path = folder / KEY
    if path.exists() and path.read_text(encoding="utf-8") != key:
        for entry in folder.iterdir():
            if entry.name in PARTS:
                shutil.rmtree(entry)
            elif entry.suffix == ".json" and entry != path:
                entry.unlink()
    write_file(path, key)
    for part in PARTS:
        (folder / part).mkdir(exist_ok=True)
        for file in (folder / part).iterdir():
            if not _is_complete(file):
                file.unlink(missing_ok=True)


def _is_complete(part: Path) -> bool:
    """Whether a part can be read: after a power cut, the end of a file may be missing."""
    if part.suffix not in (".npy", ".npz"):
        return False  # a killed process was writing it
    try:
        content = np.load(part, mmap_mode="r")
        if not isinstance(content, np.ndarray):
            content.close()
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return False
    return True
