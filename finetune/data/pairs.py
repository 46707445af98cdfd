"""Finding images with their label images: by folders, by suffix, or by a CSV."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from csv import DictReader
from csv import Error as CsvError
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from cards.base import Split
from cards.errors import DataError
from finetune.data.images import is_image, page_count

Layout = Literal["auto", "folders", "suffix", "csv"]

MASK_SUFFIX = "_masks"  # Cellpose's habit: a.tif and a_masks.tif side by side
SPLIT_WORDS: dict[str, Split] = {
    "train": "train",
    "validation": "validation",
    "val": "validation",
    "test": "test",
}
LISTED = 3  # how many file names an error gives


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

    Layouts: "folders" is `images/` beside `masks/`, same names; "suffix" is `a.tif` beside `a_masks.tif`;
        either may
    lie in `train/`, `validation/` (or `val/`) and `test/`. "csv" is a table with the columns image, label
    and, if wanted, split; its paths are relative to the CSV. "auto" takes the CSV if one is given, else
    whichever of the two others is there. A stack and a mask of as many pages are one pair a page.

    Returns:
        Pairs by split, then by name in natural order (2 before 10).

    Raises:
        DataError: if there is nothing to find, an image has no mask or a mask no image, or names are
            ambiguous.
    """
    root = Path(root)
    if csv is not None and layout in {"auto", "csv"}:
        # seen from the data's root first, so that a recipe can be moved with its data
        inside = root / csv
        pairs = _by_csv(inside if inside.is_file() else Path(csv))
    elif layout == "csv":
        raise DataError("data.layout is csv but data.csv is not set: give the path of the table")
    else:
        pairs = _by_place(root, layout)
    pages = [page for pair in pairs for page in _by_page(pair)]
    order = {"train": 0, "validation": 1, "test": 2, None: 3}
    return sorted(pages, key=lambda pair: (order[pair.split], natural(pair.name), pair.page or 0))


def natural(name: str) -> list[tuple[int, int | str]]:
    """Sort key that puts 2 before 10."""
    parts = re.split(r"(\d+)", name)
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts if part]


def stem(path: Path) -> str:
    """File name without its ending, `.ome.tif` being one ending."""
    return path.stem.removesuffix(".ome") if path.suffix.lower() in {".tif", ".tiff"} else path.stem


def _by_place(root: Path, layout: Layout) -> list[Pair]:
    if not root.is_dir():
        raise DataError(f"{root}: no such folder: set data.root to the folder that holds the images")
    places = _places(root)
    folders = [(split, place) for split, place in places if (place / "images").is_dir()]
    suffixed = [(split, place) for split, place in places if _masks_in(place)]
    if layout == "folders" or (layout == "auto" and folders):
        if not folders:
            raise DataError(f"{root}: data.layout is folders, but there is no folder images/ in it")
        found = [pair for split, place in folders for pair in _in_folders(place, split)]
    elif layout == "suffix" or suffixed:
        found = [pair for split, place in suffixed or places for pair in _by_suffix(place, split)]
    else:
        images = sum(len(_images_in(place)) for _, place in places)
        raise DataError(
            f"{root}: holds {images or 'no'} images, but neither images/ and masks/ nor files that end "
            f"in {MASK_SUFFIX}: set data.root to the folder that does, or data.csv to a table of files"
        )
    if not found:
        raise DataError(f"{root}: holds no images")
    return found


def _places(root: Path) -> list[tuple[Split | None, Path]]:
    """The split folders, or the root itself where there is none."""
    splits = [(split, root / word) for word, split in SPLIT_WORDS.items() if (root / word).is_dir()]
    if len({split for split, _ in splits}) < len(splits):
        raise DataError(f"{root}: holds both val/ and validation/: keep one")
    return list(splits) or [(None, root)]


def _images_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if is_image(path) and path.is_file())


def _masks_in(folder: Path) -> list[Path]:
    return [path for path in _images_in(folder) if stem(path).endswith(MASK_SUFFIX)]


def _in_folders(place: Path, split: Split | None) -> list[Pair]:
    if not (place / "masks").is_dir():
        raise DataError(f"{place}: holds images/ but no masks/")
    images = _images_in(place / "images")
    masks = _images_in(place / "masks")
    return _match(images, masks, stem, split, place)


