"""`finetune run`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cards.errors import InputError
from cards.paths import expand_user
from finetune.cli.arguments import Offline, Overrides
from finetune.cli.run_summary import print_summary

if TYPE_CHECKING:
    from finetune.recipe.schema import Recipe

ADDRESS_SPACE = 4_000_000_000
"""Bytes of address space below which torch cannot start its threads."""


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
    register: Annotated[
        str | None,
        typer.Option(
            metavar="METRIC=VALUE",
            help="Target value of a metric, such as dice=0.9, recorded before training; the metric is "
            "the mean over the test images.",
        ),
    ] = None,
    offline: Offline = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the recipe, the images and the model without training.")
    ] = False,
) -> None:
    """Fine-tune a model, evaluate and export it, write its cards.

    Accuracy is measured on the test images before and after training.
    """
    if resume is not None:
        if recipe or out or overwrite or register or dry_run:
            raise InputError("--resume RUN uses the recipe stored in the run; remove the other arguments")
        _resume(resume)
        return
    if recipe is None:
        raise InputError("name a recipe to run; `finetune ls` lists the included recipes")
    from finetune.recipe.library import find_recipe

    resolved = find_recipe(recipe, overrides or [])
    folder = Path("runs") / resolved.name if out is None else expand_user(out)
    if dry_run:
        from finetune.pipeline.dry_run import dry_run as print_plan
        from finetune.pipeline.pre_registration import parse_target_value

        if register:
            parse_target_value(register, resolved)
        print_plan(resolved, folder, overwrite=overwrite)
    else:
        _run(resolved, folder, overwrite=overwrite, register=register)


def _resume(folder: Path) -> None:
    from finetune.pipeline.run_folder import RunFolder
    from finetune.recipe.reader import read_recipe

    unfinished = RunFolder(expand_user(folder), resume=True)
    recipe = unfinished.work / "recipe.yaml"
    if not recipe.is_file():
        unfinished.check()
    _run(read_recipe(recipe), unfinished.path, resume=True)


def _run(
    recipe: Recipe,
    out: Path,
    *,
    overwrite: bool = False,
    resume: bool = False,
    register: str | None = None,
) -> None:
    from rich.console import Console

    from finetune.pipeline.destination import inputs_of
    from finetune.pipeline.run_folder import RunFolder
    from finetune.training.distributed import is_helper_process

    console = Console(stderr=True)
    joining = is_helper_process(recipe.compute)
    destination = RunFolder(
        out, overwrite=overwrite, resume=resume, joining=joining, inputs=inputs_of(recipe)
    )
    destination.check()  # before torch is imported, which takes seconds
    _check_address_space()

    try:
        from finetune.pipeline.runner import run as run_recipe

        record = run_recipe(
            recipe, out=out, overwrite=overwrite, resume=resume, register=register, console=console
        )
    except KeyboardInterrupt:
        import shlex

        console.print(
            f"stopped; continue with: finetune run --resume {shlex.quote(str(out))}"
            if destination.resumable
            else "stopped; nothing was kept",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
        raise
    if record is not None:
        print_summary(record, out)


def _check_address_space() -> None:
    """Refuse a limit of the shell under which torch would end the process without a message."""
    try:
        import resource
    except ImportError:  # Windows
        return
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY and limit < ADDRESS_SPACE:
        raise InputError(
            f"the address space is limited to {limit / 1e9:.1f} GB, but training needs at least "
            f"{ADDRESS_SPACE / 1e9:.0f} GB; raise the limit with `ulimit -v unlimited`"
        )
