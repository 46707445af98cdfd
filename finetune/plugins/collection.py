"""Image collections: files selected by a pattern, checked before anything is computed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from cards.errors import DataError, InputError
from cards.formatting import counted
from finetune.data.headers import Header, read_header
from finetune.data.images import is_image
from finetune.data.layouts import first_few, stem
from finetune.inference.extras.registry import EXTRAS, TABLE_FILE
from finetune.inference.markers import CARD_FILE, RECORD_FILE

PLACEHOLDER = re.compile(r"\{(?:\w+:)?([a-z]+)(\+?)\}")
CHARACTERS = {"d": "[0-9]", "c": "[a-zA-Z]"}
"""Letters of the placeholders of Polus' file patterns: `{r:ddd}` are three digits, `{c:c+}` some letters."""


BESIDE_LABELS = {RECORD_FILE, CARD_FILE, TABLE_FILE, *(extra.folder for extra in EXTRAS.values())}
"""Files and folders that `finetune predict` writes beside label images."""


def select(folder: Path, pattern: str, parameter: str) -> list[Path]:
    """Images of a collection whose name matches a pattern.

    Args:
        folder: the collection; subfolders are not searched.
        pattern: regular expression for the whole name. `{r:ddd}`, `{ddd}` or `{r:d+}` stand for digits.
        parameter: name of the input, for errors.

    Returns:
        Paths, sorted by name.

    Raises:
        DataError: if there is no such folder, no image, or other files match as well.
    """
    if not folder.is_dir():
        raise DataError(f"--{parameter}: {folder}: no such folder")
    expression = _expression(pattern)
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    if any(path.name == RECORD_FILE for path in entries):  # `finetune predict` wrote the folder
        entries = [path for path in entries if path.name not in BESIDE_LABELS]
    matching = [path for path in entries if expression.fullmatch(path.name)]
    if not entries:
        raise DataError(f"--{parameter}: {folder}: the collection is empty")
    if not matching:
        raise DataError(
            f"--{parameter}: {folder}: no name matches the pattern '{pattern}'; "
            f"the collection holds {first_few([path.name for path in entries])}"
        )
    others = [path.name for path in matching if not is_image(path)]
    if others:
        raise DataError(
            f"--{parameter}: {folder}: holds other files than images: {first_few(others)}; "
            "select the images with --filePattern"
        )
    names: dict[str, Path] = {}
    for path in matching:
        if (other := names.setdefault(stem(path), path)) != path:
            raise DataError(f"--{parameter}: {other.name} and {path.name} have the same name: keep one")
    return matching


def check_alike(images: Sequence[Path], parameter: str) -> None:
    """Check that the images of a collection have the same number of channels and the same type.

    Args:
        images: the images.
        parameter: name of the input, for errors.

    Raises:
        DataError: if an image cannot be read, or two differ.
    """
    first, expected = images[0], read_header(images[0])
    for path in images[1:]:
        header = read_header(path)
        if (header.channels, header.dtype) != (expected.channels, expected.dtype):
            raise DataError(
                f"--{parameter}: the collection is mixed: {first.name} has {_described(expected)}, "
                f"{path.name} {_described(header)}; select one kind with --filePattern"
            )


def check_partners(ones: Sequence[Path], others: Sequence[Path], parameters: tuple[str, str]) -> None:
    """Check that each file has a partner of the same name, endings aside.

    Args:
        ones: files of one collection.
        others: files of another collection.
        parameters: names of both inputs, for errors.

    Raises:
        DataError: naming files without a partner.
    """
    _check_partners(ones, others, *parameters)
    _check_partners(others, ones, *reversed(parameters))


def _check_partners(paths: Sequence[Path], partners: Sequence[Path], this: str, that: str) -> None:
    names = {stem(path) for path in partners}
    if alone := [path.name for path in paths if stem(path) not in names]:
        count = f"{len(alone)} of {len(paths)} files"
        raise DataError(f"--{this}: {count} have no partner in --{that}: {first_few(alone)}")


def link(paths: Sequence[Path], folder: Path) -> Path:
    """Make a folder of links to files.

    Args:
        paths: the files.
        folder: the folder to create.

    Returns:
        The folder.
    """
    folder.mkdir(parents=True)
    for path in paths:
        (folder / path.name).symlink_to(path.resolve())
    return folder


def _described(header: Header) -> str:
    return f"{counted(header.channels, 'channel')} of {header.dtype}"


def _expression(pattern: str) -> re.Pattern[str]:
    def digits_or_letters(found: re.Match[str]) -> str:
        letters, plus = found[1], found[2]
        if len(set(letters)) > 1:
            raise InputError(f"--filePattern '{pattern}': {found[0]} mixes kinds of characters")
        kind = CHARACTERS.get(letters[0], CHARACTERS["d"])
        return kind + ("+" if plus else f"{{{len(letters)}}}")

    try:
        return re.compile(PLACEHOLDER.sub(digits_or_letters, pattern))
    except re.error as error:
        raise InputError(
            f"--filePattern '{pattern}': not a regular expression ({error}); write .*\\.tif for all names "
            "that end in .tif"
        ) from error
