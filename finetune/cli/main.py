"""The command line: reads arguments, calls one function, prints. No logic."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cards.errors import InputError

app = typer.Typer(
    help="Fine-tune public segmentation models on microscopy images, and trust what comes out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

RecipeName = Annotated[
    str, typer.Argument(help="A recipe file, or the name of one that comes with finetune.")
]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Overrides, such as training.epochs=10.")
]


@app.command()
def run(
    recipe: Annotated[str | None, typer.Argument(help="A recipe file, or the name of one.")] = None,
    overrides: Overrides = None,
    out: Annotated[
        Path | None, typer.Option(help="The run folder to write; runs/<recipe name> if unset.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run folder if it exists.")
    ] = False,
    resume: Annotated[Path | None, typer.Option(metavar="RUN", help="Go on with an unfinished run.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Resolve everything, train nothing.")] = False,
) -> None:
    """Fine-tune a model, measure it before and after, export it, and write its cards."""
    from finetune.cli.commands import resume_run, run_recipe, show_recipe

    if resume is not None:
        if recipe or out or overwrite or dry_run:
            raise InputError("--resume RUN goes by the recipe in that run; give nothing else with it")
        resume_run(resume)
    elif recipe is None:
        raise InputError("name a recipe to run; `finetune ls` lists those that come with finetune")
    elif dry_run:
        show_recipe(recipe, overrides or [], out)
    else:
        run_recipe(recipe, overrides or [], out, overwrite)


@app.command()
def validate(recipe: RecipeName, overrides: Overrides = None) -> None:
    """Check a recipe without running it or reading its images."""
    from finetune.cli.commands import validate_recipe

    validate_recipe(recipe, overrides or [])


@app.command()
def ls() -> None:
    """List the recipes that come with finetune."""
    from finetune.cli.commands import list_recipes

    list_recipes()


@app.command()
def models(
    repository: Annotated[str | None, typer.Option(help="Only those of this repository.")] = None,
    task: Annotated[str | None, typer.Option(help="Only those for this task, such as segmentation.")] = None,
    fine_tunable: Annotated[
        bool, typer.Option("--fine-tunable", help="Only those that can be fine-tuned.")
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask no repository how many models it has.")
    ] = False,
) -> None:
    """List the models that can be asked for, and how many each repository has."""
    from finetune.cli.commands import list_known_models

    list_known_models(repository, task, fine_tunable, offline)


@app.command()
def cp(
    recipe: Annotated[str, typer.Argument(help="The name of a recipe that comes with finetune.")],
    destination: Annotated[Path, typer.Argument(help="The file to write.")],
) -> None:
    """Copy a recipe, to edit it."""
    from finetune.recipe.library import copy_recipe

    copy_recipe(recipe, destination)


@app.command()
def predict(
    model: Annotated[str, typer.Argument(help="A run folder, or the id of a model on the Hugging Face Hub.")],
    images: Annotated[Path, typer.Argument(help="An image, or a folder of images.")],
    out: Annotated[Path, typer.Option(help="The folder to write label images to.")] = Path("labels"),
) -> None:
    """Label images with a trained model."""
    from finetune.cli.commands import predict_images

    predict_images(model, images, out)


def main() -> None:
    """Run a command; what a person can mend is one line and exit code 2. Ctrl-C is 130 (typer's own)."""
    try:
        app()
    except InputError as error:
        for line in str(error).splitlines():
            print(f"finetune: {line}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
