"""`finetune card render`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cards.paths import expand_user
from finetune.cli.arguments import RecordSource
from finetune.cli.console import print_line


def render(
    model: RecordSource,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write README.md, report.html and their pictures here."),
    ] = None,
    html: Annotated[bool, typer.Option("--html", help="Print report.html instead of README.md.")] = False,
) -> None:
    """Render the model card again from the run record.

    Prints the card, or writes it into a folder. Existing files are kept. If one of them differs, nothing is
    written.
    """
    from cards.reading import pictures_folder
    from cards.rendering import render_files
    from finetune.downloads.records import fetch_record

    source = expand_user(model)
    files = render_files(fetch_record(model), pictures_folder(source), source)
    if out is None:
        print(files["report.html" if html else "README.md"].decode(), end="")
        return
    from finetune.utils.atomic import write_new_files

    for path, written in write_new_files(expand_user(out), files).items():
        print_line(f"{path}{'' if written else ' (unchanged)'}")
