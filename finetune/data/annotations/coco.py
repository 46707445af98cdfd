"""Drawing the objects of one image from a COCO file (https://cocodataset.org/#format-data)."""

from __future__ import annotations

import json
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from cards.errors import DataError
from finetune.data.annotations.outlines import check_drawn, fill
from finetune.data.annotations.rle import decode


class Listed(NamedTuple):
    """An image of a COCO file.

    Attributes:
        objects: its annotations.
        size: its height and width in pixels, as the file states them; None if it does not.
    """

    objects: list[dict[str, Any]]
    size: tuple[int, int] | None


def coco_of(image: Path, folders: Iterable[Path]) -> Path | None:
    """Find the COCO file that lists an image.

    Args:
        image: path of the image.
        folders: where to search.

    Returns:
        The JSON file with the name of the image if it lists the image, or else the first one that does; None
        if there is none.

    Raises:
        DataError: if a file lists several images that could be this one.
    """
    folders = list(folders)
    named = (folder / f"{image.stem}.json" for folder in folders)  # one file for each image
    files = (file for folder in folders for file in _json_files(folder, folder.stat().st_mtime_ns))
    candidates = chain((file for file in named if file.is_file()), files)
    return next((file for file in candidates if _listed(file, image) is not None), None)


def read_coco(path: Path, image: Path, shape: tuple[int, int]) -> np.ndarray:
    """Draw the objects of one image.

    Args:
        path: COCO file.
        image: path of the image.
        shape: height and width of the image.

    Returns:
        (H, W) int32; objects of all categories are numbered from 1 in the order of the file.

    Raises:
        DataError: if the file does not list the image, lists several that could be it, or states another size
            for it, or an object has no polygon or RLE.
    """
    listed, name = _listed(path, image), image.name
    if listed is None:
        raise DataError(f"{path}: does not list the image {name}: add it, or remove the image")
    if listed.size not in (None, shape):
        stated = f"{listed.size[0]} × {listed.size[1]}" if listed.size else ""
        raise DataError(
            f"{path}: states {stated} pixels (height × width) for {name}, which has {shape[0]} × {shape[1]}"
            ": export the annotations of this image"
        )
    labels, drawn = np.zeros(shape, np.int32), []
    for number, item in enumerate(listed.objects, 1):
        try:
            drawn.append(_draw(labels, item.get("segmentation"), number))
        except (TypeError, ValueError, KeyError, IndexError, AttributeError):
            raise DataError(
                f"{path}: object {number} of {name} has no polygon or RLE of {shape[0]} × {shape[1]} pixels "
                "(height × width): export polygons"
            ) from None
    check_drawn(drawn, path, shape, name)
    return labels


def _draw(labels: np.ndarray, segmentation: Any, number: int) -> bool:
    if not segmentation:
        raise ValueError("no segmentation")
    if isinstance(segmentation, list):
        polygons = [np.asarray(polygon, float).reshape(-1, 2) for polygon in segmentation]
        return any([fill(labels, [polygon], number) for polygon in polygons])
    inside = decode(segmentation, (labels.shape[0], labels.shape[1]))
    labels[inside] = number
    return bool(inside.any())


def _listed(path: Path, image: Path) -> Listed | None:
    """Objects and size of an image; None if the file does not list it.

    One entry with the name of the image is enough, because images are moved between folders. Of several, the
    one whose path agrees with that of the image in most folders counts.
    """
    image = Path(unicodedata.normalize("NFC", str(image.absolute())))
    found = _images(path, path.stat().st_mtime_ns).get(image.name)
    if not found:
        return None
    agreeing = {name: _agreement(PurePosixPath(name), image) for name in found}
    best = [name for name in found if agreeing[name] == max(agreeing.values())]
    if len(best) > 1:
        raise DataError(
            f"{path}: lists several images named {image.name} ({', '.join(best[:2])}), and the folder "
            "does not tell which is meant: rename them"
        )
    return found[best[0]]


def _agreement(listed: PurePosixPath, image: Path) -> int:
    """Number of path components that agree, counted from the end."""
    pairs = list(zip(reversed(listed.parts), reversed(image.parts), strict=False))
    return next((count for count, (one, other) in enumerate(pairs) if one != other), len(pairs))


@lru_cache(maxsize=16)
def _json_files(folder: Path, modified: int) -> list[Path]:
    return sorted(folder.glob("*.json"))


@lru_cache(maxsize=16)
def _images(path: Path, modified: int) -> dict[str, dict[str, Listed]]:
    """Images by the last part of their `file_name`, and by the whole; empty if the file is not COCO.

    Names are in Unicode normal form C: macOS writes other bytes for the same name.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        names = {
            image["id"]: unicodedata.normalize("NFC", image["file_name"]).replace("\\", "/")
            for image in content["images"]
        }
        images = {names[image["id"]]: Listed([], _size(image)) for image in content["images"]}
        for item in content["annotations"]:
            if item["image_id"] in names:
                images[names[item["image_id"]]].objects.append(item)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    by_name: defaultdict[str, dict[str, Listed]] = defaultdict(dict)
    for name, listed in images.items():
        by_name[PurePosixPath(name).name][name] = listed
    return dict(by_name)


def _size(image: dict[str, Any]) -> tuple[int, int] | None:
    """Height and width; some tools write 0 or nothing."""
    height, width = image.get("height"), image.get("width")
    return (int(height), int(width)) if height and width else None
