"""`finetune join-tiles`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from finetune.cli.console import print_line, print_note

Masks = Literal["auto", "instances", "foreground", "boundary", "none"]
CORRELATED = 0.3  # of border lines; below, the tiles may not be where their names say


def join_tiles(
    folder: Annotated[
        Path, typer.Argument(help="Data set of tiles with masks, or with --labels none a folder of tiles.")
    ],
    names: Annotated[
        str,
        typer.Option(
            metavar="PATTERN",
            help="How file names give the place of a tile, without the ending, such as "
            "'{field}_r{row}c{column}'.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="New folder for the joined images and masks.")],
    labels: Annotated[
        Masks,
        typer.Option(help="Content of the masks, judged from them by default; none for images alone."),
    ] = "auto",
) -> None:
    """Join adjacent tiles into the images they were cut from.

    Instances that a seam divides become one instance.
    """
    from rich.console import Console
    from rich.progress import Progress

    from cards.formatting import counted
    from finetune.pipeline.join_tiles import join_tiles as join

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("joining tiles", total=None)
        joined = join(
            folder,
            names,
            out,
            labels,
            lambda done, total: progress.update(bar, completed=done, total=total),
        )
    for field in joined:
        seams = "" if field.correlation is None else f", border lines correlate at {field.correlation:.2f}"
        size = f"{field.rows} × {field.columns} tiles, {field.height} × {field.width} px"
        print_line(f"{field.name}: {size}{seams}")
        if field.correlation is not None and field.correlation < CORRELATED:
            problem = "the tiles do not continue each other: check --names, and whether the tiles overlap"
            print_note(f"{field.name}: {problem}", "warning")
    masks = f"; content of the masks: {joined[0].labels}" if joined[0].labels else ""
    print_line(f"wrote {counted(len(joined), 'image')} to {out}{masks}")
