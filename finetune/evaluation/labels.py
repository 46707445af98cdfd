"""Evaluation of label images that exist already, whatever tool made them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cards.errors import DataError
from cards.scores import Summary
from finetune.data.images import is_image, read_labels
from finetune.metrics.registry import compute_metrics
from finetune.metrics.summary import spread

Labels = np.ndarray | Sequence[np.ndarray] | Path | str


@dataclass(frozen=True)
class Evaluation:
    """Metrics of label images.

    Attributes:
        images: values by name of the metric, by name of the image: dice, ap50, ap75, ap90 and pq.
        summary: mean, population standard deviation and median over images, by name of the metric.
    """

    images: Mapping[str, Mapping[str, float]]
    summary: Mapping[str, Summary]


def evaluate(predictions: Labels, reference: Labels) -> Evaluation:
    """Compare predicted label images with reference label images.

    Dice is computed on the foreground; AP at IoU thresholds of 0.5, 0.75 and 0.9 and PQ on instances.

        result = finetune.evaluate("labels/", "reference/")
        result.summary["dice"].mean

    Args:
        predictions: a label image (H, W) of integers (0 is background), a sequence of label images, an image
            file, or a folder of image files.
        reference: the same for the reference; files are matched by name without suffix.

    Returns:
        Metrics per image and their summary.

    Raises:
        DataError: if there are no images, an image has no counterpart, a file cannot be read, or shapes
            differ.
    """
    predicted, expected = _load(predictions), _load(reference)
    if not predicted:
        raise DataError("predictions: no label images")
    if unmatched := sorted(predicted.keys() ^ expected.keys()):
        side = "reference" if unmatched[0] in predicted else "prediction"
        raise DataError(f"{unmatched[0]}: has no {side} ({len(unmatched)} images without a counterpart)")
    images = {name: _compare(name, predicted[name], expected[name]) for name in predicted}
    names = next(iter(images.values()))
    summary = {name: spread([values[name] for values in images.values()]) for name in names}
    return Evaluation(images, summary)


def _compare(name: str, predicted: np.ndarray | Path, expected: np.ndarray | Path) -> dict[str, float]:
    labels, reference = _read(predicted), _read(expected)
    for array in (labels, reference):
        if array.ndim != 2 or array.dtype.kind not in "iub":
            raise DataError(f"{name}: a label image is a 2D integer array, got {array.dtype} {array.shape}")
    if labels.shape != reference.shape:
        raise DataError(f"{name}: the prediction has shape {labels.shape}, the reference {reference.shape}")
    return compute_metrics(labels, reference)


def _read(source: np.ndarray | Path) -> np.ndarray:
    return read_labels(source) if isinstance(source, Path) else source


def _load(source: Labels) -> dict[str, np.ndarray | Path]:
    """Label images or their files, by name; a file is read when it is compared."""
    if isinstance(source, np.ndarray):
        return {"0": source}
    if not isinstance(source, str | Path):
        return {str(index): np.asarray(labels) for index, labels in enumerate(source)}
    path = Path(source)
    if path.is_file():
        return {"0": path}
    if not path.is_dir():
        raise DataError(f"{path}: no such file or folder")
    files: dict[str, np.ndarray | Path] = {}
    for file in sorted(filter(is_image, path.glob("*"))):
        if file.stem in files:
            raise DataError(f"{file}: another label image in this folder is called {file.stem}, too")
        files[file.stem] = file
    return files
