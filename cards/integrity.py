"""Comparison of files with the SHA-256 hashes in the run record beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from cards.errors import ModelError
from cards.fingerprint import sha256_file
from cards.record import RunRecord

HUB = "huggingface"  # the folder of a run whose files are copied to the Hugging Face Hub


def read_record(folder: Path) -> RunRecord | None:
    """Read the record of a model folder.

    Args:
        folder: the `huggingface` folder of a run, or a copy of it.

    Returns:
        The record in the folder or in the run around it; None if there is none.

    Raises:
        InputError: if the record is damaged.
    """
    path = record_path(folder)
    return RunRecord.read(path) if path else None


def record_path(folder: Path) -> Path | None:
    """Find the record of a model folder.

    Args:
        folder: the `huggingface` folder of a run, or a copy of it.

    Returns:
        Path of the record in the folder or in the run around it; None if there is none.
    """
    places = [folder, folder.parent] if folder.name == HUB else [folder]
    return next((path for place in places if (path := place / "record.json").is_file()), None)


def check_files(
    folder: Path, names: Iterable[str], record: RunRecord | None, known: Mapping[str, str] | None = None
) -> None:
    """Check that files are the ones the record lists.

    Args:
        folder: the `huggingface` folder of a run, or a copy of it.
        names: files in the folder to compare; absent ones are skipped.
        record: of the run, or None if the model comes without one; then nothing is compared.
        known: SHA-256 by file name, of files that have been read already.

    Raises:
        ModelError: naming the first file that differs, with both hashes.
    """
    if record is None:
        return
    listed = {file.path: file.sha256 for file in record.files}
    for name in names:
        expected, path = listed.get(f"{HUB}/{name}"), folder / name
        if expected is None or not path.is_file():
            continue
        found = (known or {}).get(name) or sha256_file(path)
        if found != expected:
            raise ModelError(
                f"{path}: differs from the file on the model card (SHA-256 {found[:12]}…, the record says "
                f"{expected[:12]}…); restore the file, or delete record.json to use it without its card"
            )
