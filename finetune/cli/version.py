"""`finetune --version`."""

from __future__ import annotations

from typing import Annotated

import typer


def show_version(asked: bool) -> None:
    """Print the version and end.

    Args:
        asked: whether `--version` was given.

    Raises:
        typer.Exit: if it was.
    """
    if asked:
        from importlib.metadata import version

        print(f"finetune {version('finetune')}")
        raise typer.Exit


def global_options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=show_version, is_eager=True),
    ] = False,
) -> None:
    """Options of `finetune` itself, before a command.

    Args:
        version: show the version and exit.
    """
