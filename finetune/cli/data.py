"""`finetune data`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from cards.errors import InputError
from cards.paths import expand_user
from finetune.cli.arguments import AsJson, Content
from finetune.cli.console import print_line


def data(
    folder: Annotated[
        Path, typer.Argument(help="Folder with images and masks, or a table (CSV) of both, as for training.")
    ],
    labels: Annotated[Content, typer.Option(help="Content of the masks.")] = Content.instances,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a PNG that shows adjacent tiles, joined at their seams."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Describe a data set and find related images.

    Prints sizes, types and instances, related images and suspicious masks. Related images are copies (also
    rotated, mirrored, brightened or re-encoded), images that are part of another, and adjacent tiles of one
    field of view.
    """
    from rich.console import Console
    from rich.progress import Progress

    from finetune.data.description import describe_data
    from finetune.data.seams_picture import check_picture, write_seams

    folder, picture = expand_user(folder), picture and expand_user(picture)
    if picture:
        check_picture(picture)
    table = folder if folder.suffix.lower() == ".csv" and folder.is_file() else None
    if not table and not folder.is_dir():
        if folder.exists():
            raise InputError(f"{folder}: is a file; name the folder of the images, or a table (CSV)")
        raise InputError(f"{folder}: no such {'file' if folder.suffix else 'folder'}")
    root = table.parent if table else folder
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("reading images", total=None)
        described = describe_data(
            root,
            labels.value,
            csv=table.name if table else None,
            progress=lambda done, total: progress.update(bar, completed=done, total=total),
        )
    shown = write_seams(described, picture) if picture else 0
    if as_json:
        print(json.dumps(described.to_json(), ensure_ascii=False, indent=2))
        return
    for label, text in described.lines().items():
        print_line(f"{label:<12}{text}")
    for warning in described.warnings:
        print_line(f"{'warning':<12}{warning}", style="yellow")
    if picture:
        print_line(f"{'picture':<12}{picture if shown else 'not written: there are no adjacent tiles'}")
