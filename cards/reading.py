"""Find the run record of a model: in a run folder, a Hugging Face folder, a package or a file."""

from __future__ import annotations

import zipfile
from pathlib import Path

from cards.archives import DAMAGED
from cards.errors import InputError
from cards.integrity import HUB, read_record
from cards.record import RunRecord

NAME = "record.json"
MAX_BYTES = 256 * 2**20
"""Largest record that is read from a zip file; at about 1 kB per image, enough for 250,000 images."""


def find_record(path: Path) -> RunRecord:
    """Read the record of a model on disk.

    Args:
        path: a run folder, its `huggingface` folder, a copy of that folder, a BioImage.IO package (a zip file
            or an unpacked folder), or `record.json` itself.

    Returns:
        The validated record.

    Raises:
        InputError: if there is no record, or it cannot be read.
    """
    if path.is_dir():
        if record := read_record(path):
            return record
        raise InputError(f"{path}: holds no {NAME}; name a run folder, a Hugging Face folder or a package")
    if path.suffix.lower() == ".zip":
        return _in_zip(path)
    return RunRecord.read(path)


def _in_zip(path: Path) -> RunRecord:
    """Read the record from a zip file, in memory: nothing is unpacked."""
    try:
        with zipfile.ZipFile(path) as package:
            # rdf.yaml may lie in a folder of the archive; the record lies beside it
            names = [name for name in package.namelist() if name.rsplit("/", 1)[-1] == NAME]
            if not names:
                raise InputError(f"{path}: the package holds no {NAME}: finetune did not write it")
            with package.open(min(names, key=len)) as member:
                content = member.read(MAX_BYTES + 1)
    except (OSError, *DAMAGED) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise InputError(f"{path}: cannot read the package: {reason}") from error
    if len(content) > MAX_BYTES:
        raise InputError(f"{path}: {NAME} exceeds {MAX_BYTES // 2**20} MB")
    return RunRecord.parse(content, f"{path}/{NAME}")


def pictures_folder(path: Path) -> Path | None:
    """Find the folder with the pictures of a card.

    Args:
        path: as in `find_record`.

    Returns:
        The folder; None if the model on disk has none.
    """
    folder = path if path.is_dir() else path.parent
    places = (folder / "pictures", folder / HUB / "pictures")
    return next((place for place in places if place.is_dir()), None) if path.exists() else None
