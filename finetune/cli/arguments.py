"""Arguments that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Content(StrEnum):
    """What label images contain."""

    instances = "instances"
    foreground = "foreground"
    boundary = "boundary"


RecipeName = Annotated[str, typer.Argument(help="A recipe file, or the name of an included recipe.")]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Values to change, such as training.epochs=10."),
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
