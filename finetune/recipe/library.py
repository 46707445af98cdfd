"""The recipes that come with finetune: found by name, listed, copied."""

from __future__ import annotations

import shutil
from pathlib import Path

from cards.errors import RecipeError
from finetune.recipe.schema import Recipe, read_recipe


def recipe_folder() -> Path:
    """Where the recipes lie: inside the wheel, or at the root of a checkout."""
    packaged = Path(__file__).parents[1] / "_recipes"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "recipes"


def recipe_path(name_or_path: Path | str) -> Path:
    """The file of a recipe given by name ("quickstart") or by path.

    Raises:
        RecipeError: if there is neither such a file nor such a name.
    """
    path = Path(name_or_path)
    if path.is_file():
        return path
    named = {file.stem: file for file in sorted(recipe_folder().glob("*.yaml"))}
    if str(name_or_path) in named:
        return named[str(name_or_path)]
    raise RecipeError(f"{name_or_path}: neither a recipe file nor the name of one; names: {', '.join(named)}")


def find_recipe(name_or_path: Path | str, overrides: list[str] | tuple[str, ...] = ()) -> Recipe:
    """Read a recipe given by name or path, with its `KEY=VALUE` overrides."""
    return read_recipe(recipe_path(name_or_path), overrides)


def all_recipes() -> list[Recipe]:
    """Every recipe that comes with finetune, by name."""
    return [read_recipe(path) for path in sorted(recipe_folder().glob("*.yaml"))]


def copy_recipe(name: str, destination: Path) -> None:
    """Copy a recipe to edit it.

    Raises:
        RecipeError: if the name is unknown, or the destination exists or cannot be written.
    """
    source = recipe_path(name)
    if destination.is_dir():
        destination = destination / source.name
    if destination.exists():
        raise RecipeError(f"{destination}: exists; nothing was copied")
    try:
        shutil.copyfile(source, destination)
    except OSError as error:
        raise RecipeError(f"{destination}: cannot write: {error.strerror}") from error
