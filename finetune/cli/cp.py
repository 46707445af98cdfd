"""`finetune cp`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from finetune.cli.console import print_line


def cp(
    recipe: Annotated[str, typer.Argument(help="Name of an included recipe.")],
    destination: Annotated[Path, typer.Argument(help="File or folder to write to.")],
) -> None:
    """Copy an included recipe to edit it.

    The JSON Schema of recipes is written beside the copy, for completion in editors.
    """
    from finetune.recipe.library import copy_recipe

    for path in copy_recipe(recipe, destination):
        print_line(str(path))
