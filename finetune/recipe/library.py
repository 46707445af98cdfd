"""Recipes that come with finetune: found by name, listed and copied."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from cards.errors import RecipeError
from cards.paths import expand_user
from finetune.recipe.reader import read_recipe
from finetune.recipe.schema import Recipe

SCHEMA_FILE = "recipe.schema.json"  # named in the first line of each recipe, for completion in editors


def recipe_folder() -> Path:
    """Find the folder of the included recipes.

    Returns:
        The folder in the installed package, or `recipes/` in a checkout.
    """
    packaged = Path(__file__).parents[1] / "_recipes"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "recipes"


def recipe_path(name_or_path: Path | str) -> Path:
    """Find the file of a recipe.

    Args:
        name_or_path: a file, or the name of an included recipe, such as "quickstart".

    Returns:
        The file.

    Raises:
        RecipeError: if there is no such file or name.
    """
    path = expand_user(name_or_path)
    if _is_file(path):
        return path
    included = {file.stem: file for file in sorted(recipe_folder().glob("*.yaml"))}
    if str(name_or_path) in included:
        return included[str(name_or_path)]
    raise RecipeError(
        f"{name_or_path}: neither a recipe file nor the name of an included recipe; "
        f"names: {', '.join(included)}"
    )


def benchmark_path(name_or_path: Path | str) -> Path:
    """Find a benchmark file.

    Args:
        name_or_path: a file, or the name of an included benchmark, such as "nuclei".

    Returns:
        The file.

    Raises:
        RecipeError: if there is no such file or name.
    """
    path = expand_user(name_or_path)
    if _is_file(path):
        return path
    included = {file.stem: file for file in sorted((recipe_folder() / "benchmarks").glob("*.yaml"))}
    if str(name_or_path) in included:
        return included[str(name_or_path)]
    raise RecipeError(
        f"{name_or_path}: neither a benchmark file nor the name of an included benchmark; "
        f"names: {', '.join(included)}"
    )


def find_recipe(name_or_path: Path | str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe by name or path.

    Args:
        name_or_path: a file, or the name of an included recipe, such as "quickstart".
        overrides: `KEY=VALUE`, such as `training.epochs=10`; values are YAML.

    Returns:
        The validated recipe.

    Raises:
        RecipeError: if there is no such recipe, or it is invalid; one line per problem, with file, line and
            key.
    """
    return read_recipe(recipe_path(name_or_path), overrides)


def all_recipes() -> list[Recipe]:
    """Read all included recipes.

    Returns:
        The recipes, sorted by name.
    """
    return [read_recipe(path) for path in sorted(recipe_folder().glob("*.yaml"))]


def copy_recipe(name: str, destination: Path) -> list[Path]:
    """Copy an included recipe, and write the JSON Schema beside it unless a file of that name exists.

    The first line of a recipe names the schema relative to the recipe: the copy stays unchanged, and editors
    complete it offline. The schema is generated, so it knows the installed extensions.

    Args:
        name: name of an included recipe, or a valid recipe file.
        destination: the file to write, or an existing folder.

    Returns:
        The files written.

    Raises:
        RecipeError: if there is no such recipe, it is not valid, or the destination exists or cannot be
            written.
    """
    from finetune.recipe.json_schema import recipe_schema

    source = recipe_path(name)
    if source.parent != recipe_folder():
        read_recipe(source)  # any other file could hold anything
    if destination.is_dir():
        destination = destination / source.name
    schema = destination.parent / SCHEMA_FILE
    written = [destination]
    try:
        with destination.open("xb") as copy:  # two copies at once do not overwrite each other
            copy.write(source.read_bytes())
        if not schema.exists():
            schema.write_text(json.dumps(recipe_schema(), indent=2, ensure_ascii=False) + "\n", "utf-8")
            written.append(schema)
    except FileExistsError as error:
        raise RecipeError(f"{destination}: exists; nothing was copied") from error
    except OSError as error:
        raise RecipeError(f"{destination}: cannot write: {error.strerror}") from error
    return written


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or with a NUL byte
        return False
