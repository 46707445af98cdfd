"""Prediction of a folder of images: one label image per image, whatever happens to the others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np

from cards.errors import DataError, InputError, ModelError
from finetune.data.headers import Header, read_header
from finetune.data.images import read_image
from finetune.inference.outputs import (
    OTHER_FOLDER,
    SOFTWARE,
    Outputs,
    check_replaceable,
    clear_leftovers,
    plan_outputs,
)
from finetune.inference.preprocess import check_channels
from finetune.inference.protocol import Predictor
from finetune.utils.atomic import atomic_file, disk_errors
from finetune.utils.lock import try_lock


@dataclass(frozen=True)
class FolderPrediction:
    """Result of one image.

    Attributes:
        image: path of the image.
        labels: path of the label image that was written; None if the image failed.
        instances: number of instances; None if the image failed.
        error: why the image failed, in one line with its path; None if it did not.
        seconds: time from the file to the label image.
    """

    image: Path
    labels: Path | None
    instances: int | None
    error: str | None = None
    seconds: float | None = field(default=None, compare=False)


def predict_folder(
    model: Predictor, images: Path, out: Path, *, overwrite: bool = False
) -> Iterator[FolderPrediction]:
    """Predict the labels of each image and write them as `<name of the image>.tif`.

    Args:
        model: the model.
        images: a folder of images, or one image.
        out: folder of the label images, uint16 (int32 with more than 65,535 instances), compressed; it is
            created if it is missing.
        overwrite: replace label images that finetune wrote earlier. No other file is ever replaced.

    Yields:
        One result per image, in the order of the file names, as soon as its file is written; an image that
        cannot be read or does not fit the model has an error instead of labels.

    Raises:
        DataError: if there are no images, a label image would replace another file, or no image can be
            segmented. Paths and headers of all images are checked before the first prediction.
        InputError: if the disk is full or cannot be written.
    """
    outputs = plan_outputs(images, out, overwrite=overwrite)
    headers, errors = check_headers(outputs)
    yield from predict_outputs(model, outputs, headers, errors)


def check_headers(outputs: Outputs) -> tuple[dict[Path, Header], dict[Path, str]]:
    """Read the headers of all images.

    Args:
        outputs: the images.

    Returns:
        Headers, and errors of images that cannot be read, each by image.

    Raises:
        DataError: if no image can be read.
    """
    headers: dict[Path, Header] = {}
    errors: dict[Path, str] = {}
    for image in outputs.paths:
        try:
            headers[image] = read_header(image)
        except DataError as error:
            errors[image] = str(error)
    _refuse_if_all_failed(errors, outputs)
    return headers, errors


def predict_outputs(
    model: Predictor, outputs: Outputs, headers: dict[Path, Header], errors: dict[Path, str]
) -> Iterator[FolderPrediction]:
    """Predict the labels of each image of a plan; see `predict_folder`.

    Args:
        model: the model.
        outputs: images and paths of their label images.
        headers: of the images that can be read.
        errors: why the other images cannot be read, by image.

    Yields:
        One result per image, in order.

    Raises:
        DataError: if no image fits the model.
        InputError: if the disk is full or cannot be written.
    """
    errors = dict(errors)
    if getattr(model, "select", "auto") == "auto":  # otherwise the model selects channels
        for image, header in headers.items():
            try:
                check_channels(header.channels, model.channels)
            except DataError as error:
                errors[image] = f"{image}: {error}"
    _refuse_if_all_failed(errors, outputs)
    for out in {path.parent for path in outputs.paths.values()}:
        clear_leftovers(out)
    for image, path in outputs.paths.items():
        yield (
            FolderPrediction(image, None, None, errors[image])
            if image in errors
            else _predict(model, image, path, replace=path in outputs.replace)
        )


def _predict(model: Predictor, image: Path, path: Path, *, replace: bool) -> FolderPrediction:
    start = time.perf_counter()
    try:
        pixels = read_image(image)
        try:
            labels = model.predict(pixels)
        except ModelError:
            raise  # it concerns every image
        except InputError as error:
            raise DataError(f"{image}: {error}") from error
        except (MemoryError, RuntimeError) as error:  # torch reports missing memory as a RuntimeError
            if isinstance(error, RuntimeError) and "memory" not in str(error):
                raise
            raise DataError(f"{image}: not enough memory; cut the image into smaller ones") from error
        if labels.shape != pixels.shape[1:]:
            raise DataError(f"{image}: the model returns labels of {labels.shape}, not {pixels.shape[1:]}")
    except DataError as error:
        return FolderPrediction(image, None, None, str(error), time.perf_counter() - start)
    write_labels(labels, path, replace=replace)
    instances = int(labels.max(initial=0))
    return FolderPrediction(image, path, instances, seconds=time.perf_counter() - start)


def write_labels(labels: np.ndarray, path: Path, *, replace: bool = False) -> None:
    """Write a label image as a compressed TIFF that later calls recognize.

    Args:
        labels: (H, W) int32, 0 is background.
        path: the file. Its folder is created if it is missing.
        replace: replace an earlier label image of finetune, once the new one is complete.

    Raises:
        DataError: if the file exists and may not be replaced.
        InputError: if the disk is full or cannot be written; no partial file remains.
    """
    import tifffile

    dtype = "uint16" if labels.max(initial=0) < 2**16 else "int32"
    with disk_errors(path, OTHER_FOLDER), atomic_file(path) as partial:
        software = f"{SOFTWARE}, version {version('finetune')}"
        with partial.open("x+b") as file:
            try_lock(file.fileno())  # it tells `clear_leftovers` that the file is no leftover
            tifffile.imwrite(file, labels.astype(dtype), compression="zlib", software=software)
        if path.is_symlink() or path.exists():  # it may have come up since the paths were checked
            check_replaceable(path)
            if not replace:
                raise DataError(f"{path}: exists; {OTHER_FOLDER}")


def _refuse_if_all_failed(errors: dict[Path, str], outputs: Outputs) -> None:
    if len(errors) < len(outputs.paths):
        return
    first = next(errors[image] for image in outputs.paths)
    others = f" (and {len(errors) - 1} more images fail)" if len(errors) > 1 else ""
    raise DataError(f"{first}{others}")


def failure_summary(results: list[FolderPrediction]) -> str | None:
    """List the images that failed.

    Args:
        results: of all images.

    Returns:
        One line; None if no image failed.
    """
    failed = [result.image.name for result in results if result.error]
    return f"{len(failed)} of {len(results)} images failed: {', '.join(failed)}" if failed else None
