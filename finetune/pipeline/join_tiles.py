"""Joining adjacent tiles into the fields of view that they were cut from, images and masks alike.

A network sees nothing beyond the border of an image. Where tiles were cut from larger images, the pixels near
the border of a tile are learned and predicted without half of their surroundings.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from cards.base import LabelKind, Split
from cards.errors import DataError, InputError
from cards.paths import expand_user
from finetune.data.label_survey import survey_labels
from finetune.data.layouts import IMAGE_FOLDERS, images_in, stem, subfolder
from finetune.data.pairs import Pair, find_pairs, natural
from finetune.data.tile_names import arrange_tiles
from finetune.pipeline.joined_field import JoinedField
from finetune.utils.atomic import atomic_folder

TABLE = "tiles.csv"
HINT = "choose another folder with --out"

Masks = LabelKind | Literal["auto", "none"]
"""Content of the masks: judged from them if "auto"; images without masks if "none"."""

Progress = Callable[[int, int], None]
"""Called with how many of how many steps are done."""


class Joined(NamedTuple):
    """A field of view that was joined.

    Attributes:
        name: of the field.
        rows: of tiles.
        columns: of tiles.
        height: in pixels.
        width: in pixels.
        labels: content of the masks; None without masks.
        correlation: median over the seams of the correlation of the border lines; None without seams.
    """

    name: str
    rows: int
    columns: int
    height: int
    width: int
    labels: LabelKind | None
    correlation: float | None


def join_tiles(
    root: Path, names: str, out: Path, masks: Masks = "auto", progress: Progress | None = None
) -> list[Joined]:
    """Join the tiles of a data set, or of a folder of images without masks.

    A row of tiles is in memory at a time. The new folder has the layout of the data set, with TIFF files, and
    `tiles.csv`, which states where each tile lies.

    Args:
        root: folder of the data set, or of images.
        names: pattern of the file names; see `arrange_tiles`.
        out: folder to create.
        masks: content of the masks, judged from them if "auto"; "none" for images without masks.
        progress: called after each tile; each is read at least twice.

    Returns:
        The fields, in natural order of the splits and names.

    Raises:
        InputError: if the folder exists, or the tiles cannot be arranged or do not fit together.
        DataError: if there are no masks, and `masks` is not "none".
    """
    root, out = expand_user(root), expand_user(out)
    if out.exists():
        raise InputError(f"{out}: exists already; {HINT}")
    pairs = _images(root) if masks == "none" else _pairs(root)
    grids = [
        (split, name, [[tiles[index] for index in row] for row in grid])
        for split, tiles in _by_split(pairs).items()
        for name, grid in arrange_tiles([tile.name for tile in tiles], names).items()
    ]
    labels = None if masks == "none" else survey_labels(pairs).kind if masks == "auto" else masks
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, 2 * len(pairs))

    joined, rows = [], []
    with atomic_folder(out, HINT) as new:
        for split, name, grid in grids:
            place = new / split if split else new
            field = JoinedField(name, grid, labels, advance)
            image = place / "images" / f"{name}.tif" if labels else place / f"{name}.tif"
            mask = place / "masks" / image.name if labels else None
            for path in filter(None, (image, mask)):
                path.parent.mkdir(parents=True, exist_ok=True)
            field.write(image, mask, advance)
            size = (len(grid), len(grid[0]), *field.shape[1:])
            joined.append(Joined(name, *size, labels, field.correlation))
            rows += field.table(image.relative_to(new).as_posix())
        with (new / TABLE).open("x", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(["tile", "image", "top", "left", "height", "width"])
            table.writerows(rows)
    return joined


def _pairs(root: Path) -> list[Pair]:
    try:
        return find_pairs(root)
    except DataError as error:
        if root.is_dir() and images_in(root):
            raise DataError(f"{error}; to join images without masks, add --labels none") from error
        raise


def _images(root: Path) -> list[Pair]:
    if not root.is_dir():
        raise InputError(f"{root}: no such folder")
    folder = root if images_in(root) else subfolder(root, IMAGE_FOLDERS) or root
    files = sorted(images_in(folder), key=lambda path: natural(path.name))
    if not files:
        raise InputError(f"{root}: holds no images, and neither does a folder images/ in it")
    return [Pair(path, path, stem(path), None) for path in files]


def _by_split(pairs: list[Pair]) -> dict[Split | None, list[Pair]]:
    found: dict[Split | None, list[Pair]] = {}
    for pair in pairs:
        found.setdefault(pair.split, []).append(pair)
    return found
