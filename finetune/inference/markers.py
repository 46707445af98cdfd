"""How finetune recognizes the files that its predictions wrote, and that it may therefore replace.

The marks are lost when another program saves the file. A table has no place for a mark: the record of the
prediction beside it lists its hash.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from cards.fingerprint import sha256_file
from finetune.inference.journal import Journal

SOFTWARE = "finetune label image"
"""Start of the TIFF tag Software (305) of every label image that finetune writes."""

PRODUCT = "finetune prediction"
"""The same for all other files that `finetune predict` writes."""

LABELS = "instances"  # name of the label image in an OME-Zarr image
CARD_FILE = "README.md"  # of an ensemble
RECORD_FILE = "prediction.json"
MARK = "finetune"  # key of the mark in JSON: GeoJSON, the attributes of a Zarr group, and the record


def software(kind: str = PRODUCT) -> str:
    """Text of the mark.

    Args:
        kind: `SOFTWARE` or `PRODUCT`.

    Returns:
        The kind, and the version of finetune.
    """
    return f"{kind}, version {version('finetune')}"


def sha256_array(labels: np.ndarray) -> str:
    """Hash labels.

    Args:
        labels: integers of any type.

    Returns:
        SHA-256 in hexadecimal.
    """
    return hashlib.sha256(np.ascontiguousarray(labels).data).hexdigest()


def geojson_mark(features: Iterable[dict[str, Any]]) -> str:
    """Mark of a GeoJSON file. It contains a hash of the features, because text editors keep the mark.

    Args:
        features: of the file.

    Returns:
        The mark.
    """
    digest = hashlib.sha256(b"[")
    for number, feature in enumerate(features):  # as json.dumps(features) writes them
        digest.update(f"{', ' if number else ''}{json.dumps(feature, sort_keys=True)}".encode())
    digest.update(b"]")
    return f"{software()}, sha256 of the features {digest.hexdigest()}"


def is_ours(path: Path) -> bool:
    """Whether `finetune predict` wrote a file, and no other program changed it since.

    Args:
        path: any path.

    Returns:
        True for label images and optional outputs; False for all other files, folders and links.
    """
    if path.is_symlink():
        return False
    try:
        if path.is_dir():
            return path.suffix == ".zarr" and _is_our_zarr(path)
        return {".tif": _is_our_tiff, ".png": _is_our_png, ".zip": _is_our_zip, ".geojson": _is_our_json}.get(
            path.suffix, _is_listed
        )(path)
    except Exception:  # any other file, or a damaged one
        return False


def _tiff_software(path: Path) -> str:
    from tifffile import TiffFile

    if not path.is_file():
        return ""
    try:
        with TiffFile(path) as tif:
            return str(tif.pages.first.software)
    except Exception:  # any other file, or a damaged one
        return ""


def _is_our_tiff(path: Path) -> bool:
    return _tiff_software(path).startswith((SOFTWARE, PRODUCT))


def _is_our_png(path: Path) -> bool:
    from PIL.PngImagePlugin import PngImageFile  # unlike Image.open, it opens pictures of any size

    with PngImageFile(path) as image:
        return str(image.info.get("Software")).startswith(PRODUCT)


def _is_our_zip(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        return archive.comment.decode().startswith(PRODUCT)


def _is_our_json(path: Path) -> bool:
    content = json.loads(path.read_text(encoding="utf-8"))
    mark, expected = str(content[MARK]), geojson_mark(content["features"])
    return mark.startswith(PRODUCT) and mark.rpartition(" ")[2] == expected.rpartition(" ")[2]


def _is_our_zarr(path: Path) -> bool:
    """Whether the mark of a Zarr group is there, and the labels have the hash that it states."""
    import zarr

    attributes = json.loads((path / "zarr.json").read_text(encoding="utf-8"))["attributes"]
    mark: dict[str, Any] = attributes[MARK]
    array: Any = zarr.open_group(path, mode="r")[f"labels/{LABELS}/0"]
    return mark["software"].startswith(SOFTWARE) and mark["labels_sha256"] == _sha256_in_bands(array)


def _sha256_in_bands(array: Any) -> str:
    """`sha256_array` of a Zarr array, of which a row of chunks is read at a time."""
    digest, step = hashlib.sha256(), array.chunks[-2]
    for plane in np.ndindex(*array.shape[:-2]):
        for top in range(0, array.shape[-2], step):
            digest.update(np.ascontiguousarray(array[(*plane, slice(top, top + step))]).data)
    return digest.hexdigest()


def _is_listed(path: Path) -> bool:
    """Whether the record of an earlier prediction beside the file, or itself the file, lists it.

    The journal of an unfinished prediction lists it, too.
    """
    record_path = path.parent / RECORD_FILE
    record = json.loads(record_path.read_text(encoding="utf-8")) if record_path.is_file() else {}
    ours = str(record.get(MARK, "")).startswith(PRODUCT)
    if path.name == RECORD_FILE:
        return ours
    listed = ours and record["files"].get(path.name) == sha256_file(path)
    return listed or Journal(path.parent).lists(path)
