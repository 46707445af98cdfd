"""Segmentation of one image file: every plane that is asked for, and the maps where they are saved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from cards.errors import DataError, InputError, ModelError
from finetune.data.calibration import read_calibration
from finetune.data.images import page_count, read_image
from finetune.inference.extras.registry import Segmented
from finetune.inference.map_models import label_content, map_names, predict_with_maps
from finetune.inference.protocol import Predictor


def segment_file(model: Predictor, image: Path, *, planes: bool = False, maps: bool = False) -> Segmented:
    """Read an image file and segment it.

    Args:
        model: the model.
        image: the file.
        planes: segment each plane of a stack by itself; instances are numbered from 1 in each.
        maps: keep the maps, too.

    Returns:
        Pixels, labels and maps of each plane.

    Raises:
        DataError: if the image cannot be read, does not fit the model, or takes too much memory.
        ModelError: if the model cannot predict any image, or maps are asked for and it predicts none.
    """
    calibration = read_calibration(image)
    count = page_count(image) if planes else 1
    if count == 1:
        calibration = calibration._replace(axes="", planes=())
    pixels: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    kept: list[np.ndarray] = []
    for index in range(count):
        plane = read_image(image, index if count > 1 else None)
        predicted, predicted_maps = _predict(model, plane, image, maps)
        pixels.append(plane)
        labels.append(predicted)
        if predicted_maps is not None:
            kept.append(predicted_maps)
    return Segmented(
        image.name,
        calibration,
        pixels,
        np.stack(labels),
        kept,
        map_names(model) if maps else (),
        stack=planes,
        content=label_content(model),
    )


def _predict(model: Any, pixels: np.ndarray, image: Path, maps: bool) -> tuple[np.ndarray, np.ndarray | None]:
    with prediction_errors(image):
        labels, predicted_maps = predict_with_maps(model, pixels) if maps else (model.predict(pixels), None)
    if labels.shape != pixels.shape[1:]:
        raise DataError(f"{image}: the model returns labels of {labels.shape}, not {pixels.shape[1:]}")
    return labels, predicted_maps


@contextmanager
def prediction_errors(image: Path) -> Iterator[None]:
    """Name the image in the errors of its prediction.

    Args:
        image: the file.

    Yields:
        Once, for the prediction.

    Raises:
        DataError: if the image does not fit the model or takes too much memory.
        ModelError: if the model cannot predict any image.
    """
    try:
        yield
    except ModelError:
        raise  # it concerns every image
    except InputError as error:
        raise DataError(f"{image}: {error}") from error
    except (MemoryError, RuntimeError) as error:  # torch reports missing memory as a RuntimeError
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise
        raise DataError(f"{image}: not enough memory; cut the image into smaller ones") from error
