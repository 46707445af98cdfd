"""`finetune view`."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Annotated

import typer

from cards.errors import InputError
from cards.paths import expand_user
from finetune.cli.console import print_line


def view(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...",
            help="Run folders or folders of runs, CSV files, images, folders of label images, or benchmarks.",
        ),
    ],
    data: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder with the images that the runs were trained and tested on, to show errors. "
            "Repeatable."
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port; by default 5006, or the next free one."),
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
) -> None:
    """Compare runs, tables, images and benchmarks in the browser.

    The page is served to this computer only, at an address with a token. It changes no file, but can ask a
    run in progress to stop. Nothing is loaded from the internet. Ctrl-C ends it.
    """
    from finetune.utils.optional import require

    require("panel", "view")
    from finetune.viewer.library import Library
    from finetune.viewer.server import ViewServer, check_folders

    folders = [expand_user(folder) for folder in data or []]
    check_folders(folders)
    library = Library([expand_user(path) for path in paths], folders)
    library.scan()
    if not library.items:
        names = ", ".join(map(str, paths))
        raise InputError(f"{names}: no run, CSV, image or benchmark.json in it or in the folders below it")
    gc.disable()  # what is imported is no garbage
    try:
        from finetune.viewer.page import serve_pages  # imports Panel, which takes seconds
    finally:
        gc.enable()
    server = ViewServer(serve_pages(library), port)

    def started() -> None:
        import webbrowser

        print_line(f"{server.url} (Ctrl-C ends)")
        if not no_browser:
            webbrowser.open(server.url)

    server.run(started=started)
