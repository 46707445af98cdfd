"""Prediction of a folder of images: one label image per image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cards.errors import DataError
from finetune.data.images import is_image, read_image
from finetune.inference.protocol import Predictor
from finetune.utils.atomic import atomic_file


@dataclass(frozen=True)
class FolderPrediction:
    """Result of one image.

    Attributes:
        image: path of the image.
        labels: path of the label image that was written.
        instances: number of instances.
    """

    image: Path
    labels: Path
    instances: int


def predict_folder(model: Predictor, images: Path, out: Path) -> Iterator[FolderPrediction]:
    """Predict the labels of each image and write them as `<name of the image>.tif`.

    Args:
        model: the model.
        images: a folder of images, or one image.
        out: folder of the label images, uint16 (int32 with more than 65,535 instances), compressed; it is
            created if it is missing, and files of the same names are replaced.

    Yields:
        One result per image, in the order of the file names, as soon as its file is written.

    Raises:
        DataError: if there are no images, a label image would replace an image or another label image, or an
            image cannot be read or does not fit the model. Paths are checked before the first prediction.
    """
    outputs = output_paths(images, out)
    out.mkdir(parents=True, exist_ok=True)
    for image, path in outputs.items():
        labels = model.predict(read_image(image))
        write_labels(labels, path)
        yield FolderPrediction(image, path, int(labels.max(initial=0)))


def output_paths(images: Path, out: Path) -> dict[Path, Path]:
    """Path of the label image of each image.

    Args:
        images: a folder of images, or one image.
        out: folder of the label images.

    Returns:
        Output paths by image, in the order of the file names.

    Raises:
        DataError: if there are no images, or a label image would replace an image or another label image.
    """
    files = [images] if images.is_file() else sorted(filter(is_image, images.glob("*")))
    if not files:
        raise DataError(f"{images}: contains no images")
    originals, sources = {image.resolve() for image in files}, dict[Path, Path]()
    for image in files:
        path = out / f"{image.stem}.tif"
        if path in sources:
            raise DataError(
                f"{sources[path]} and {image}: both label images would be {path}; rename one of the images"
            )
        if path.resolve() in originals:
            raise DataError(f"{image}: its label image would replace the image {path}; choose another folder")
        sources[path] = image
    return {image: path for path, image in sources.items()}


def write_labels(labels: np.ndarray, path: Path) -> None:
    """Write a label image as a compressed TIFF.

    Args:
        labels: (H, W) int32, 0 is background.
        path: the file; an existing one is replaced once the new one is complete.
    """
    import tifffile

    dtype = "uint16" if labels.max(initial=0) < 2**16 else "int32"
    with atomic_file(path) as partial:
        tifffile.imwrite(partial, labels.astype(dtype), compression="zlib")
