"""Run an audited model again: on its test images, and on the test input of its package.

An audit trusts nobody: TorchScript whose operators could touch files is not run.
"""

from __future__ import annotations

import dataclasses
import io
import time
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cards.audit.claims import Prediction
from cards.audit.packages import HUB_PACKAGE
from cards.record import RunRecord
from cards.scores import ImageScore
from finetune.data.reader import Reader, Sample
from finetune.evaluation.evaluate import score
from finetune.inference.bioimageio_runtime import open_weights
from finetune.inference.model import Model
from finetune.inference.package_path import is_package
from finetune.loading import load
from finetune.pipeline.audit_data import locate
from finetune.prompts.evaluation import evaluate_automatic
from finetune.prompts.model import PromptedModel
from finetune.repositories.bioimageio.collection import open_package
from finetune.repositories.bioimageio.package import Package, read_file
from finetune.repositories.reloading import Reloaded, reload_weights
from finetune.weights.checkpoint import WEIGHTS

WITH_CODE = "pytorch_state_dict"
"""Format whose architecture is code in the package. An audit executes none, but compares the tensors."""


def recompute(folder: Path, data: Path, record: RunRecord) -> list[Prediction]:
    """Segment the test images again and score them; see `cards.audit.claims.Tools`.

    The network runs in the recorded precision, also on a processor that has to emulate it.

    Args:
        folder: of the model.
        data: folder of the images.
        record: of the run.

    Returns:
        Scores and times of each image.

    Raises:
        InputError: if the model cannot be loaded, or an image is missing.
    """
    precision = record.inference.precision if record.inference else "float32"
    model: Any = load(folder, trust=False, precision=precision)
    if torch.cuda.is_available():
        model.network.to("cuda")
    reader = Reader(model.target, model.normalize, record.data.labels, model.select)
    samples = (reader(pair) for _, pair in locate(data, record, ["test"]))
    images = record.accuracy.images if record.accuracy else 0
    if isinstance(model, PromptedModel):
        measured = evaluate_automatic(model, samples, images)
        scores = measured.scores if measured else []
    else:
        scores = [_predict(model, sample) for sample in islice(samples, images)]
    return [Prediction(score.image, score.metrics, score.seconds) for score in scores]


def _predict(model: Model, sample: Sample) -> ImageScore:
    """Predict and score one image as `evaluation.evaluate` does, without its warm-up and its counts."""
    start = time.perf_counter()
    labels = model.target.decode(model.predict_maps(model.prepare(sample.pixels)))
    return score(model, sample, labels, time.perf_counter() - start)


def compare_weights(folder: Path, record: RunRecord) -> dict[str, float]:
    """Run all files of weights on the test input of each package; see `cards.audit.claims.Tools`.

    Args:
        folder: of the model.
        record: of the run.

    Returns:
        How much each output differs from the recorded one, by path; empty without a package.

    Raises:
        InputError: if a file is damaged, or TorchScript uses operators that are not allowed.
    """
    found: dict[str, float] = {}
    hub = folder / "huggingface" if (folder / "huggingface").is_dir() else folder
    for path in _packages(folder):
        package = open_package(path, check_files=False)
        pixels, expected = _test_tensors(package, record)
        place = path.relative_to(folder).as_posix().removeprefix(".")
        for name in package.formats:
            if name == WITH_CODE:
                continue
            with open_weights(package, name, trust=False) as run:
                found[f"{place}, {name}".removeprefix(", ")] = _difference(run(pixels), expected)
        if (hub / WEIGHTS).is_file():
            model = load(hub, trust=False)
            if isinstance(model, Model):
                found[(hub / WEIGHTS).relative_to(folder).as_posix()] = _difference(
                    _output(model, pixels), expected
                )
                if native := _native(folder, model):
                    found[native.path.relative_to(folder).as_posix()] = _difference(
                        _output(dataclasses.replace(model, network=native.network.eval()), pixels), expected
                    )
    return found


def _native(folder: Path, model: Model) -> Reloaded | None:
    """The network in the format of its repository, if finetune can load that format."""
    return reload_weights(folder / "native", model.architecture, model.channels, model.target.channels)


def _packages(folder: Path) -> list[Path]:
    unpacked = [path for path in (folder, folder / HUB_PACKAGE) if is_package(path)]
    return [*sorted((folder / "bioimageio").glob("*.zip")), *unpacked]


def _test_tensors(package: Package, record: RunRecord) -> tuple[np.ndarray, np.ndarray]:
    """Test input (C, H, W) and output (K, H, W) of a package."""
    tensors = []
    for part in (package.description.inputs[0], package.description.outputs[0]):
        content, _ = read_file(package, part.test_tensor)
        tensors.append(np.load(io.BytesIO(content), allow_pickle=False))
    output = np.einsum(f"{record.model.target.exported_axes or 'bcyx'}->bcyx", tensors[1])
    return tensors[0][0], output[0]


def _output(model: Model, pixels: np.ndarray) -> np.ndarray:
    """Output of the exported weights as the package defines it."""
    model = dataclasses.replace(model, select="auto")  # the test input holds the selected channels only
    with torch.no_grad():
        output = model.target.activate(model.network(model.prepare(pixels)[None]))[0].numpy()
    return model.target.decode(output)[None] if model.target.exports_labels else output


def _difference(found: np.ndarray, expected: np.ndarray) -> float:
    """Fraction of other labels, or the largest difference relative to the largest value."""
    if found.shape != expected.shape:
        return float("inf")
    if expected.dtype.kind in "iu":
        return float(np.mean(found != expected))
    difference = np.abs(found.astype(np.float64) - expected).max()
    return float(difference / max(1.0, float(np.abs(expected).max())))
