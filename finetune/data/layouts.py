"""Naming conventions of folders and files: splits, images, masks; and what is left unread beside them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from cards.base import Split
from cards.errors import DataError
from cards.formatting import counted
from finetune.data.images import is_image

SPLIT_WORDS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
    "testing": "test",
}
IMAGE_FOLDERS = ("images", "image", "imgs", "img", "raw")
MASK_FOLDERS = ("masks", "mask", "labels", "label", "gt", "annotations")
MASK_SUFFIXES = ("_cp_masks", "_masks", "_mask")  # Cellpose: command line and GUI, its training data; others
OUTPUT_SUFFIXES = ("_flows", "_cp_flows", "_cp_output", "_cp_outlines", "_outlines")  # Cellpose's other files
# Formats in which microscopy images are often stored and that are not read.
UNSUPPORTED = {
    *(".bmp", ".gif", ".webp", ".jp2", ".h5", ".hdf5", ".mrc", ".dm3", ".dm4"),
    *(".ims", ".oib", ".oif", ".oir", ".vsi", ".svs", ".ndpi"),
}
LISTED = 3  # file names in a message

Places = list[tuple[Split | None, Path]]


def stem(path: Path) -> str:
    """File name without its ending, in Unicode normal form C: macOS writes other bytes for the same name.

    Args:
        path: any path.

    Returns:
        The name; ".ome.tif" and ".ome.zarr" are one ending.
    """
    ome = path.suffix.lower() in {".tif", ".tiff", ".zarr"}
    name = path.stem[:-4] if ome and path.stem.lower().endswith(".ome") else path.stem
    return unicodedata.normalize("NFC", name)


def mask_stem(path: Path) -> str | None:
    """Name of the image that a mask belongs to, if its own name says so.

    Args:
        path: any path.

    Returns:
        The name without `_masks`, `_mask` or `_cp_masks`; None if it has none.
    """
    name = stem(path)
    return next((name.removesuffix(suffix) for suffix in MASK_SUFFIXES if name.endswith(suffix)), None)


def images_in(folder: Path) -> list[Path]:
    """Image files of a folder, without Cellpose's flows and outlines of other images there.

    Args:
        folder: the folder; subfolders are not searched.

    Returns:
        Paths, sorted by name.
    """
    files = sorted(path for path in folder.iterdir() if is_image(path))
    names = {stem(path) for path in files}
    return [path for path in files if not any(_belongs_to(stem(path), end, names) for end in OUTPUT_SUFFIXES)]


def unsupported_images(folder: Path) -> list[Path]:
    """Image files of a folder in formats that are not read.

    Args:
        folder: the folder; subfolders are not searched.

    Returns:
        Paths, sorted by name.
    """
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in UNSUPPORTED)


def split_folders(root: Path) -> Places:
    """Folders of the splits, in any case, or the root itself if there is none.

    Args:
        root: data.root.

    Returns:
        Splits and their folders.

    Raises:
        DataError: if two folders are the same split.
    """
    places: dict[Split, Path] = {}
    for path in sorted(path for path in root.iterdir() if path.is_dir()):
        split = SPLIT_WORDS.get(path.name.lower())
        if split in places:
            raise DataError(f"{root}: holds both {places[split].name}/ and {path.name}/: keep one")
        if split:
            places[split] = path
    return list(places.items()) or [(None, root)]


def subfolder(place: Path, names: Sequence[str]) -> Path | None:
    """The first of several folders that exists, in any case.

    Args:
        place: folder to search.
        names: names in lower case, the preferred first.

    Returns:
        The folder, or None.
    """
    folders = {path.name.lower(): path for path in sorted(place.iterdir()) if path.is_dir()}
    return next((folders[name] for name in names if name in folders), None)


def image_folders(place: Path) -> list[Path]:
    """Folders of single images, each with its own images/, and masks/ with one mask per object.

    Args:
        place: data.root or the folder of a split.

    Returns:
        The folders that hold images/, sorted by name; empty if the data are not laid out like this.
    """
    return sorted(path for path in place.iterdir() if path.is_dir() and (path / "images").is_dir())


def unread(root: Path, used: Iterable[Path]) -> list[str]:
    """List files and folders next to the ones used that are not read.

    Args:
        root: data.root.
        used: all images and masks that are read.

    Returns:
        One line per folder with unread files, and one for folders from which nothing is read.
    """
    named = {path.absolute() for path in used}
    read = {path for path in named if not named & set(path.parents)}  # without labels inside an image
    folders = {path.parent for path in read}
    visited = {root.absolute(), *folders, *(parent for folder in folders for parent in folder.parents)}
    lines, strangers = [], []
    for folder in sorted(place for place in visited if place.is_relative_to(root.absolute())):
        entries = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
        files = [path.name for path in entries if path.is_file() and path not in read]
        strangers += [path for path in entries if path.is_dir() and path not in visited | read]
        if folder in folders and files:
            where = folder.relative_to(root.absolute()).as_posix()
            place = "data.root" if where == "." else where
            lines.append(f"{counted(len(files), 'file')} in {place} not read: {first_few(files)}")
    if strangers:
        names = [f"{path.relative_to(root.absolute()).as_posix()}/" for path in strangers]
        lines.append(f"{counted(len(names), 'folder')} beside the ones used not read: {first_few(names)}")
    return lines


def first_few(names: Sequence[str]) -> str:
    """List the first names.

    Args:
        names: such as names of files.

    Returns:
        Up to `LISTED` names, and an ellipsis if there are more.
    """
    return ", ".join(names[:LISTED]) + (", …" if len(names) > LISTED else "")


def _belongs_to(name: str, suffix: str, names: set[str]) -> bool:
    return name.endswith(suffix) and name.removesuffix(suffix) in names