def _by_suffix(place: Path, split: Split | None) -> list[Pair]:
    masks = _masks_in(place)
    images = [path for path in _images_in(place) if path not in set(masks)]
    return _match(images, masks, lambda path: stem(path).removesuffix(MASK_SUFFIX), split, place)


def _match(
    images: list[Path], masks: list[Path], key: Callable[[Path], str], split: Split | None, place: Path
) -> list[Pair]:
    by_name = _unique(images, stem)
    mask_of = _unique(masks, key)
    _report(
        f"{place}: %d of {len(images)} images have no mask", [by_name[n] for n in by_name if n not in mask_of]
    )
    _report(
        f"{place}: %d of {len(masks)} masks have no image", [mask_of[n] for n in mask_of if n not in by_name]
    )
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


def _report(message: str, paths: Sequence[Path]) -> None:
    if paths:
        names = ", ".join(path.name for path in paths[:LISTED]) + (", …" if len(paths) > LISTED else "")
        raise DataError(f"{message % len(paths)}: {names}")


def _by_csv(path: Path) -> list[Pair]:
    lines, rows = _rows(path)
    found = []
    for line, row in zip(lines, rows, strict=True):
        where = f"{path}, line {line}"
        files = []
        for column in ("image", "label"):
            if not (row[column] or "").strip():
                raise DataError(f"{where}: the column {column} is empty")
            file = path.parent / row[column].strip()
            if not file.is_file():
                raise DataError(
                    f"{where}: no such file: {row[column].strip()} (paths are relative to the CSV)"
                )
            files.append(file)
        found.append(Pair(files[0], files[1], "", _split_word((row.get("split") or "").strip(), where)))
    if not found:
        raise DataError(f"{path}: holds no rows below its header")
    return _named(found, lines, path)


def _rows(path: Path) -> tuple[list[int], list[dict[str, str]]]:
    """Rows and the line each stands on."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = DictReader(file)
            missing = [name for name in ("image", "label") if name not in (reader.fieldnames or [])]
            if missing:
                raise DataError(
                    f"{path}, line 1: no column {' and no column '.join(missing)}: the header must name "
                    "image, label and, if wanted, split"
                )
            numbered = [(reader.line_num, row) for row in reader]
    except FileNotFoundError:
        raise DataError(f"{path}: no such file: set data.csv to the table of images") from None
    except (OSError, UnicodeDecodeError, CsvError) as error:
        raise DataError(f"{path}: cannot be read as CSV: {error}") from error
    return [line for line, _ in numbered], [row for _, row in numbered]


def _split_word(word: str, where: str) -> Split | None:
    if not word:
        return None
    if word.lower() not in SPLIT_WORDS:
        raise DataError(f"{where}: split is '{word}'; it must be train, validation or test, or empty")
    return SPLIT_WORDS[word.lower()]


def _named(pairs: list[Pair], lines: list[int], path: Path) -> list[Pair]:
    """Names from the file names, or, where folders hold the same, from the path below their common one."""
    stems = [stem(pair.image) for pair in pairs]
    if len(set(stems)) < len(stems):
        common = Path(os.path.commonpath([pair.image.resolve().parent for pair in pairs]))
        stems = [
            (pair.image.resolve().parent.relative_to(common) / stem(pair.image)).as_posix() for pair in pairs
        ]
    first: dict[str, int] = {}
    for line, name in zip(lines, stems, strict=True):
        if name in first:
            raise DataError(f"{path}, line {line}: the image {name} was already given in line {first[name]}")
        first[name] = line
    return [replace(pair, name=name) for pair, name in zip(pairs, stems, strict=True)]


def _by_page(pair: Pair) -> list[Pair]:
    # The mask decides: an image of several pages with a mask of one may well be channels.
    pages = page_count(pair.label)
    if pages == 1:
        return [pair]
    if page_count(pair.image) != pages:
        raise DataError(
            f"{pair.label}: holds {pages} pages, but its image {pair.image.name} holds "
            f"{page_count(pair.image)}: they must hold as many"
        )
    return [replace(pair, name=f"{pair.name}#{page}", page=page) for page in range(pages)]
