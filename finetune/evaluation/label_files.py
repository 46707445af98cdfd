"""Which predicted label image belongs to which reference, by name, whatever tool wrote them."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cards.errors import DataError
from cards.paths import expand_user
from finetune.data.annotations.seg_npy import read_seg_npy
from finetune.data.formats.registry import EXTRA, is_zarr
from finetune.data.images import page_count, read_labels
from finetune.data.layouts import images_in, mask_stem, stem
from finetune.utils.optional import require

Labels = np.ndarray | Sequence[np.ndarray] | Path | str
SEG_NPY = "_seg.npy"  # Cellpose's GUI
SINGLE = "\0"  # key of the only label image, which no file can have as its name


@dataclass(frozen=True)
class LabelPairs:
    """Predictions and references with the same name.

    Attributes:
        pairs: prediction and reference, arrays or files, by name.
        without_prediction: names of references without a prediction.
        without_reference: names of predictions without a reference.
        left_out: for predictions and references, names of files in a folder of Cellpose that hold no masks.
    """

    pairs: Mapping[str, tuple[np.ndarray | Path, np.ndarray | Path]]
    without_prediction: list[str]
    without_reference: list[str]
    left_out: tuple[list[str], list[str]] = ([], [])


def pair_labels(predictions: Labels, reference: Labels) -> LabelPairs:
    """Match predictions and references.

    Files are matched by name, without ending and without Cellpose's `_masks`, `_cp_masks` and `_seg.npy`; two
    single files or arrays match each other, and a single file matches the file of its name in a folder.

    Args:
        predictions: a label image (H, W) of integers, a sequence of them, an image file, or a folder.
        reference: the same for the reference.

    Returns:
        The pairs in the order of their names, and names without a counterpart.

    Raises:
        DataError: if a folder or file is missing, holds no label images, or no names agree.
    """
    (predicted, others), (expected, reference_others) = (
        _list(predictions, "predictions"),
        _list(reference, "reference"),
    )
    if SINGLE not in expected:
        predicted = _by_name(predicted)
    elif SINGLE not in predicted:
        expected = _by_name(expected)
    else:
        both = predicted[SINGLE], expected[SINGLE]
        name = next((_name(one) for one in reversed(both) if isinstance(one, Path)), "0")
        predicted, expected = {name: both[0]}, {name: both[1]}
    common = [name for name in predicted if name in expected]
    if not common:
        raise DataError(
            f"no prediction has the name of a reference: {_some(predicted)} and {_some(expected)}; "
            "name both files alike, endings aside"
        )
    return LabelPairs(
        {name: (predicted[name], expected[name]) for name in common},
        without_prediction=[name for name in expected if name not in predicted],
        without_reference=[name for name in predicted if name not in expected],
        left_out=(others, reference_others),
    )


def planes_of(name: str, predicted: np.ndarray | Path, expected: np.ndarray | Path) -> dict[str, int | None]:
    """The planes that a prediction and its reference hold, as `finetune predict --planes` writes them.

    Args:
        name: of the image.
        predicted: array or file.
        expected: array or file.

    Returns:
        The index of each plane from 0 by name, such as `embryo#0`; of a single label image, None by `name`.

    Raises:
        DataError: if a file cannot be read, or the numbers of planes differ.
    """
    count, pages = _page_count(predicted), _page_count(expected)
    if count != pages:
        raise DataError(
            f"{_title(name, predicted)}: holds {count} planes, the reference {pages}; "
            "both must have the same number of planes"
        )
    return {f"{name}#{page}": page for page in range(count)} if count > 1 else {name: None}


def read_pair(
    name: str, predicted: np.ndarray | Path, expected: np.ndarray | Path, page: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Read a prediction and its reference.

    Args:
        name: of the image, for errors.
        predicted: array or file.
        expected: array or file.
        page: index of a plane from 0; None for files that hold one.

    Returns:
        Two label images (H, W) of integers and equal shape.

    Raises:
        DataError: if a file cannot be read, is no label image, or the shapes differ.
    """
    labels, reference = _read(predicted, page), _read(expected, page)
    for source, array in ((predicted, labels), (expected, reference)):
        place = _title(name, source)
        if array.ndim != 2 or array.dtype.kind not in "iub":
            raise DataError(f"{place}: a label image is a 2D integer array, got {array.dtype} {array.shape}")
        if array.size and array.min() < 0:
            raise DataError(f"{place}: a label image must not contain negative numbers, got {array.min()}")
    if labels.shape != reference.shape:
        raise DataError(
            f"{_title(name, predicted)}: the prediction has shape {labels.shape}, "
            f"the reference {reference.shape}"
        )
    return labels, reference


