"""`finetune validate`."""

from __future__ import annotations

from finetune.cli.arguments import Overrides, RecipeName
from finetune.cli.console import print_line


def validate(recipe: RecipeName, overrides: Overrides = None) -> None:
    """Check a recipe without reading images or training."""
    from finetune.recipe.library import find_recipe

    print_line(f"{find_recipe(recipe, overrides or []).name}: valid")
