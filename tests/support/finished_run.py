"""A small finished run with cards of the present version, in a fraction of a second."""

from __future__ import annotations

import shutil
from pathlib import Path

from cards.record import RunRecord
from finetune.pipeline.artifacts import write_cards

RUN = Path(__file__).parents[1] / "fixtures" / "0.2.0" / "run"


def write_run(folder: Path, *, package: bool = True, **changes: object) -> Path:
    """Copy the run of the fixture and write its cards anew.

    Args:
        folder: the run folder to write.
        package: whether to keep the BioImage.IO package, which repeats the fields of the record.
        changes: fields of the record to change; only without the package.

    Returns:
        The folder.
    """
    shutil.copytree(RUN, folder)
    for old in ("README.md", "record.json"):
        (folder / "huggingface" / old).unlink()
    (folder / "huggingface" / "pictures").mkdir(exist_ok=True)
    if not package:
        shutil.rmtree(folder / "bioimageio")
    record = RunRecord.read(folder).model_copy(update={"files": [], **changes})
    write_cards(record, folder)
    return folder
