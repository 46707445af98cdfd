"""`finetune plugin describe`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from finetune.cli.arguments import OutFile
from finetune.cli.plugin_commands import COMMANDS


class Format(StrEnum):
    """Formats of descriptions."""

    wipp = "wipp"
    cwl = "cwl"
    ict = "ict"
    bilayers = "bilayers"


def describe(
    name: Annotated[str, typer.Argument(help="A plugin or a workflow; `finetune plugin list` lists them.")],
    format: Annotated[
        Format,
        typer.Option(
            "--format", help="wipp: plugin.json; cwl: Common Workflow Language 1.2; ict: ict.yaml; bilayers."
        ),
    ] = Format.wipp,
    repository: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Address of the source code that the description states."),
    ] = None,
    out: OutFile = None,
) -> None:
    """Describe a plugin for a workflow platform.

    The description is generated from the options of `finetune predict`, `evaluate` and `audit`, and from
    the keys of a recipe.
    """
    from finetune.cli.console import print_document, print_note
    from finetune.plugins.metadata import UNKNOWN_ADDRESS, about
    from finetune.plugins.registry import describe as render

    text = render(name, format.value, COMMANDS, about(repository))
    if UNKNOWN_ADDRESS in text:
        print_note(f"{UNKNOWN_ADDRESS} stands for the address of the source code; set it with --repository")
    print_document(text, Path(out) if out else None)
