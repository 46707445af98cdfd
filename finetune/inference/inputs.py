"""Which images are segmented: files, folders and patterns such as `images/*.tif`."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from cards.errors import DataError
from cards.formatting import counted
from cards.paths import expand_user
from finetune.data.formats.registry import is_zarr
from finetune.data.images import NAMES, is_image
from finetune.data.layouts import MASK_SUFFIXES, OUTPUT_SUFFIXES, first_few, stem

SIDE_FILES = (*MASK_SUFFIXES, *OUTPUT_SUFFIXES, "_seg", "_cp_seg")
"""Ends of the names of masks and other results that lie beside their image."""


def find_images(inputs: Path | str | Sequence[Path | str]) -> tuple[list[Path], list[str]]:
    """List the images of files, folders and patterns.

    Masks and other results that lie beside their image are left out, unless a file is named itself. Patterns
    have the form of `glob`: `*` and `?` within a name, `**` for any number of folders, `[…]` for characters;
    a path that exists is no pattern, and neither is the part of a path that exists.

    Args:
        inputs: one or more images, OME-Zarr folders, folders of images, or patterns.

    Returns:
        Images in the order of the inputs, sorted by name within a folder or pattern, each once; and one line
        per kind of file that is left out.

    Raises:
        DataError: if an input is missing, a folder contains no images, or a pattern matches none.
    """
    found: dict[tuple[str, str], Path] = {}
    notes: list[str] = []
    for one in [inputs] if isinstance(inputs, str | Path) else inputs:
        if not str(one):
            raise DataError("INPUT: is empty; name an image, a folder of images or a pattern")
        path = expand_user(one)
        if path.is_file() or is_zarr(path):
            files = [path]
        elif path.is_dir():
            files, left_out = _folder(path)
            notes += left_out
        elif glob.has_magic(str(path)) and not path.is_symlink():
            files, left_out = _pattern(path)
            notes += left_out
        else:
            missing = "is a link to a missing file" if path.is_symlink() else "no such file or folder"
            raise DataError(f"{path}: {missing}")
        for file in files:
            # A pattern with ** finds a file again through a link to a folder above it.
            found.setdefault((os.path.realpath(file), file.name), file)
    if not found:
        raise DataError("no images: the list of images is empty")
    return list(found.values()), notes


def _folder(folder: Path) -> tuple[list[Path], list[str]]:
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    files, notes = _select(entries)
    if not files:
        folders = [path for path in entries if path.is_dir() and not is_zarr(path)]
        inside = next((path for path in folders if any(map(is_image, path.iterdir()))), None)
        raise DataError(f"{folder}: contains no images" + (f"; did you mean {inside}?" if inside else ""))
    return files, notes


def _pattern(pattern: Path) -> tuple[list[Path], list[str]]:
    folder = next((parent for parent in pattern.parents if parent.is_dir()), Path())
    inside = str(pattern.relative_to(folder))
    matches = glob.glob(inside, root_dir=folder, recursive=True)  # noqa: PTH207  Path.glob matches hidden files, too
    entries = [folder / path for path in sorted(matches)]
    # The files of an OME-Zarr image are no images themselves.
    entries = [path for path in entries if not any(map(is_zarr, path.parents))]
    if not entries:
        raise DataError(f"{pattern}: no file matches this pattern")
    files, notes = _select(entries)
    if not files:
        raise DataError(f"{pattern}: matches {first_few([str(path) for path in entries])}, but no images")
    return files, notes


def _select(entries: list[Path]) -> tuple[list[Path], list[str]]:
    """Images among the entries without the results beside them, and notes about what is left out."""
    files = [path for path in entries if is_image(path)]
    names = {(path.parent, stem(path)) for path in files}
    beside = {path for path in files if _belongs_to_an_image(path, names)}
    known = set(files)
    others = [path for path in entries if path not in known]
    notes = []
    if beside:
        names_beside = first_few(sorted(path.name for path in beside))
        notes.append(f"{counted(len(beside), 'file')} with masks or other results not read: {names_beside}")
    if others:
        names_others = first_few(sorted(path.name for path in others))
        notes.append(f"{counted(len(others), 'other item')} not read, not {NAMES}: {names_others}")
    return [path for path in files if path not in beside], notes


def _belongs_to_an_image(path: Path, names: set[tuple[Path, str]]) -> bool:
    name = stem(path)
    return any(name.endswith(end) and (path.parent, name.removesuffix(end)) in names for end in SIDE_FILES)
