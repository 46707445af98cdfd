"""Which annotation files are read, and reading the labels of an image from any of them."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from cards.errors import DataError
from cards.fingerprint import sha256_file
from finetune.data.annotations.coco import coco_of, read_coco
from finetune.data.annotations.geojson import read_geojson
from finetune.data.annotations.object_masks import mask_files, read_object_masks
from finetune.data.annotations.rois import read_rois
from finetune.data.annotations.seg_npy import read_seg_npy
from finetune.data.formats.registry import EXTRA, is_zarr
from finetune.data.images import read_image, read_labels
from finetune.utils.optional import require

# Endings after the name of the image, the preferred first.
READERS: dict[str, Callable[[Path, tuple[int, int]], np.ndarray]] = {
    "_seg.npy": read_seg_npy,
    "_RoiSet.zip": read_rois,
    "_rois.zip": read_rois,
    ".zip": read_rois,
    ".roi": read_rois,
    ".geojson": read_geojson,
}


COCO = ".json"  # one file for many images


def annotation_of(image: Path, name: str, folders: Sequence[Path]) -> Path | None:
    """Find the annotation file of an image.

    Args:
        image: path of the image.
        name: file name of the image without its ending.
        folders: where to search, the preferred first.

    Returns:
        The label image inside an OME-Zarr image, the first file with the name and a known ending, or else a
        COCO file that lists the image, or None.
    """
    if is_zarr(image) and (label := _zarr_labels(image)):
        return label
    names = dict.fromkeys((name, unicodedata.normalize("NFD", name)))  # as macOS writes it
    paths = (folder / f"{one}{ending}" for folder in folders for ending in READERS for one in names)
    return next((path for path in paths if path.is_file()), None) or coco_of(image, folders)


def is_annotation(label: Path) -> bool:
    """Whether labels come from an annotation file or a folder of masks, not from a label image.

    Args:
        label: path of the labels.

    Returns:
        True for a folder or a known ending.
    """
    return _is_folder_of_masks(label) or label.suffix == COCO or _reader(label) is not None


def read_pair_labels(image: Path, label: Path, page: int | None = None) -> np.ndarray:
    """Read the labels of an image from a label image, an annotation file or a folder of masks.

    Args:
        image: path of the image; outlines are drawn in its size.
        label: path of the labels.
        page: index from 0 in a TIFF of several pages; None if the file holds one image.

    Returns:
        (H, W) int32, 0 is background. Where outlines overlap, the later one wins.

    Raises:
        DataError: if the labels cannot be read.
    """
    if _is_folder_of_masks(label):
        return read_object_masks(label)
    reader = _reader(label)
    if reader or label.suffix == COCO:
        height, width = read_image(image, page).shape[1:]
        if reader is None:
            return read_coco(label, image, (height, width))
        return reader(label, (height, width))
    return read_labels(label, page)


def label_files(label: Path) -> list[Path]:
    """List the files that labels are read from.

    Args:
        label: path of the labels.

    Returns:
        The file, or the masks of a folder.
    """
    return mask_files(label) if _is_folder_of_masks(label) else [label]


def sha256_source(path: Path) -> str:
    """Hash a file, or a folder by the names and contents of its files.

    Args:
        path: an image, a label image, an annotation file, a folder of masks or an OME-Zarr image.

    Returns:
        SHA-256 in hexadecimal.

    Raises:
        DataError: if a folder holds no masks.
    """
    if not path.is_dir():
        return sha256_file(path)
    if is_zarr(path):
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return _sha256_files(files, path)
    masks = mask_files(path)
    if not masks:
        raise DataError(f"{path}: holds no masks: save an empty mask if the image has no objects")
    return _sha256_files(masks, path)


def _sha256_files(files: Sequence[Path], folder: Path) -> str:
    lines = [f"{sha256_file(file)}  {file.relative_to(folder).as_posix()}\n" for file in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _is_folder_of_masks(label: Path) -> bool:
    return label.is_dir() and not is_zarr(label)


def _zarr_labels(image: Path) -> Path | None:
    require("zarr", EXTRA)
    from finetune.data.formats.ome_zarr import labels_of

    return labels_of(image)


def _reader(label: Path) -> Callable[[Path, tuple[int, int]], np.ndarray] | None:
    return next((reader for ending, reader in READERS.items() if label.name.endswith(ending)), None)
