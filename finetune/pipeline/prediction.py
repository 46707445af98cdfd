"""Prediction from Python: one image or a folder, with a model or the place where one is stored."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from finetune.inference.folder import FolderPrediction, failure_summary, predict_folder
from finetune.inference.protocol import Predictor
from finetune.loading import load


def predict(
    model: Predictor | Path | str,
    images: np.ndarray | Path | str,
    out: Path | str | None = None,
    *,
    overwrite: bool = False,
    trust: bool = False,
) -> np.ndarray | list[FolderPrediction]:
    """Segment images.

        labels = finetune.predict("runs/quickstart", image)
        finetune.predict("runs/quickstart", "images/", out="labels/")

    Args:
        model: a model from `finetune.load`, or what `load` takes: a run folder, a BioImage.IO package, or the
            id of a model on the Hugging Face Hub.
        images: an image (H, W), (C, H, W) or (H, W, C) of any numeric dtype; or an image file or a folder.
        out: folder for the label images, one TIFF per image; required for files. It is created if missing.
        overwrite: replace label images that finetune wrote to `out` earlier. No other file is ever replaced.
        trust: allow TorchScript that could read or write files; see `load`. It applies to a model that is
            loaded here.

    Returns:
        For an array: labels (H, W) int32, 0 is background. For files: image, label image and number of
        instances of each. An image that cannot be read or does not fit the model has an error instead, and
        a warning lists all of them.

    Raises:
        ModelError: if the model cannot be loaded.
        DataError: if there are no images, a label image would replace another file, or no image
            can be segmented.
        ValueError: if `out` is missing for files, or given for an array.
    """
    predictor = load(model, trust=trust) if isinstance(model, str | Path) else model
    if isinstance(images, np.ndarray):
        if out is not None:
            raise ValueError("out is for image files; the labels of an array are returned")
        return predictor.predict(images)
    if out is None:
        raise ValueError("out: name the folder for the label images")
    places = (Path(images).expanduser(), Path(out).expanduser())
    results = list(predict_folder(predictor, *places, overwrite=overwrite))
    if summary := failure_summary(results):
        warnings.warn(summary, stacklevel=2)
    return results
