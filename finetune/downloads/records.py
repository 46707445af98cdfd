"""Find the run record of a model on disk or on the Hugging Face Hub."""

from __future__ import annotations

from cards.errors import InputError
from cards.paths import expand_user
from cards.reading import NAME, find_record
from cards.record import RunRecord
from finetune.downloads.hub import HUB_ID, fetch
from finetune.utils.unfinished import refuse_unfinished


def fetch_record(source: str) -> RunRecord:
    """Read the record of a model.

    Args:
        source: a run folder, a Hugging Face folder, a BioImage.IO package, or `record.json`; otherwise an id
            on the Hugging Face Hub, such as "user/name" or "user/name@revision", from which only
            `record.json` is downloaded.

    Returns:
        The validated record.

    Raises:
        InputError: if there is no record, or it cannot be read or downloaded.
    """
    path = expand_user(source)
    if path.exists():
        return find_record(path)
    refuse_unfinished(path)
    if found := HUB_ID.fullmatch(source):
        hint = f"and there is no file or folder {source} here"
        folder = fetch(found["repo"], [NAME], revision=found["revision"], hint=hint).folder
        return RunRecord.read(folder / NAME)
    raise InputError(f"{source}: no such file or folder")
