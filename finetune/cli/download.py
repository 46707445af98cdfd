"""`finetune download`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cards.errors import InputError
from cards.paths import expand_user
from finetune.cli.console import print_line, print_note, print_table


def download(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID|RECIPE]...",
            help="Models, such as cellpose:cyto3 or facebook/sam-vit-base@REVISION; recipes, whose model "
            "and data set are downloaded.",
        ),
    ] = None,
    to: Annotated[Path, typer.Option(metavar="DIR", help="Folder to download to.")] = Path("offline"),
    list_: Annotated[bool, typer.Option("--list", help="List what the folder holds, with sizes.")] = False,
) -> None:
    """Download models and data sets for use without a network.

    With `--offline DIR` or the environment variable FINETUNE_OFFLINE=DIR, `finetune run` and `finetune
    predict` use the downloads and contact no server. The same command continues an interrupted download.
    """
    from finetune.pipeline.offline_folder import Entry, download_all, read_entries, resolve

    if list_ and names:
        raise InputError("--list shows what a folder holds; name nothing to download, or leave --list out")
    if list_:
        _print_entries(expand_user(to), read_entries(expand_user(to)))
        return
    if not names:
        raise InputError("name models or recipes to download; `finetune models` lists the models")

    def report(entry: Entry, there: bool) -> None:
        how = "already there, verified" if there else "downloaded"
        print_line(f"{entry.id}: {how}, {_size(entry.bytes)}")

    wanted, notes = resolve(names)
    for note in notes:
        print_note(note)
    download_all(wanted, to, report)
    if wanted:
        print_line(f"use without a network: finetune run RECIPE --offline {to}")


def _print_entries(folder: Path, entries: list) -> None:
    print_table(
        ("id", "kind", "revision", "license", "size", "downloaded", "state", "source"),
        (
            (
                entry.id,
                entry.kind,
                entry.revision or "none",
                entry.license or "not stated",
                _size(entry.bytes),
                str(entry.downloaded),
                entry.state(folder),
                entry.source,
            )
            for entry in entries
        ),
    )
    print_line(f"{len(entries)} downloads, {_size(sum(entry.bytes for entry in entries))}")


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.2f} MB"
