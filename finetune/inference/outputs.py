"""Which images of a folder are segmented, and where their label images go: checked before the first write.

Predictions only ever replace label images that finetune wrote. They are recognized by the TIFF tag Software,
which other programs overwrite when they save a file: a label image that was corrected by hand is kept.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cards.errors import DataError
from finetune.data.formats.registry import is_zarr
from finetune.data.images import NAMES, is_image
from finetune.data.layouts import MASK_SUFFIXES, OUTPUT_SUFFIXES, first_few, stem
from finetune.utils.atomic import PREFIX
from finetune.utils.lock import try_lock

SOFTWARE = "finetune label image"
"""Start of the TIFF tag Software (305) of every label image that finetune writes."""

SIDE_FILES = (*MASK_SUFFIXES, *OUTPUT_SUFFIXES, "_seg", "_cp_seg")
"""Ends of the names of masks and other results that lie beside their image."""

LEFTOVER = re.compile(rf"{re.escape(PREFIX)}[0-9a-f]{{16}}\.partial")
"""Name of a label image that is being written, or that a killed process left."""

LEFTOVER_SECONDS = 2  # age: a file is locked a moment after it is created, and renamed a moment after that

OTHER_FOLDER = "choose another folder with --out"


@dataclass(frozen=True)
class Outputs:
    """Images to segment and paths of their label images.

    Attributes:
        paths: path of the label image by image, in the order of the file names.
        replace: earlier label images of finetune that may be replaced.
        notes: one line per kind of file that lies among the images and is left out.
    """

    paths: dict[Path, Path]
    replace: frozenset[Path]
    notes: list[str]


def plan_outputs(images: Path, out: Path, *, overwrite: bool = False) -> Outputs:
    """Pair each image with the path of its label image, `<name of the image>.tif`.

    Args:
        images: a folder of images, or one image.
        out: folder of the label images.
        overwrite: replace label images that finetune wrote earlier, and no other file.

    Returns:
        The images, their outputs, and what is left out.

    Raises:
        DataError: if there are no images, two images would get the same label image, the folder cannot be
            written, or a label image would replace a file that finetune did not write.
    """
    files, notes = _images(images)
    paths = _paths(files, out)
    _check_folder(files, out)
    existing = [path for path in paths.values() if os.path.lexists(path)]
    for path in existing:
        check_replaceable(path)
    if existing and not overwrite:
        more = f" and {len(existing) - 1} more" if len(existing) > 1 else ""
        raise DataError(
            f"{existing[0]}{more}: exists; replace earlier label images with --overwrite, or {OTHER_FOLDER}"
        )
    return Outputs(paths, frozenset(existing), notes)


def check_replaceable(path: Path) -> None:
    """Refuse to replace anything but a label image that finetune wrote.

    Args:
        path: an existing file, folder or link.

    Raises:
        DataError: if it is a link, a folder, or a file that finetune did not write.
    """
    if path.is_symlink():
        raise DataError(f"{path}: is a link, which is never written through; delete it, or {OTHER_FOLDER}")
    if not is_label_image(path):
        raise DataError(f"{path}: exists and is no label image that finetune wrote; {OTHER_FOLDER}")


def is_label_image(path: Path) -> bool:
    """Whether finetune wrote a file as a label image.

    Args:
        path: any path.

    Returns:
        True if the tag Software of a TIFF says so.
    """
    from tifffile import TiffFile

    if not path.is_file():
        return False
    try:
        with TiffFile(path) as tif:
            return str(tif.pages.first.software).startswith(SOFTWARE)
    except Exception:  # any other file, or a damaged one
        return False


def clear_leftovers(out: Path) -> None:
    """Delete unfinished label images of killed processes.

    Files that another process is writing are locked, and are kept.

    Args:
        out: folder of the label images; it may be missing.
    """
    for path in out.glob(f"{PREFIX}*.partial"):
        with suppress(OSError):  # another process may delete it, too
            age = time.time() - path.lstat().st_mtime
            if not LEFTOVER.fullmatch(path.name) or path.is_symlink() or age < LEFTOVER_SECONDS:
                continue
            with path.open("r+b") as file:
                if try_lock(file.fileno()):
                    path.unlink()


def _images(images: Path) -> tuple[list[Path], list[str]]:
    """Images to segment, and notes about files that are left out."""
    if images.is_file() or is_zarr(images):
        return [images], []
    if not images.is_dir():
        missing = "is a link to a missing file" if images.is_symlink() else "no such file or folder"
        raise DataError(f"{images}: {missing}")
    entries = sorted(path for path in images.iterdir() if not path.name.startswith("."))
    files = [path for path in entries if is_image(path)]
    names = {stem(path) for path in files}
    beside = {path for path in files if _belongs_to_an_image(stem(path), names)}
    others = [path for path in entries if path not in set(files)]
    notes = []
    if beside:
        names_beside = first_few(sorted(path.name for path in beside))
        notes.append(
            f"{len(beside)} masks and other results beside their images are left out: {names_beside}"
        )
    if others:
        notes.append(
            f"{len(others)} subfolders and files that are not {NAMES} are left out: "
            + first_few(sorted(path.name for path in others))
        )
    files = [path for path in files if path not in beside]
    if not files:
        folders = [path for path in others if path.is_dir()]
        inside = next((path for path in folders if any(map(is_image, path.iterdir()))), None)
        raise DataError(f"{images}: contains no images" + (f"; did you mean {inside}?" if inside else ""))
    return files, notes


def _paths(files: list[Path], out: Path) -> dict[Path, Path]:
    """Output path of each image; no two are the same, and none is an image."""
    originals, sources = {_real(image) for image in files}, dict[Path, Path]()
    for image in files:
        path = out / f"{image.stem}.tif"
        if path in sources:
            raise DataError(
                f"{sources[path]} and {image}: both label images would be {path}; rename one of the images"
            )
        if _real(path) in originals:
            raise DataError(f"{image}: its label image would replace the image {path}; {OTHER_FOLDER}")
        sources[path] = image
    return {image: path for path, image in sources.items()}


def _check_folder(files: list[Path], out: Path) -> None:
    """Refuse a folder that holds the images, is a file, or cannot be written."""
    if _real(out) in {_real(image.parent) for image in files}:
        raise DataError(
            f"{out}: is the folder of the images, where label images would be taken for images; "
            f"{OTHER_FOLDER}"
        )
    place = next(place for place in (out, *out.absolute().parents) if os.path.lexists(place))
    if not place.is_dir():
        raise DataError(f"{place}: is not a folder; {OTHER_FOLDER}")
    if not os.access(place, os.W_OK | os.X_OK):
        raise DataError(f"{out}: cannot write here (no permission, or a read-only disk); {OTHER_FOLDER}")


def _real(path: Path) -> Path:
    """The path without links; a loop of links is reported."""
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:  # RuntimeError: Python before 3.13
        raise DataError(f"{path}: is a loop of links; {OTHER_FOLDER}") from error


def _belongs_to_an_image(name: str, names: set[str]) -> bool:
    return any(name.endswith(end) and name.removesuffix(end) in names for end in SIDE_FILES)
