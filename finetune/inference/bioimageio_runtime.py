"""A BioImage.IO package read as others read it: by bioimageio.core, one weights format at a time."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cards.errors import ModelError
from finetune.weights.torchscript import deprecation_ignored

if TYPE_CHECKING:
    from bioimageio.spec.model.v0_5 import ModelDescr

# Test tensors are made on the CPU, so there they are compared; ONNX Runtime has its own name for it.
DEVICES = {"onnx": ["CPUExecutionProvider"]}
CPU = ["cpu"]


def read_package(path: Path) -> ModelDescr:
    """Open a package and check its files against their hashes. Nothing is looked up on the network.

    Raises:
        ModelError: if it is no valid package of a model.
    """
    from bioimageio.spec import InvalidDescr, load_description
    from bioimageio.spec.model.v0_5 import ModelDescr

    with quiet():
        try:
            content = load_description(path, perform_io_checks=False)
            # Whether a website answers says nothing of a package, and a run must not need the network.
            urls = dict.fromkeys(_urls(content.model_dump(mode="json")))
            description = load_description(path, perform_io_checks=True, known_files=urls)
        except Exception as error:  # a damaged zip fails in many ways
            raise ModelError(f"{path}: cannot be read as a BioImage.IO package: {error}") from error
    if isinstance(description, InvalidDescr):
        reason = " ".join((description.get_reason() or "").split())
        raise ModelError(f"{path}: not a valid BioImage.IO package: {reason}")
    if not isinstance(description, ModelDescr):
        raise ModelError(f"{path}: a BioImage.IO package, but not of a model in format 0.5")
    return description


def weights_formats(description: ModelDescr) -> list[str]:
    """The formats in which the weights are there, e.g. ["onnx", "pytorch_state_dict", "torchscript"]."""
    return [name for name, entry in description.weights if entry is not None]


def run_test(path: Path) -> None:
    """Do what `bioimageio test` does, for each weights format: valid, and the test output comes out.

    The state dict's architecture is code from the package, which this executes.

    Raises:
        ModelError: if it is no valid package of a model.
        RuntimeError: naming the first test that failed, and why.
    """
    from bioimageio.core import test_model

    description = read_package(path)
    with quiet(), _quick_to_unload(), _random_numbers_kept():
        for name in weights_formats(description):
            summary = test_model(description, weight_format=name, devices=DEVICES.get(name, CPU))  # type: ignore[arg-type]
    for detail in summary.details:
        if detail.status == "failed":
            reason = "; ".join(" ".join(error.msg.split()) for error in detail.errors)
            raise RuntimeError(f"{path.name} does not pass `bioimageio test`: {detail.name}: {reason}")


@contextlib.contextmanager
def open_weights(
    description: ModelDescr, weights_format: str
) -> Iterator[Callable[[np.ndarray], np.ndarray]]:
    """Load one weights format.

    Yields:
        A function from raw pixels (C, H, W), sides multiples of the divisor, to maps (K, H, W) float32, or
        to labels (1, H, W), for a package that ends in them; pre- and postprocessing are the package's.
    """
    from bioimageio.core import AxisId, create_prediction_pipeline
    from bioimageio.core.digest_spec import create_sample_for_model

    with quiet(), _quick_to_unload():
        pipeline = create_prediction_pipeline(
            description,
            weights_format=weights_format,  # type: ignore[arg-type]
            devices=DEVICES.get(weights_format, CPU),
        )

        def run(pixels: np.ndarray) -> np.ndarray:
            sample = create_sample_for_model(description, inputs=pixels[None].astype(np.float32))
            output = pipeline.predict_sample_without_blocking(
                sample, skip_input_padding=True, skip_output_cropping=True
            )
            (maps,) = output.members.values()
            return maps.transpose([AxisId(axis) for axis in ("batch", "channel", "y", "x")]).to_numpy()[0]

        with pipeline:
            yield run


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what the BioImage.IO libraries log from the user; what matters of it is raised."""
    from loguru import logger

    logger.disable("bioimageio")
    try:
        with deprecation_ignored():
            yield
    finally:
        logger.enable("bioimageio")


@contextlib.contextmanager
def _quick_to_unload() -> Iterator[None]:
    """Spare bioimageio.core, which collects garbage each time it unloads weights, what is in memory already.

    With all of torch imported, each time takes a second.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextlib.contextmanager
def _random_numbers_kept() -> Iterator[None]:
    """`test_model` seeds numpy and torch, and allows torch what is not deterministic: undo that."""
    import torch

    state, deterministic = np.random.get_state(), torch.are_deterministic_algorithms_enabled()
    try:
        with torch.random.fork_rng(range(torch.cuda.device_count())):
            yield
    finally:
        np.random.set_state(state)
        torch.use_deterministic_algorithms(deterministic)


def _urls(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        if content.startswith(("http://", "https://")):
            yield content
    elif isinstance(content, dict):
        yield from _urls(list(content.values()))
    elif isinstance(content, list):
        for item in content:
            yield from _urls(item)
