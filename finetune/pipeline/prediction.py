"""Prediction from Python: one image or files, with a model or the place where one is stored."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cards.errors import DataError
from cards.paths import expand_user
from finetune.inference.extras.registry import parse_kinds
from finetune.inference.folder import FolderPrediction, check_headers, failure_summary
from finetune.inference.outputs import LabelFormat, parse_format, plan_outputs
from finetune.inference.protocol import Predictor
from finetune.loading import load
from finetune.loading.precision import AskedPrecision
from finetune.pipeline.prediction_job import PredictionJob
from finetune.pipeline.prediction_models import Member, choose_channels, load_models


def predict(
    model: Predictor | Path | str | Sequence[Path | str],
    images: np.ndarray | Path | str | Sequence[Path | str],
    out: Path | str | None = None,
    *,
    overwrite: bool = False,
    trust: bool = False,
    label_format: LabelFormat = "tiff",
    save: str | Sequence[str] = (),
    planes: bool = False,
    precision: AskedPrecision = "auto",
    channels: Sequence[int] = (),
) -> np.ndarray | list[FolderPrediction]:
    """Segment images.

        labels = finetune.predict("runs/quickstart", image)
        finetune.predict("runs/quickstart", "images/", out="labels/")
        finetune.predict(["runs/a", "runs/b"], "images/*.tif", out="labels/", save=["measurements"])

    Args:
        model: a model from `finetune.load`, or what `load` takes: a run folder, a BioImage.IO package, or the
            id of a model on the Hugging Face Hub; or several of them, which form an ensemble.
        images: an image (H, W), (C, H, W) or (H, W, C) of any numeric dtype; or image files, folders of
            images and patterns such as "images/*.tif".
        out: folder for the label images, one per image; required for files. It is created if missing.
        overwrite: replace files that finetune wrote to `out` earlier. No other file is ever replaced.
        trust: allow TorchScript that could read or write files; see `load`. It applies to a model that is
            loaded here.
        label_format: "tiff" or "ome-zarr".
        save: further outputs: "measurements", "overlays", "outlines", "probabilities", "geojson", "rois".
        planes: segment each plane of a z-stack or time series.
        precision: in which the network runs; see `load`. It applies to a model that is loaded here.
        channels: of the images that the model sees, by index from 0; those of the training if empty.

    Returns:
        For an array: labels (H, W) int32, 0 is background. For files: image, label image and number of
        instances of each. An image that cannot be read or does not fit the model has an error instead, and
        a warning lists all of them. Images that differ from the training images are a warning, too.

    Raises:
        ModelError: if the model cannot be loaded.
        DataError: if there are no images, a file would replace one of another program, or no image
            can be segmented.
        ValueError: if `out` is missing for files, or given for an array, or `channels` for a loaded model.
    """
    if channels and isinstance(model, Predictor):
        raise ValueError("channels are for a model that is loaded here; set model.select")
    if isinstance(images, np.ndarray):
        if out is not None or save or planes:
            raise ValueError("out, save and planes are for image files; the labels of an array are returned")
        predictor = model if isinstance(model, Predictor) else load(model, trust=trust, precision=precision)
        choose_channels(predictor, channels)
        return predictor.predict(images)
    if not isinstance(images, str | Path) and any(isinstance(image, np.ndarray) for image in images):
        raise DataError("images: holds several arrays; call predict for each of them")
    if out is None:
        raise ValueError("out: name the folder for the label images")
    sources = (
        [] if isinstance(model, Predictor) else [model] if isinstance(model, str | Path) else list(model)
    )
    outputs = plan_outputs(
        images,
        expand_user(out),
        overwrite=overwrite,
        label_format=parse_format(label_format),
        save=parse_kinds(save if isinstance(save, str) else ",".join(save)),
        planes=planes,
        card=len(sources) > 1,
    )
    headers, errors = check_headers(outputs)
    members: list[Member] = []
    if isinstance(model, Predictor):
        predictor = model
    else:
        predictor, members = load_models(
            [str(source) for source in sources], trust=trust, precision=precision, channels=channels
        )
    job = PredictionJob(predictor, members, outputs, headers, errors, channels=channels)
    results = list(job.run())
    for warning in (*job.comparison.warnings, failure_summary(results)):
        if warning:
            warnings.warn(warning, stacklevel=2)
    return results
