"""`finetune run`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cards.errors import InputError
from finetune.cli.arguments import Overrides
from finetune.cli.console import print_summary

if TYPE_CHECKING:
    from finetune.recipe.schema import Recipe


def run(
    recipe: Annotated[
        str | None, typer.Argument(help="A recipe file, or the name of an included recipe.")
    ] = None,
    overrides: Overrides = None,
    out: Annotated[
        Path | None, typer.Option(help="Run folder to write; runs/<recipe name> by default.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run folder if it exists.")
    ] = False,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Continue the unfinished run in this folder.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the recipe, the images and the model without training.")
    ] = False,
) -> None:
    """Fine-tune a model, evaluate it before and after, export it, and write its model cards."""
    if resume is not None:
        if recipe or out or overwrite or dry_run:
            raise InputError("--resume RUN uses the recipe stored in the run; remove the other arguments")
        _resume(resume)
        return
    if recipe is None:
        raise InputError("name a recipe to run; `finetune ls` lists the included recipes")
    from finetune.recipe.library import find_recipe

    resolved = find_recipe(recipe, overrides or [])
    folder = out or Path("runs") / resolved.name
    if dry_run:
        from finetune.pipeline.dry_run import dry_run as print_plan

        print_plan(resolved, folder)
    else:
        _run(resolved, folder, overwrite=overwrite)


def _resume(folder: Path) -> None:
    from finetune.pipeline.run_folder import RunFolder
    from finetune.recipe.reader import read_recipe

    unfinished = RunFolder(folder, resume=True)
    unfinished.check()
    _run(read_recipe(unfinished.work / "recipe.yaml"), folder, resume=True)


def _run(recipe: Recipe, out: Path, *, overwrite: bool = False, resume: bool = False) -> None:
    from rich.console import Console

    from finetune.pipeline.run_folder import RunFolder

    console = Console(stderr=True)
    RunFolder(
        out, overwrite=overwrite, resume=resume
    ).check()  # before torch is imported, which takes seconds
    from finetune.pipeline.runner import run as run_recipe

    try:
        record = run_recipe(recipe, out=out, overwrite=overwrite, resume=resume, console=console)
    except KeyboardInterrupt:
        resumable = RunFolder(out).resumable
        console.print(
            f"stopped; continue with: finetune run --resume {out}"
            if resumable
            else "stopped; nothing was kept"
        )
        raise
    if record is not None:
        print_summary(record, out)
