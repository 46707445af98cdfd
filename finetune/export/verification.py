"""Every artifact loaded again, as its reader would, and scored on test images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from cards.record import ExportCheck
from finetune.data.channels import select_channels
from finetune.data.patches import Sample
from finetune.export.crop import crop
from finetune.inference.bioimageio_runtime import open_weights
from finetune.inference.model import Model
from finetune.inference.tiling import TILE
from finetune.loading import load_model
from finetune.metrics.dice import dice
from finetune.repositories.bioimageio.package import open_package
from finetune.weights.checkpoint import WEIGHTS

TOLERANCE = 1e-3

Predict = Callable[[np.ndarray], np.ndarray]


def check_exports(run: Path, model: Model, samples: Iterable[Sample]) -> list[ExportCheck]:
    """Load each artifact of a run again and compare its Dice with the trained model's, image by image.

    They are equal when no image's Dice differs by more than 1e-3. Not 0: another runtime, or another
    device, adds up float32 in another order, which moves probabilities in the last digits, and now and
    then a pixel over 0.5 (in an image of 256 × 256 with a quarter of foreground, one pixel changes Dice
    by 3e-5). Weights that are not the same move it in the first digits.

    BioImage.IO packages take no image of any size, so they get the middle of each, no larger than a
    tile, and so does the trained model beside them: the figures are of these parts.

    Args:
        run: the run folder, with `huggingface/` and `bioimageio/*.zip` where they were written.
        model: as it was trained.
        samples: test images, at least one, all their channels, with reference labels of the kind that
            the model's target learns. They are kept in memory.

    Returns:
        A check for each artifact and weights format, whether it is equal or not.

    Raises:
        ModelError: if an artifact cannot be loaded.
    """
    samples = list(samples)
    checks = []
    if (run / "huggingface").is_dir():
        expected, got = _scores(samples, model.predict), _scores(samples, load_model(run).predict)
        checks.append(compare(f"huggingface/{WEIGHTS}", "safetensors", "finetune", expected, got))
    packages = sorted((run / "bioimageio").glob("*.zip"))
    if packages:
        parts = [_part(sample, model.divisor) for sample in samples]
        expected = _scores(parts, model.predict)
    for path in packages:
        package = open_package(path, check_files=True)
        for weights_format in package.formats:
            with open_weights(package, weights_format) as predict:
                got = _scores(parts, _reader(model, predict))
            artifact = path.relative_to(run).as_posix()
            checks.append(compare(artifact, weights_format, "bioimageio.core", expected, got))
    return checks


def _part(sample: Sample, divisor: int) -> Sample:
    """The middle of a sample, in a size that packages take."""
    return Sample(sample.name, crop(sample.pixels, divisor, TILE), crop(sample.labels, divisor, TILE))


def _reader(model: Model, package: Predict) -> Predict:
    """Pixels -> labels, by a package; where it gives maps, what goes after them is the model's own."""

    def read(pixels: np.ndarray) -> np.ndarray:
        output = package(select_channels(pixels, model.select))
        return output[0] if model.target.exports_labels else model.target.decode(output)

    return read


def _scores(samples: Sequence[Sample], predict: Predict) -> np.ndarray:
    return np.array([dice(predict(sample.pixels), sample.labels) for sample in samples])


def compare(
    artifact: str, weights_format: str, tool: str, expected: np.ndarray, got: np.ndarray
) -> ExportCheck:
    """An artifact's Dice, image by image, with the trained model's.

    Args:
        artifact: path in the run folder.
        weights_format: that of its weights.
        tool: the package that loaded it.
        expected: of the trained model, (images,).
        got: of the artifact, (images,).
    """
    return ExportCheck(
        artifact=artifact,
        format=weights_format,
        loaded_by=f"{tool} {version(tool)}",
        images=len(got),
        dice=float(got.mean()),
        trained_dice=float(expected.mean()),
        equal=bool(np.all(np.abs(got - expected) <= TOLERANCE)),
        tolerance=TOLERANCE,
    )
