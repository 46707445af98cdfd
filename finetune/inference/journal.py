"""Finished images of a prediction: a killed command skips them when it is repeated.

The journal is a hidden file in the folder of the label images. Its first line says which models and options
wrote them. Each further line names an image before its first file is written, a finished image, or a file
about all images before that appears. The journal is deleted when the command is complete; the next command
then refuses to replace the label images, as always.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cards.errors import DataError
from cards.fingerprint import sha256_file
from finetune.inference.identity import identify
from finetune.inference.protocol import Predictor
from finetune.utils.atomic import PREFIX, disk_errors, write_file

if TYPE_CHECKING:
    from finetune.inference.outputs import Outputs

JOURNAL = f"{PREFIX}finished.jsonl"

Entry = dict[str, Any]


class Journal:
    """The finished images of a prediction.

    Attributes:
        folder: folder of the label images.
    """

    def __init__(self, folder: Path) -> None:
        """Read the journal of an earlier, unfinished command, if there is one.

        Args:
            folder: folder of the label images.
        """
        self.folder = folder
        self._path = folder / JOURNAL
        self.key, lines = _read_lines(self._path)
        self._entries = {entry["name"]: entry for entry in lines if "name" in entry}
        self._hashes = {entry["file"]: entry["sha256"] for entry in lines if "file" in entry}
        self._is_new = False

    @property
    def exists(self) -> bool:
        """Whether an earlier command was not completed."""
        return self.key is not None

    def files(self) -> set[Path]:
        """Files that the unfinished command wrote, unless they have changed since.

        Returns:
            Paths of label images and optional outputs. Of an image that was not finished, also those that
            were not written yet.
        """
        return {
            self.folder / name
            for entry in self._entries.values()
            if not _is_finished(entry) or self._unchanged(entry)
            for name in entry["files"]
        }

    def lists(self, path: Path) -> bool:
        """Whether a file about all images is as the unfinished command wrote it.

        Args:
            path: an existing file in the folder.

        Returns:
            True if the journal states its hash.
        """
        return path.name in self._hashes and self._hashes[path.name] == sha256_file(path)

    def entry(self, image: Path) -> Entry | None:
        """What an earlier command wrote for an image.

        Args:
            image: the image.

        Returns:
            `instances`, `files` and `kept`; None if image or files are missing or have changed.
        """
        entry = self._entries.get(image.name)
        if entry is None or not _is_finished(entry) or entry["image"] != file_state(image):
            return None
        return entry if self._unchanged(entry) else None

    def begin(self, key: Any) -> None:
        """Continue the journal of the same models and options, or start a new one with the next image.

        Args:
            key: JSON values that identify them.
        """
        self._is_new = self.key != key
        if self._is_new:
            self.key, self._entries, self._hashes = key, {}, {}

    def announce(self, image: Path, files: list[Path]) -> None:
        """Name the files of an image before the first of them is written.

        Args:
            image: the image.
            files: what will be written for it.

        Raises:
            InputError: if the disk is full or cannot be written.
        """
        self._add({"name": image.name, "files": dict.fromkeys(map(self._name, files))})

    def add(self, image: Path, instances: int, files: list[Path], kept: Any = None) -> None:
        """Add a finished image.

        Args:
            image: the image.
            instances: number of its instances.
            files: what was written for it.
            kept: JSON values that files about all images need of it.

        Raises:
            InputError: if the disk is full or cannot be written.
        """
        states = {self._name(path): file_state(path) for path in files}
        entry = {"name": image.name, "image": file_state(image), "instances": instances, "files": states}
        self._add(entry | {"kept": kept})

    def add_hash(self, name: str, sha256: str) -> None:
        """State the hash of a file about all images before it appears under its name.

        Args:
            name: of the file.
            sha256: its hash.

        Raises:
            InputError: if the disk is full or cannot be written.
        """
        self._add({"file": name, "sha256": sha256})

    def remove(self) -> None:
        """Delete the journal, once everything is written."""
        self._path.unlink(missing_ok=True)

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    def _add(self, entry: Entry) -> None:
        with disk_errors(self._path, "choose another folder with --out"):
            if self._is_new:
                write_file(self._path, json.dumps(self.key, sort_keys=True))
                self._is_new = False
            with self._path.open("a", encoding="utf-8") as file:
                file.write("\n" + json.dumps(entry))  # a line that a killed process left unfinished ends here

    def _unchanged(self, entry: Entry) -> bool:
        return all(file_state(self.folder / name) == state for name, state in entry["files"].items())


@contextmanager
def open_journal(
    model: Predictor, outputs: Outputs, *, tile_mismatch: bool = False
) -> Iterator[Journal | None]:
    """Keep the journal of a prediction while it runs; delete it if the block ends without an error.

    Args:
        model: the model.
        outputs: what is written.
        tile_mismatch: whether the tile mismatch of each image is measured.

    Yields:
        The journal; None for a model that cannot be identified.

    Raises:
        DataError: if files of an unfinished command with another model or other options would be replaced.
    """
    journal, identity = Journal(outputs.folder), identify(model)
    kinds = sorted({kind for extras in outputs.extras.values() for kind in extras})
    key = {
        "finetune": version("finetune"),
        "model": identity,
        "format": outputs.format,
        "planes": outputs.planes,
        "save": [*kinds, *([outputs.table.name] if outputs.table else [])],
    }
    key = json.loads(json.dumps(key | ({"tile_mismatch": True} if tile_mismatch else {})))
    if journal.exists and journal.key != key and outputs.replace and not outputs.overwrite:
        raise DataError(
            f"{min(outputs.replace)}: was written by an unfinished prediction with another model or other "
            "options; repeat that command, replace its label images with --overwrite, or choose another "
            "folder with --out"
        )
    if identity is None:
        yield None
        return
    journal.begin(key)
    yield journal
    journal.remove()


def _is_finished(entry: Entry) -> bool:
    return "instances" in entry


def read_entries(path: Path) -> tuple[Any, dict[str, Entry]]:
    """Read a journal, without a line that a killed process left unfinished.

    Args:
        path: the file.

    Returns:
        The first line, None if there is no journal, and the entries by name of the image.
    """
    key, lines = _read_lines(path)
    return key, {entry["name"]: entry for entry in lines if "name" in entry}


def _read_lines(path: Path) -> tuple[Any, list[Entry]]:
    try:
        first, *lines = path.read_text(encoding="utf-8").split("\n")
        key = json.loads(first)
    except (OSError, ValueError):
        return None, []
    entries: list[Entry] = []
    for line in lines:
        with suppress(ValueError):
            entries.append(json.loads(line))
    return key, entries


def file_state(path: Path) -> list[int] | None:
    """Size and modification time of a file, by which a change is detected.

    Args:
        path: the file, or the folder of a Zarr group.

    Returns:
        Size in bytes and modification time in nanoseconds; of a folder, the sum of the sizes of its files,
        the latest time, and their number. None if the file is missing.
    """
    try:
        if not path.is_dir():
            status = path.stat()
            return [status.st_size, status.st_mtime_ns]
        inside = [file.stat() for file in path.rglob("*") if file.is_file()]
    except OSError:
        return None
    latest = max((status.st_mtime_ns for status in inside), default=0)
    return [sum(status.st_size for status in inside), latest, len(inside)]