def _title(name: str, source: np.ndarray | Path) -> str:
    """The place of an image in an error: its file, if there is one."""
    return str(source) if isinstance(source, Path) else name


def _page_count(source: np.ndarray | Path) -> int:
    if isinstance(source, np.ndarray) or source.name.endswith(SEG_NPY):
        return 1
    return page_count(_labels_inside(source) or source)


def _read(source: np.ndarray | Path, page: int | None) -> np.ndarray:
    if isinstance(source, np.ndarray):
        whole = source.dtype.kind == "f" and bool((np.mod(source, 1) == 0).all())
        return source.astype(np.int64) if whole else source  # as in files
    if source.name.endswith(SEG_NPY):
        return read_seg_npy(source, (0, 0))
    return read_labels(_labels_inside(source) or source, page)


def _labels_inside(source: Path) -> Path | None:
    """The label image in an OME-Zarr image, as `finetune predict --format ome-zarr` writes it."""
    if not is_zarr(source):
        return None
    require("zarr", EXTRA)
    from finetune.data.formats.ome_zarr import labels_of

    return labels_of(source)


def _list(source: Labels, what: str) -> tuple[dict[str, np.ndarray | Path], list[str]]:
    """Label images or their files, by name, and names of images beside the masks of others.

    A file is read when it is compared.
    """
    if isinstance(source, np.ndarray):
        return {SINGLE: source}, []
    if not isinstance(source, str | Path):
        arrays = [np.asarray(labels) for labels in source]
        if not arrays:
            raise DataError(f"{what}: no label images")
        one = len(arrays) == 1
        return {SINGLE if one else str(index): labels for index, labels in enumerate(arrays)}, []
    path = expand_user(source)
    if path.is_file() or is_zarr(path):
        return {SINGLE: path}, []
    if not path.is_dir():
        raise DataError(f"{path}: no such file or folder")
    files: dict[str, np.ndarray | Path] = {}
    candidates = [*images_in(path), *sorted(path.glob(f"*{SEG_NPY}"))]
    masks = [file for file in candidates if _name_as_mask(file)]
    for file in masks or candidates:  # Cellpose writes masks beside the images, which are no label images
        name = _name(file)
        if name in files:
            raise DataError(f"{file}: {files[name]} has the same name; keep one of them")
        files[name] = file
    if not files:
        raise DataError(f"{path}: contains no label images (TIFF, PNG or Cellpose's _seg.npy)")
    left_out = [file.name for file in candidates if not _name_as_mask(file) and stem(file) not in files]
    return dict(sorted(files.items())), left_out if masks else []


def _by_name(labels: dict[str, np.ndarray | Path]) -> dict[str, np.ndarray | Path]:
    """A single file by its own name."""
    file = labels.get(SINGLE)
    return {_name(file): file} if isinstance(file, Path) and len(labels) == 1 else labels


def _name(file: Path) -> str:
    return _name_as_mask(file) or stem(file)


def _name_as_mask(file: Path) -> str | None:
    """Name of the image that a file of Cellpose holds the masks of."""
    if file.name.endswith(SEG_NPY):
        return unicodedata.normalize("NFC", file.name.removesuffix(SEG_NPY))
    return mask_stem(file)


def _some(names: Mapping[str, object]) -> str:
    listed = ["a single label image" if name == SINGLE else name for name in names]
    return listed[0] if len(listed) == 1 else f"{listed[0]}, … ({len(listed)} files)"
