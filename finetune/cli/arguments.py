"""Arguments that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cards.errors import InputError
from cards.paths import expand_user


class Content(StrEnum):
    """What label images contain."""

    instances = "instances"
    foreground = "foreground"
    boundary = "boundary"


def _use_offline(folder: Path | None) -> Path | None:
    if folder is not None:
        from finetune.utils.offline import INDEX, use_folder

        if not (expand_user(folder) / INDEX).is_file():
            raise InputError(
                f"{folder}: holds no downloads; fill it with: finetune download ID --to {folder}"
            )
        use_folder(folder, offline=True)
    return folder


Offline = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        callback=_use_offline,
        help="Use only models and data sets that `finetune download` put into this folder; contact no "
        "server.",
    ),
]
RecipeName = Annotated[str, typer.Argument(help="A recipe file, or the name of an included recipe.")]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Recipe values to override, such as training.epochs=10."),
]
RecordSource = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A run folder, a Hugging Face folder, a BioImage.IO package, a record.json, or the id of a "
        "model on the Hugging Face Hub.",
    ),
]
OutFile = Annotated[Path | None, typer.Option(metavar="FILE", help="Write to this new file instead.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
