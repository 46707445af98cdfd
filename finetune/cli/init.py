"""`finetune init`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from cards.errors import InputError
from finetune.cli.console import print_line, print_note


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder with images and masks, or a table (CSV) of both.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Recipe to write; DIR.yaml in the current folder by default."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Use this model of `finetune models`, such as cellpose:cyto3."),
    ] = None,
    pretrained: Annotated[
        bool,
        typer.Option(
            "--pretrained", help="Prefer a pretrained model, which is downloaded when the recipe runs."
        ),
    ] = False,
    license: Annotated[
        str | None,
        typer.Option(
            help="License that the model must have, or: commercial, for any license that allows "
            "commercial use."
        ),
    ] = None,
    minutes: Annotated[
        float, typer.Option(min=0.1, max=100_000, help="Time for the run on this machine.")
    ] = 30.0,
) -> None:
    """Inspect images and masks, and write a recipe for them.

    The recipe gives the reason for each choice in a comment.
    """
    from rich.console import Console
    from rich.progress import Progress

    from finetune.pipeline.first_recipe import Wishes, recipe_file, write_first_recipe

    path = recipe_file(folder, out)
    command = f"finetune run {shlex.quote(str(path))}"
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("reading images", total=None)
        first = write_first_recipe(
            folder,
            Wishes(license, minutes, model, pretrained),
            command,
            lambda done, total: progress.update(bar, completed=done, total=total),
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(first.text)
    except OSError as error:
        raise InputError(f"{path}: cannot write: {error.strerror}; choose another file with --out") from error
    for warning in first.warnings:
        print_note(warning, "warning")
    print_line(f"wrote {path}; next: {command}")
