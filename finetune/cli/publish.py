"""`finetune publish`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cards.paths import expand_user
from finetune.cli.console import print_note


def publish(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    to: Annotated[str, typer.Option(help="huggingface, bioimageio, or a folder to create.")],
    repo: Annotated[
        str | None,
        typer.Option(
            help="Repository on Hugging Face, such as user/name; or a draft on BioImage.IO to continue."
        ),
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Create a private repository.")] = False,
    pull_request: Annotated[
        bool,
        typer.Option(
            "--pull-request", help="Propose the files in a pull request instead of committing them."
        ),
    ] = False,
    tag: Annotated[
        str | None, typer.Option(help="Version, such as 1.1.0; the first version is 1.0.0 by default.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what would be uploaded, without a token or a network.")
    ] = False,
) -> None:
    """Audit a model and upload it with its card.

    A model with a broken claim is not uploaded. Every uploaded file is read back and compared; the last line
    states what was published and how to load it. The same command completes an interrupted publication. Exit
    code: 0 if the model is published, 1 if a claim is broken or the upload is not complete, 2 for invalid
    input.
    """
    from cards.publish.base import Options, PublishError
    from cards.publish.run import publish as publish_run

    options = Options(repo, private, pull_request, tag)
    try:
        for line in publish_run(expand_user(run), to, options, _report, dry_run=dry_run):
            print(line)
    except PublishError as error:
        for line in str(error).splitlines():
            print_note(line, "finetune")
        raise typer.Exit(1) from None


def _report(step: str) -> None:
    print(step, file=sys.stderr)
