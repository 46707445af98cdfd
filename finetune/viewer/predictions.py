"""Test images of runs with reference and prediction, found in the folders given with --data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cards.errors import DataError, InputError
from cards.fingerprint import sha256_file
from cards.metrics import PRIMARY
from cards.record import DataFile, RunRecord
from finetune.viewer.library import Item, Library, images_of, inside

if TYPE_CHECKING:
    from finetune.inference.protocol import Predictor

PREDICTIONS_KEPT = 64


@dataclass(frozen=True)
class Located:
    """A test image on disk.

    Attributes:
        image: path of the image.
        label: path of the label image.
        file: what the record states about both.
        note: what to know about the file, such as that it differs from the record; empty if nothing.
    """

    image: Path
    label: Path
    file: DataFile
    note: str


def test_images(records: dict[str, RunRecord]) -> list[str]:
    """Names of the test images of the first run that has scores, the lowest Dice first.

    Args:
        records: by key of the run.

    Returns:
        Names in that run.
    """
    for record in records.values():
        if record.accuracy:
            scores = record.accuracy.after.scores
            return [
                one.image
                for one in sorted(scores, key=lambda one: (one.metrics.get(PRIMARY, 0.0), one.image))
            ]
    return []


def file_of(record: RunRecord, pixels: str) -> DataFile | None:
    """Find an image in a record by its pixels, because runs may name it differently.

    Args:
        record: the run.
        pixels: hash of the pixels.

    Returns:
        The entry; None if the data of the run do not include the image.
    """
    return next((file for file in record.data.files if file.image_pixels == pixels), None)


def locate(library: Library, file: DataFile) -> Located:
    """Find image and label image below the folders given with --data.

    Args:
        library: the items of the page.
        file: the entry of the record.

    Returns:
        Both paths.

    Raises:
        InputError: if no folder was given, or none holds the image.
    """
    if not library.data:
        raise InputError("start finetune view with --data DIR, the folder with the images, to see them")
    for folder in library.data:
        image, label = _below(folder, file.image), _below(folder, file.label)
        if image.exists() and inside(image, [folder]):
            found = label.exists() and inside(label, [folder])
            notes = (
                [] if _is_same(image, file.image_sha256) else ["the image differs from the one of the record"]
            )
            if not found:
                notes.append("the label image is missing")
            elif not _is_same(label, file.label_sha256):
                notes.append("the label image differs from the one of the record")
            return Located(image, label if found else image, file, "; ".join(notes))
    raise InputError(f"{file.image}: not below the folder given with --data; give data.root of the recipe")


def _is_same(path: Path, sha256: str) -> bool:
    return path.is_dir() or _hash(path, path.stat().st_mtime_ns) == sha256


def _below(folder: Path, recorded: str) -> Path:
    """Path of a file of a record. `folder` may be data.root, or a folder below it such as data.root/test."""
    path = Path(recorded)
    for count in range(len(path.parts) - 1, 0, -1):
        if folder.resolve().parts[-count:] == path.parts[:count]:
            shortened = folder / Path(*path.parts[count:])
            if shortened.exists():
                return shortened
    return folder / path


def score(record: RunRecord, name: str) -> float | None:
    """Dice of an image after training.

    Args:
        record: the run.
        name: name of the image in that run.

    Returns:
        The Dice; None if it was not measured.
    """
    scores = record.accuracy.after.scores if record.accuracy else []
    return next((one.metrics.get(PRIMARY) for one in scores if one.image == name), None)


def reference(located: Located) -> np.ndarray | None:
    """Read the reference.

    Args:
        located: the image.

    Returns:
        (H, W) int32; None if there is no label image.

    Raises:
        DataError: if it cannot be read.
    """
    from finetune.data.annotations.registry import read_pair_labels

    if located.label == located.image and not located.image.is_dir():
        return None
    return read_pair_labels(located.image, located.label, located.file.page)


def existing_prediction(library: Library, run: str, located: Located) -> Path | None:
    """Find a label image of a run, in a folder of the same name as the run.

    Args:
        library: the items of the page.
        run: key of the run.
        located: the image.

    Returns:
        Path of the label image; None if there is none, and the model has to be run.
    """
    from finetune.data.layouts import mask_stem, stem

    name, given = Path(run).name, {located.image.resolve(), located.label.resolve()}
    for item in library.of("images"):
        if item.path.name == name:
            for path in images_of(item):
                if path.resolve() not in given and stem(located.image) in (stem(path), mask_stem(path)):
                    return path
    return None


def predict(item: Item, located: Located) -> np.ndarray:
    """Segment an image with the model of a run, which takes as long as `finetune predict`.

    Args:
        item: the run.
        located: the image.

    Returns:
        (H, W) int32, 0 is background.

    Raises:
        InputError: if the model cannot be loaded or does not take the image.
    """
    return _predict(item.path, item.path.stat().st_mtime_ns, located.image, located.file.page)


@lru_cache(maxsize=PREDICTIONS_KEPT)
def _predict(run: Path, modified: int, image: Path, page: int | None) -> np.ndarray:
    from finetune.data.images import read_image

    try:
        return _model(run, modified).predict(read_image(image, page))
    except InputError:
        raise
    except Exception as error:
        raise DataError(f"{run.name}: the model failed on {image.name}: {error}") from error


@lru_cache(maxsize=2)
def _model(run: Path, modified: int) -> Predictor:
    from finetune.loading import load

    return load(run)


@lru_cache(maxsize=1024)
def _hash(path: Path, modified: int) -> str:
    return sha256_file(path)
