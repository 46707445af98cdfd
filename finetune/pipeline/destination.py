"""Where a run may be written, what it may replace, and errors of disk and memory in one line."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from cards.errors import InputError
from cards.paths import expand_user
from cards.record import RunRecord
from finetune.recipe.schema import Recipe
from finetune.utils.atomic import is_disk_full
from finetune.utils.unfinished import PARTIAL

LONGEST_NAME = 200  # bytes; file systems allow 255, and names of temporary folders are longer


def check_name(path: Path) -> None:
    """Check that a path names a folder that can be created.

    Args:
        path: the run folder.

    Raises:
        InputError: if it has no name of its own, a name that is too long, or one with a control character.
    """
    if path.name in ("", ".."):
        raise InputError(f"--out '{path}': does not name a new folder; use a name such as runs/mine")
    if len(os.fsencode(path.name)) > LONGEST_NAME:
        raise InputError(
            f"--out: the name of the folder is longer than {LONGEST_NAME} bytes: {path.name[:40]}..."
        )
    if any(unicodedata.category(letter) == "Cc" for letter in str(path)):
        raise InputError(
            f"--out: the name of the folder contains a control character, such as a newline: {str(path)!r}; "
            "choose another"
        )


def run_folder_of(path: Path) -> Path:
    """The run folder that a path means: people also name the folder of an unfinished run.

    Args:
        path: the run folder, or `<name>.partial`.

    Returns:
        The run folder.
    """
    name = path.name.removesuffix(PARTIAL)
    return path.with_name(name) if name else path


def inputs_of(recipe: Recipe) -> list[Path]:
    """Files and folders that a recipe names, which a run must not replace.

    Args:
        recipe: the recipe.

    Returns:
        Paths, which need not exist.
    """
    named = [recipe.data.root, recipe.data.csv, recipe.model.checkpoint]
    if recipe.model.repository == "bioimageio":  # the name may be the path of a package
        named.append(Path(recipe.model.name))
    return [expand_user(path) for path in named if path is not None]


def check_replaceable(path: Path, inputs: Iterable[Path]) -> None:
    """Check that `--overwrite` may replace a folder: a finished run that contains no input of the new one.

    Args:
        path: the existing folder.
        inputs: files and folders that the new run reads.

    Raises:
        InputError: if the folder must not be replaced; it says why.
    """
    keep = "choose another folder with --out"
    if path.is_symlink():
        raise InputError(f"{path}: is a link, which --overwrite does not replace; name the folder itself")
    target = path.resolve()
    for source in inputs:
        resolved = source.resolve()
        if target == resolved or target in resolved.parents:
            raise InputError(f"{path}: contains {source}, which the run reads; {keep}")
        if resolved in target.parents:
            raise InputError(
                f"{path}: is in {source}, which the run reads; --overwrite replaces no data; {keep}"
            )
    if reason := _no_run(path):
        raise InputError(f"{path}: --overwrite replaces only a finished run, and {reason}; {keep}")


def _no_run(path: Path) -> str | None:
    """Why a path is not a finished run; None if it is."""
    if not path.is_dir():
        return "this is a file"
    for name in ("record.json", "recipe.yaml"):
        if not (path / name).is_file():
            return f"this folder has no {name}"
    try:
        RunRecord.read(path / "record.json")
    except InputError:
        return "record.json is not the record of a run"
    try:
        Recipe.model_validate(YAML(typ="safe", pure=True).load(path / "recipe.yaml"))
    except (YAMLError, ValidationError, UnicodeDecodeError):
        return "recipe.yaml is not a recipe"
    return None


def failure(error: BaseException) -> str | None:
    """Describe an error of disk or memory.

    Args:
        error: what ended a run.

    Returns:
        What is wrong and what to do, in one line; None for another kind of error.
    """
    if isinstance(error, InputError):  # which says it in words of its own
        return None
    if is_disk_full(error):
        return "the disk is full; free some space"
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        reason = error.strerror or (str(error).strip().splitlines() or [type(error).__name__])[-1]
        if isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError):
            return f"{reason}{where}"
        return f"cannot read or write: {reason}{where}; check the disk"
    if _is_out_of_memory(error):
        return "not enough memory; lower training.batch_size or training.patch"
    if isinstance(error, RuntimeError) and "DataLoader worker" in str(error):  # of torch
        return "a process that reads images was killed, usually for lack of memory; set training.workers=0"
    return None


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # of torch
        return True
    words = ("DefaultCPUAllocator", "out of memory", "MemoryError")  # the last one comes from a worker
    return isinstance(error, RuntimeError) and any(word in str(error) for word in words)
