"""Verification of exports: every exported file is reloaded and scored on test images."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from cards.evidence import EXPORT_TOLERANCE
from cards.record import ExportCheck
from finetune.data.reader import Sample
from finetune.export.base import ReloadedExport
from finetune.export.crop import crop
from finetune.export.registry import EXPORTERS
from finetune.inference.protocol import Predictor
from finetune.inference.tiling import TILE
from finetune.metrics.dice import dice

Score = Callable[[Any, Sample], float]


def label_dice(model: Predictor, sample: Sample) -> float:
    """Dice of predicted labels.

    Args:
        model: the trained model, or a reloaded one.
        sample: an image with reference labels.

    Returns:
        Dice of the foreground, from 0 to 1.
    """
    return dice(model.predict(sample.pixels), sample.labels)


def check_exports(
    run: Path,
    model: Any,
    samples: Iterable[Sample],
    score: Score = label_dice,
    verified: Callable[[], None] = lambda: None,
) -> list[ExportCheck]:
    """Reload each exported file of a run and compare its Dice with the trained model's, image by image.

    The two are equal if no image's Dice differs by more than 1e-3. Not 0: another runtime, or another
    device, sums float32 in another order, which changes the last digits of probabilities, and occasionally
    moves a pixel across 0.5 (in an image of 256 × 256 with a quarter of foreground, one pixel changes Dice
    by 3e-5). Other weights change the first digits.

    A file that is run in float32 is compared with the trained model in float32, whatever its precision.

    BioImage.IO packages do not take images of any size. They get the center of each image, no larger than a
    tile, and so does the trained model: these scores are those of the crops.

    Args:
        run: the run folder, with a subfolder per exporter that wrote something.
        model: the trained model.
        samples: test images with all their channels and with reference labels of the kind that the model
            learned. They are kept in memory.
        score: Dice of one image, of the trained model or a reloaded one.
        verified: called after each exporter.

    Returns:
        A check per file and weights format, equal or not; none without test images.

    Raises:
        InputError: if a file cannot be loaded.
    """
    samples = list(samples)
    if not samples:
        return []
    images: dict[bool, Sequence[Sample]] = {False: samples}
    expected: dict[tuple[bool, str], np.ndarray] = {}  # by whether images are cropped, and precision
    checks = []
    for name, exporter in EXPORTERS.items():
        for export in exporter.reload(run / name, model):
            if export.cropped not in images:
                images[True] = [_crop(sample, model.divisor) for sample in samples]
            shown = images[export.cropped]
            key = (export.cropped, getattr(export.model, "precision", "float32"))
            if key not in expected:
                expected[key] = _scores(_in_precision(model, key[1]), shown, score)
            scores = _scores(export.model, shown, score)
            checks.append(_compare(run, export, expected[key], scores))
        verified()
    return checks


def describe_differences(checks: Iterable[ExportCheck]) -> list[str]:
    """Warnings about exports that do not reproduce the trained model.

    Args:
        checks: as `check_exports` returns them.

    Returns:
        One sentence per check that is not equal.
    """
    return [
        f"{check.artifact} ({check.format}) does not reproduce the trained model: its Dice is "
        f"{check.dice:.4f}, the trained model's {check.trained_dice:.4f}"
        for check in checks
        if not check.equal
    ]


def _in_precision(model: Any, precision: str) -> Any:
    """The trained model, in the precision of the file that it is compared with."""
    if getattr(model, "precision", precision) == precision:
        return model
    return dataclasses.replace(model, precision=precision)


def _crop(sample: Sample, divisor: int) -> Sample:
    """The center of a sample, in a size that packages take."""
    return Sample(sample.name, crop(sample.pixels, divisor, TILE), crop(sample.labels, divisor, TILE))


def _scores(model: Any, samples: Sequence[Sample], score: Score) -> np.ndarray:
    return np.array([score(model, sample) for sample in samples])


def _compare(run: Path, export: ReloadedExport, expected: np.ndarray, scores: np.ndarray) -> ExportCheck:
    return ExportCheck(
        artifact=export.path.relative_to(run).as_posix(),
        format=export.format,
        loaded_by=_with_version(export.tool),
        images=len(scores),
        dice=float(scores.mean()),
        trained_dice=float(expected.mean()),
        equal=bool(np.all(np.abs(scores - expected) <= EXPORT_TOLERANCE)),
        tolerance=EXPORT_TOLERANCE,
    )


def _with_version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:  # a module that no package manager installed
        return package
