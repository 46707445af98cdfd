"""What a run began with: recipe, base model and images. A resumed run must continue with the same."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cards.errors import DataError, InputError, ModelError, RecipeError
from cards.record import DataFile
from cards.training import StepTimes
from finetune.recipe.schema import Recipe
from finetune.utils.atomic import PREFIX, write_file

MARKER = f"{PREFIX}run.json"
"""File that marks a folder as the unfinished run of finetune, and stores what the run began with."""

MOVABLE = ("data.root", "data.csv")
"""Keys that may change: the images may have been moved, and are compared by their pixels."""

SHOWN = 5  # images that an error names


def mark(folder: Path, *, overwrite: bool) -> None:
    """Mark a folder as an unfinished run that has not begun.

    Args:
        folder: the folder.
        overwrite: whether the run may replace a finished one when it is complete.
    """
    write_file(folder / MARKER, json.dumps({"version": 1, "overwrite": overwrite}))


def is_marked(folder: Path) -> bool:
    """Whether finetune created a folder for an unfinished run.

    Args:
        folder: any path.

    Returns:
        True for a folder, not a link, with the marker.
    """
    return folder.is_dir() and not folder.is_symlink() and (folder / MARKER).is_file()


def read_marker(folder: Path) -> dict[str, Any]:
    """Read the marker of an unfinished run.

    Args:
        folder: a marked folder.

    Returns:
        "overwrite", and "recipe", "base" and "files" if the run has begun.

    Raises:
        InputError: if the marker is damaged.
    """
    path = folder / MARKER
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict) and isinstance(content["overwrite"], bool):
            return content
    except (ValueError, KeyError):
        pass
    raise InputError(f"{path}: damaged, so that the run cannot be resumed; start over with --overwrite")


def begin_or_compare(folder: Path, recipe: Recipe, base: str | None, files: list[DataFile]) -> None:
    """Store what a run begins with; in a resumed run, check that nothing has changed.

    Args:
        folder: the folder of the unfinished run.
        recipe: the resolved recipe.
        base: SHA-256 of the weights of the base model; None for random weights.
        files: all images with the hashes of their pixels.

    Raises:
        InputError: naming the key of the recipe or the images that differ.
    """
    state: dict[str, Any] = {
        "recipe": recipe.model_dump(mode="json"),
        "base": base,
        "files": {_key(file): _describe(file) for file in files},
    }
    stored = read_marker(folder)
    if "recipe" not in stored:
        write_file(folder / MARKER, json.dumps(stored | state))
        return
    for key, before, now in _differences(_with_defaults(stored["recipe"]), state["recipe"]):
        if key not in MOVABLE:
            raise RecipeError(
                f"{folder / 'recipe.yaml'}: {key} is {_short(now)}, but the run began with {_short(before)}; "
                "restore the recipe, or start over with --overwrite"
            )
    if stored["base"] != base:
        raise ModelError(
            "model: the weights of the base model differ from those the run began with; restore them, or "
            "start over with --overwrite"
        )
    if changes := list(_changed_images(stored["files"], state["files"])):
        more = f" and {len(changes) - SHOWN} more" if len(changes) > SHOWN else ""
        raise DataError(
            f"{folder}: the images differ from those the run began with: {', '.join(changes[:SHOWN])}{more}; "
            "restore them, or start over with --overwrite"
        )


def keep_precision(folder: Path, recipe: Recipe) -> Recipe:
    """Let a resumed run train in the precision with which it began, where the recipe leaves it open.

    Args:
        folder: the folder of the unfinished run.
        recipe: the recipe, before it is resolved.

    Returns:
        The recipe with that precision; unchanged if it states one, or the run has not begun.
    """
    begun = read_marker(folder).get("recipe", {}).get("compute", {}).get("precision")
    if begun is None or recipe.compute.precision != "auto":
        return recipe
    return recipe.model_copy(update={"compute": recipe.compute.model_copy(update={"precision": begun})})


def keep_step_times(folder: Path, measured: StepTimes | None) -> StepTimes | None:
    """Store the times that the precision was selected by; a resumed run measures none and reads these.

    Args:
        folder: the folder of the unfinished run.
        measured: the times; None if none were measured.

    Returns:
        The times with which the run began.
    """
    stored = read_marker(folder)
    if "step_times" not in stored:
        content = measured.model_dump() if measured else None
        write_file(folder / MARKER, json.dumps(stored | {"step_times": content}))
        return measured
    return StepTimes.model_validate(stored["step_times"]) if stored["step_times"] else None


def _with_defaults(stored: Any) -> Any:
    """A recipe that an earlier version stored, with keys that were added since."""
    try:
        return Recipe.model_validate(stored).model_dump(mode="json")
    except ValidationError:
        return stored


def _key(file: DataFile) -> str:
    return file.image if file.page is None else f"{file.image}, page {file.page}"


def _describe(file: DataFile) -> dict[str, str]:
    return {"split": file.split, "image": file.image_pixels, "label": file.label_pixels}


def _changed_images(stored: Mapping[str, Any], current: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted({*stored, *current}):
        if name not in current:
            yield f"{name} (removed)"
        elif name not in stored:
            yield f"{name} (added)"
        elif stored[name]["image"] != current[name]["image"]:
            yield f"{name} (changed)"
        elif stored[name]["label"] != current[name]["label"]:
            yield f"{name} (label image changed)"
        elif stored[name]["split"] != current[name]["split"]:
            yield f"{name} (moved from {stored[name]['split']} to {current[name]['split']})"


def _differences(before: Any, now: Any, key: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Dotted keys of two nested dictionaries with different values, and both values."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name in [*before, *(name for name in now if name not in before)]:
            dotted = f"{key}.{name}" if key else name
            yield from _differences(before.get(name), now.get(name), dotted)
    elif before != now:
        yield key, before, now


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
