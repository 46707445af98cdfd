"""Run and test BioImage.IO packages with bioimageio.core, one weights format at a time."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from finetune.repositories.bioimageio.collection import open_package
from finetune.repositories.bioimageio.messages import quiet
from finetune.repositories.bioimageio.package import Package, read_file
from finetune.weights.onnx_check import check_onnx
from finetune.weights.torchscript_check import load_torchscript

if TYPE_CHECKING:
    from bioimageio.core import PredictionPipeline
    from bioimageio.spec.model.v0_5 import ModelDescr

# Test tensors are made and compared on the CPU, for which ONNX Runtime has its own name.
DEVICES = {"onnx": ["CPUExecutionProvider"]}
CPU = ["cpu"]


def run_test(path: Path, *, trust: bool = False) -> None:
    """Run `bioimageio test` for each weights format: the description is valid, the test output reproduced.

    The architecture of a state dict is code in the package, which this executes.

    Args:
        path: the zip.
        trust: skip the check of what the weights can do, see `check_weights`.

    Raises:
        ModelError: if it is not a valid package of a model.
        RuntimeError: if a test fails; names the first one, and the reason.
    """
    from bioimageio.core import test_model

    package = open_package(path, check_files=True)
    with quiet(), _quick_to_unload(), _random_numbers_kept():
        for name in package.formats:
            devices, description = DEVICES.get(name, CPU), check_weights(package, name, trust=trust)
            summary = test_model(description, weight_format=name, devices=devices)  # type: ignore[arg-type]
            for detail in summary.details:
                if detail.status == "failed":
                    reason = "; ".join(" ".join(error.msg.split()) for error in detail.errors)
                    raise RuntimeError(
                        f"{path.name} does not pass `bioimageio test`: {detail.name}: {reason}"
                    )


@contextlib.contextmanager
def open_weights(
    package: Package, weights_format: str, *, trust: bool = False
) -> Iterator[Callable[[np.ndarray], np.ndarray]]:
    """Load one weights format; it is unloaded when the block ends.

    Args:
        package: the package.
        weights_format: one of `package.formats`.
        trust: skip the check of what the weights can do, see `check_weights`.

    Yields:
        A function from raw pixels (C, H, W), height and width multiples of the divisor, to maps (K, H, W)
        float32, or to labels (1, H, W) for a package that returns labels, including the package's pre- and
        post-processing.
    """
    from bioimageio.core import AxisId
    from bioimageio.core.digest_spec import create_sample_for_model

    with quiet(), _quick_to_unload():
        pipeline = create_pipeline(package, weights_format, trust=trust)

        def run(pixels: np.ndarray) -> np.ndarray:
            sample = create_sample_for_model(package.description, inputs=pixels[None].astype(np.float32))
            output = pipeline.predict_sample_without_blocking(
                sample, skip_input_padding=True, skip_output_cropping=True
            )
            (maps,) = output.members.values()
            return maps.transpose([AxisId(axis) for axis in ("batch", "channel", "y", "x")]).to_numpy()[0]

        with pipeline:
            yield run


def create_pipeline(package: Package, weights_format: str, *, trust: bool = False) -> PredictionPipeline:
    """Create bioimageio.core's pipeline for one weights format, on the CPU.

    Args:
        package: the package.
        weights_format: one of `package.formats`.
        trust: skip the check of what the weights can do, see `check_weights`.

    Returns:
        The pipeline, not loaded yet.

    Raises:
        ModelError: if the weights are damaged or could touch files.
    """
    from bioimageio.core import create_prediction_pipeline

    return create_prediction_pipeline(
        check_weights(package, weights_format, trust=trust),
        weights_format=weights_format,  # type: ignore[arg-type]
        devices=DEVICES.get(weights_format, CPU),
    )


def check_weights(package: Package, weights_format: str, *, trust: bool = False) -> ModelDescr:
    """Check one weights file before bioimageio.core loads it.

    Args:
        package: the package.
        weights_format: one of `package.formats`.
        trust: skip the check of TorchScript operators; for models whose author the user trusts.

    Returns:
        The description with the SHA-256 of the checked bytes, so that bioimageio.core refuses any others.

    Raises:
        ModelError: if the file is damaged, or TorchScript could touch files, or ONNX refers to other files.
    """
    from bioimageio.spec.model.v0_5 import Sha256

    description = package.description
    entry = getattr(description.weights, weights_format)
    content, sha256 = read_file(package, entry)
    where = f"{package.source}: {Path(str(entry.source)).name}"
    if weights_format == "torchscript":
        load_torchscript(content, where, trust=trust)
    elif weights_format == "onnx":
        check_onnx(content, where)
    pinned = entry.model_copy(update={"sha256": Sha256(sha256)})
    weights = description.weights.model_copy(update={weights_format: pinned})
    return description.model_copy(update={"weights": weights})


@contextlib.contextmanager
def _quick_to_unload() -> Iterator[None]:
    """Exempt existing objects from garbage collection, which bioimageio.core runs when it unloads weights.

    With torch imported, each collection would take a second.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextlib.contextmanager
def _random_numbers_kept() -> Iterator[None]:
    """Restore random states and determinism, because `test_model` seeds numpy and torch."""
    import torch

    state, deterministic = np.random.get_state(), torch.are_deterministic_algorithms_enabled()
    try:
        with torch.random.fork_rng(range(torch.cuda.device_count())):
            yield
    finally:
        np.random.set_state(state)
        torch.use_deterministic_algorithms(deterministic)
