"""Finding images with their label images: by folders, by suffix, or by a CSV."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from cards.base import Split
from cards.errors import DataError
from cards.formatting import counted
from cards.paths import expand_user
from finetune.data.annotations.registry import annotation_of, is_annotation
from finetune.data.images import page_count
from finetune.data.layouts import (
    IMAGE_FOLDERS,
    MASK_FOLDERS,
    Places,
    first_few,
    image_folders,
    images_in,
    mask_stem,
    split_folders,
    stem,
    subfolder,
    unsupported_images,
)
from finetune.data.pair_table import read_pair_table

Layout = Literal["auto", "folders", "suffix", "csv"]


@dataclass(frozen=True)
class Pair:
    """An image and its label image.

    Attributes:
        image: path of the image.
        label: path of the label image.
        name: unique within its split; says nothing of where the data lie.
        split: None until `assign_splits`, unless the data say.
        page: index from 0 in a multi-page TIFF; None where the file holds one image.
    """

    image: Path
    label: Path
    name: str
    split: Split | None
    page: int | None = None


def find_pairs(root: Path | str, layout: Layout = "auto", csv: Path | str | None = None) -> list[Pair]:
    """Find images with their label images.

    Layouts: "folders" is `images/` beside `masks/` (or `img/`, `raw/`; `labels/`, `gt/`, …), with the same
    file names; "suffix" is `a.tif` beside `a_masks.tif` or `a_cp_masks.png`. In both, an annotation file of
    the same name (`a_seg.npy`, `a.zip`, `a.roi`, `a.geojson`) or a COCO file replaces a missing mask. Either
    may lie in `train/`, `validation/` (or `val/`, `valid/`) and `test/`; case does not matter. "csv" is a
    table with the columns image, label and optionally split; its paths are relative to the CSV. "auto" takes
    the CSV if one is given, else whichever of the others is there, also one folder per image with one mask
    per object. A stack and a mask of as many pages give one pair per page.

    Args:
        root: folder with the data.
        layout: how images and masks are laid out.
        csv: table of images and masks.

    Returns:
        Pairs by split, then by name in natural order (2 before 10).

    Raises:
        DataError: if there are no images, an image has no mask or a mask no image, or names are ambiguous.
    """
    root = expand_user(root)
    if csv is not None and layout in {"auto", "csv"}:
        # seen from the data's root first, so that a recipe can be moved with its data
        inside = root / csv
        pairs = [Pair(*row) for row in read_pair_table(inside if inside.is_file() else expand_user(csv))]
    elif layout == "csv":
        raise DataError("data.layout is csv but data.csv is not set: give the path of the table")
    else:
        pairs = _by_place(root, layout)
    pages = [page for pair in pairs for page in _by_page(pair)]
    order = {"train": 0, "validation": 1, "test": 2, None: 3}
    return sorted(pages, key=lambda pair: (order[pair.split], natural(pair.name), pair.page or 0))


def natural(name: str) -> list[tuple[int, int | str]]:
    """Sort key for natural order: 2 before 10.

    Args:
        name: text to sort.

    Returns:
        The key.
    """
    parts = re.split(r"(\d+)", name)
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts if part]


def _by_place(root: Path, layout: Layout) -> list[Pair]:
    if not root.is_dir():
        raise DataError(f"{root}: no such folder: give the folder that holds the images")
    places = split_folders(root)
    if places != [(None, root)] and (images := subfolder(root, IMAGE_FOLDERS)):
        beside = " and ".join(f"{place.name}/" for _, place in places)
        raise DataError(
            f"{root}: holds {images.name}/ beside {beside}: move {images.name}/ and its masks into a folder "
            "train/, or set data.csv to a table of files"
        )
    folders = [(split, place) for split, place in places if subfolder(place, IMAGE_FOLDERS)]
    suffixed = [(split, place) for split, place in places if _has_labels(place)]
    per_image = [(split, place) for split, place in places if image_folders(place)]
    if layout == "folders" or (layout == "auto" and folders):
        if not folders:
            raise DataError(f"{root}: data.layout is folders, but there is no folder images/ in it")
        pairs = [pair for split, place in folders for pair in _in_folders(place, split)]
    elif layout == "suffix" or suffixed:
        pairs = [pair for split, place in suffixed or places for pair in _by_suffix(place, split)]
    elif per_image:
        pairs = [pair for split, place in per_image for pair in _per_image(place, split)]
    else:
        raise _nothing(root, places)
    if not pairs:
        raise DataError(f"{root}: holds no images{_instead(places)}")
    return pairs


def _nothing(root: Path, places: Places) -> DataError:
    images = sum(len(images_in(place)) for _, place in places)
    if not images and (instead := _instead(places)):
        return DataError(f"{root}: holds no images{instead}")
    found = f"{counted(images, 'image')}, but" if images else "no images:"
    return DataError(
        f"{root}: holds {found} neither images/ and masks/ nor files that end in _masks or _mask; "
        "give the folder that does, or set data.csv to a table of files"
    )


def _instead(places: Places) -> str:
    """What lies where images are expected."""
    for folder in [subfolder(place, IMAGE_FOLDERS) or place for _, place in places]:
        if files := unsupported_images(folder):
            names = first_few([path.name for path in files])
            return f", but files of other formats: {names}; save them as TIFF or PNG"
        subfolders = sorted(path.name for path in folder.iterdir() if path.is_dir())
        if subfolders and folder not in [place for _, place in places]:
            names = first_few([f"{folder.name}/{name}/" for name in subfolders])
            return f", but folders: {names}; move the images out of them, or set data.csv to a table of files"
    return ""


def _in_folders(place: Path, split: Split | None) -> list[Pair]:
    images, masks = subfolder(place, IMAGE_FOLDERS), subfolder(place, MASK_FOLDERS)
    assert images is not None
    files = images_in(images)
    if masks is None and not any(annotation_of(path, stem(path), [images, place]) for path in files):
        raise DataError(f"{place}: holds {images.name}/ but no masks/")
    names = {stem(path) for path in files}
    return _match(
        files, images_in(masks) if masks else [], lambda path: _image_of(path, names), split, place, masks
    )


def _per_image(place: Path, split: Split | None) -> list[Pair]:
    """One folder per image, with one mask per object, as in the Data Science Bowl 2018."""
    pairs = []
    for folder in image_folders(place):
        images = images_in(folder / "images")
        if len(images) != 1:
            raise DataError(f"{folder / 'images'}: holds {len(images)} images; it must hold one")
        if not (folder / "masks").is_dir():
            raise DataError(f"{folder}: holds images/ but no masks/: add the masks or remove the folder")
        pairs.append(Pair(images[0], folder / "masks", stem(folder / images[0].name), split))
    _unique([pair.image for pair in pairs], stem)
    return pairs


def _has_labels(place: Path) -> bool:
    return any(mask_stem(path) or annotation_of(path, stem(path), [place]) for path in images_in(place))


def _image_of(mask: Path, names: set[str]) -> str:
    """Name of a mask's image in another folder: the same, or without the suffix of a mask."""
    name = stem(mask)
    return name if name in names else mask_stem(mask) or name


