"""Finished images of a prediction: a killed command skips them when it is repeated.

The journal is a hidden file in the folder of the label images. Its first line says which models and options
wrote them, and each further line names a finished image. It is deleted when the command is complete; the next
command then refuses to replace the label images, as always.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cards.errors import DataError
from finetune.inference.identity import identify
from finetune.inference.protocol import Predictor
from finetune.utils.atomic import PREFIX, write_file

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
        self.key, self._entries = read_entries(self._path)
        self._is_new = False

    @property
    def exists(self) -> bool:
        """Whether an earlier command was not completed."""
        return self.key is not None

    def files(self) -> set[Path]:
        """Files of finished images, unless they have changed since.

        Returns:
            Paths of label images and optional outputs.
        """
        return {
            self.folder / name
            for entry in self._entries.values()
            if self._unchanged(entry)
            for name in entry["files"]
        }

    def entry(self, image: Path) -> Entry | None:
        """What an earlier command wrote for an image.

        Args:
            image: the image.

        Returns:
            `instances` and `files`; None if image or files are missing or have changed.
        """
        entry = self._entries.get(image.name)
        return entry if entry and entry["image"] == file_state(image) and self._unchanged(entry) else None

    def begin(self, key: Any) -> None:
        """Continue the journal of the same models and options, or start a new one with the next image.

        Args:
            key: JSON values that identify them.
        """
        self._is_new = self.key != key
        if self._is_new:
            self.key, self._entries = key, {}

    def add(self, image: Path, instances: int, files: list[Path]) -> None:
        """Add a finished image.

        Args:
            image: the image.
            instances: number of its instances.
            files: what was written for it.

        Raises:
            OSError: if the disk is full.
        """
        states = {path.relative_to(self.folder).as_posix(): file_state(path) for path in files}
        entry = {"name": image.name, "image": file_state(image), "instances": instances, "files": states}
        if self._is_new:
            write_file(self._path, json.dumps(self.key, sort_keys=True) + "\n")
            self._is_new = False
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def remove(self) -> None:
        """Delete the journal, once all images are finished."""
        self._path.unlink(missing_ok=True)

    def _unchanged(self, entry: Entry) -> bool:
        return all(file_state(self.folder / name) == state for name, state in entry["files"].items())


@contextmanager
def open_journal(model: Predictor, outputs: Outputs) -> Iterator[Journal | None]:
    """Keep the journal of a prediction while it runs; delete it if the block ends without an error.

    Args:
        model: the model.
        outputs: what is written.

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
    key = json.loads(json.dumps(key))
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


def read_entries(path: Path) -> tuple[Any, dict[str, Entry]]:
    """Read a journal, without a line that a killed process left unfinished.

    Args:
        path: the file.

    Returns:
        The first line, None if there is no journal, and the entries by name of the image.
    """
    try:
        first, *lines = path.read_text(encoding="utf-8").split("\n")
        key = json.loads(first)
    except (OSError, ValueError):
        return None, {}
    entries: dict[str, Entry] = {}
    for line in lines:
        try:
            entry = json.loads(line)
            entries[entry["name"]] = entry
        except ValueError:
            continue
    return key, entries


def file_state(path: Path) -> list[int] | None:
    """What tells whether a file has changed.

    Args:
        path: the file, or the folder of a Zarr group, of which the metadata counts.

    Returns:
        Size in bytes and time of change in nanoseconds; None if the file is missing.
    """
    try:
        path = path / "zarr.json" if (path / "zarr.json").is_file() else path
        status = path.stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]
