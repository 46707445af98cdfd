"""Drawing the objects of one image from a COCO file (https://cocodataset.org/#format-data)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from cards.errors import DataError
from finetune.data.annotations.outlines import fill

Objects = dict[str, list[dict[str, Any]]]


def coco_of(image: Path, folders: Iterable[Path]) -> Path | None:
    """Find the COCO file that lists an image.

    Args:
        image: path of the image; its file name is compared.
        folders: where to search.

    Returns:
        The first JSON file that lists the image, or None.
    """
    files = (file for folder in folders for file in sorted(folder.glob("*.json")))
    return next((file for file in files if image.name in _objects(file, file.stat().st_mtime_ns)), None)


def read_coco(path: Path, name: str, shape: tuple[int, int]) -> np.ndarray:
    """Draw the objects of one image.

    Args:
        path: COCO file.
        name: file name of the image.
        shape: height and width of the image.

    Returns:
        (H, W) int32; objects of all categories are numbered from 1 in the order of the file.

    Raises:
        DataError: if the file does not list the image, or an object has no polygon or uncompressed RLE.
    """
    objects = _objects(path, path.stat().st_mtime_ns).get(name)
    if objects is None:
        raise DataError(f"{path}: does not list the image {name}: add it, or remove the image")
    labels = np.zeros(shape, np.int32)
    for number, item in enumerate(objects, 1):
        try:
            _draw(labels, item.get("segmentation"), number)
        except (TypeError, ValueError, KeyError, IndexError, AttributeError):
            raise DataError(
                f"{path}: object {number} of {name} has no polygon or uncompressed RLE of {shape[0]} × "
                f"{shape[1]} pixels (height × width): export polygons"
            ) from None
    return labels


def _draw(labels: np.ndarray, segmentation: Any, number: int) -> None:
    if not segmentation:
        raise ValueError("no segmentation")
    if isinstance(segmentation, list):
        for polygon in segmentation:
            fill(labels, [np.asarray(polygon, float).reshape(-1, 2)], number)
        return
    # Run lengths of background and object in turn, by columns (pycocotools 2.0, maskApi.c).
    counts = [int(count) for count in segmentation["counts"]]
    values = np.arange(len(counts)) % 2 == 1
    labels[np.repeat(values, counts).reshape(labels.shape, order="F")] = number


@lru_cache(maxsize=16)
def _objects(path: Path, modified: int) -> Objects:
    """Objects by the file name of their image; empty if the file is not COCO."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        names = {image["id"]: Path(image["file_name"]).name for image in content["images"]}
        objects: Objects = {name: [] for name in names.values()}
        for item in content["annotations"]:
            objects[names[item["image_id"]]].append(item)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return objects