def _by_suffix(place: Path, split: Split | None) -> list[Pair]:
    files = images_in(place)
    masks = [path for path in files if mask_stem(path)]
    images = [path for path in files if not mask_stem(path)]
    return _match(images, masks, lambda path: mask_stem(path) or "", split, place)


def _match(
    images: list[Path],
    masks: list[Path],
    key: Callable[[Path], str],
    split: Split | None,
    place: Path,
    mask_folder: Path | None = None,
) -> list[Pair]:
    by_name = _unique(images, stem)
    mask_of = _unique(masks, key)
    for name, image in by_name.items():
        folders = [*([mask_folder] if mask_folder else []), image.parent, place]
        if name not in mask_of and (annotation := annotation_of(image, name, folders)):
            mask_of[name] = annotation
    without = [by_name[name] for name in by_name if name not in mask_of]
    remedy = "remove the images, or save empty masks for those without objects"
    _report(place, without, f"of {len(images)} images have no mask", remedy)
    without_image = [mask_of[name] for name in mask_of if name not in by_name]
    other = unsupported_images(images[0].parent) if images else []
    found = f"{first_few([path.name for path in other])} cannot be read: " if other else ""
    remedy = f"{found}save the images as TIFF, PNG or JPEG under these names, or remove the masks"
    _report(place, without_image, f"of {len(masks)} masks have no image", remedy)
    return [Pair(image, mask_of[name], name, split) for name, image in by_name.items()]


def _unique(paths: list[Path], key: Callable[[Path], str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in paths:
        if key(path) in found:
            raise DataError(
                f"{path.parent}: {found[key(path)].name} and {path.name} have the same name: keep one"
            )
        found[key(path)] = path
    return found


def _report(place: Path, paths: Sequence[Path], problem: str, remedy: str) -> None:
    if paths:
        names = first_few([path.name for path in paths])
        raise DataError(f"{place}: {len(paths)} {problem}: {names}; {remedy}")


def _by_page(pair: Pair) -> list[Pair]:
    # The mask decides: an image of several pages with a mask of one may well be channels.
    if is_annotation(pair.label):
        return [pair]
    pages = page_count(pair.label)
    if pages == 1:
        return [pair]
    if page_count(pair.image) != pages:
        raise DataError(
            f"{pair.label}: holds {pages} pages, but its image {pair.image.name} holds "
            f"{page_count(pair.image)}: image and mask must have the same number of pages"
        )
    return [replace(pair, name=f"{pair.name}#{page}", page=page) for page in range(pages)]
