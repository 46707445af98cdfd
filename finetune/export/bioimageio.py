"""Export as a BioImage.IO package: state dict, TorchScript and ONNX, with a test that the package passes."""

from __future__ import annotations

import copy
import dataclasses
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cards.bioimageio import Onnx, PackageParts, TorchScript, describe
from cards.bioimageio_parts import LABEL_TOLERANCE, LABELS, OPSET, shortest
from cards.bioimageio_versions import lower_package
from cards.errors import ModelError
from cards.figures import cover
from cards.record import RunRecord
from finetune.data.channels import select_channels
from finetune.data.reader import Sample
from finetune.export.base import ExportInput, ReloadedExport, trusted
from finetune.export.bioimageio_weights import TORCH_VERSION, with_head, write_onnx_weights, write_state_dict
from finetune.export.crop import crop
from finetune.inference.bioimageio_runtime import open_weights, run_test
from finetune.inference.model import Model
from finetune.networks.encoder_decoder import EncoderDecoder
from finetune.repositories.bioimageio.collection import open_package
from finetune.repositories.bioimageio.messages import quiet
from finetune.targets.base import PackageForm
from finetune.utils.scratch import ScratchFolder
from finetune.weights.torchscript import write_torchscript

SMALLEST = 1e-4  # bioimageio.spec 0.5.12, validate_tensors: "too small for reliable testing" below
TEST_SIDE = 256  # largest height and width of the test image: enough context, a small download

OUTPUT = "bioimageio/"
NO_PROMPTS = "There is no BioImage.IO package: the format cannot express prompts."
NO_TEST_OUTPUT = (
    "There is no BioImage.IO package: the model finds no instance in any image, and BioImage.IO asks for a "
    "test output that is not empty"
)


def supports(model: Any) -> str | None:
    """Whether BioImage.IO can express the model: its target must have a package form.

    Args:
        model: a model of either task.

    Returns:
        None if it can; otherwise the reason.
    """
    return None if isinstance(model.target, PackageForm) else NO_PROMPTS


def write(export: ExportInput, folder: Path) -> list[str]:
    """Write and test a package; see `Exporter.write`.

    Args:
        export: model, record and images.
        folder: the folder `bioimageio` of the run.

    Returns:
        A warning for each weights format that is left out, or the reason why there is no package.
    """
    image = _test_image(export.model, export.images())
    if image is None:
        return [NO_TEST_OUTPUT]
    left_out: list[str] = []
    try:
        save_package(export.model, export.record, image.pixels, folder, export.record.name, left_out)
    except ModelError as error:  # there is no weights format that users could load
        folder.rmdir()  # it is empty; the run is complete without a package
        return [f"There is no BioImage.IO package: {error}"]
    return left_out


def reload(folder: Path, model: Model) -> Iterator[ReloadedExport]:
    """Load each weights format of a package with bioimageio.core.

    Args:
        folder: the folder `bioimageio` of the run.
        model: the trained model, whose target decodes maps.

    Yields:
        One item per package and weights format.
    """
    for path in sorted(folder.glob("*.zip")):
        package = open_package(path, check_files=True)
        for weights_format in package.formats:
            # `write` has checked what these weights can do, unless the user trusts their author.
            with open_weights(package, weights_format, trust=True) as run:
                predictor = PackagePredictor(run, model)
                yield ReloadedExport(path, weights_format, "bioimageio.core", predictor, cropped=True)


@dataclasses.dataclass(frozen=True)
class PackagePredictor:
    """Predicts labels with one weights format of a package.

    Attributes:
        run: pixels (C, H, W) -> maps (K, H, W), or labels (1, H, W).
        model: the trained model, which selects channels and decodes maps.
    """

    run: Callable[[np.ndarray], np.ndarray]
    model: Model

    def predict(self, image: np.ndarray) -> np.ndarray:
        """Predict the labels of one image.

        Args:
            image: (any number of channels, H, W), as `crop` returns it.

        Returns:
            Labels (H, W).
        """
        output = self.run(select_channels(image, self.model.select))
        return output[0] if self.model.target.exports_labels else self.model.target.decode(output)


def save_package(
    model: Model,
    record: RunRecord,
    pixels: np.ndarray,
    folder: Path,
    name: str,
    left_out: list[str] | None = None,
) -> Path:
    """Write and test a package in a temporary folder; only a package that passes is moved to `folder`.

    Args:
        model: the trained model, on any device.
        record: record of the run, from which texts and figures of the package come.
        pixels: an image (C, H, W) with all its channels, as read, from which test and cover of the package
            are made; see `can_test`.
        folder: folder of the package; it is created if it is missing.
        name: name of the zip, without ".zip".
        left_out: a sentence is appended for each weights format that is left out, with the reason.

    Returns:
        `folder/name.zip`.

    Raises:
        ModelError: if the network can be saved neither as TorchScript that is loaded without trust nor with
            its code.
        RuntimeError: if the package does not pass `bioimageio test`.
        OSError: if the package cannot be written or the disk is full.
    """
    from bioimageio.spec import ValidationContext, save_bioimageio_package

    with torch.no_grad():  # TorchScript would record the copy as an operation of training
        network = copy.deepcopy(model.network).to("cpu", torch.float32).eval()
    if isinstance(network, EncoderDecoder):  # without the passthrough weights of the native format
        network = EncoderDecoder(network.encoder, network.decoder).eval()
    model = dataclasses.replace(model, network=network)
    folder.mkdir(parents=True, exist_ok=True)
    with ScratchFolder() as temporary:
        work = Path(temporary)
        parts, missing = _write_parts(model, pixels, work, trusted(record))
        record = record.model_copy(update={"warnings": [*record.warnings, *missing]})
        if left_out is not None:
            left_out.extend(missing)
        with quiet():
            description = describe(record, parts)
        # Files are checked once, when the package is reloaded.
        with quiet(), ValidationContext(perform_io_checks=False):
            written = save_bioimageio_package(description, output_path=work / f"{name}.zip")
        lower_package(Path(written))
        run_test(written, trust=trusted(record))
        return Path(shutil.move(written, folder / f"{name}.zip"))


def can_test(model: Model, pixels: np.ndarray) -> bool:
    """Whether an image can serve as test input: the format refuses a test output that is close to 0.

    Args:
        model: the trained model.
        pixels: (C, H, W) with all channels, as read.

    Returns:
        True if the model's output is not close to 0 everywhere.
    """
    maps = model.predict_maps(model.prepare(crop(pixels, model.divisor, TEST_SIDE)))
    output = model.target.decode(maps) if model.target.exports_labels else maps
    return bool(np.abs(output).max() >= SMALLEST)


def _test_image(model: Model, images: Iterable[Sample]) -> Sample | None:
    """An image on which a package can be tested, preferably one with instances; None if there is none."""
    usable = None
    for image in images:
        if can_test(model, image.pixels):
            if image.labels.any():
                return image
            usable = usable or image
    return usable


def _write_parts(model: Model, pixels: np.ndarray, work: Path, trust: bool) -> tuple[PackageParts, list[str]]:
    """Write all files of the package except texts; return them, and sentences about weights left out."""
    seen = crop(pixels, model.divisor, TEST_SIDE)
    output = _output(model, seen)
    np.save(work / "test_input.npy", select_channels(seen, model.select)[None].astype(np.float32))
    np.save(work / "test_output.npy", output)
    cover(pixels, model.predict(pixels), work / "cover.png")
    options: dict[str, int] = {"channels": model.channels, "divisor": model.divisor}
    # Without a file of code that defines the network there is nothing that could load a state dict.
    portable = not model.torchscript and getattr(type(model.network), "portable", False)
    script: TorchScript | None = TorchScript(work / "weights-torchscript.pt", TORCH_VERSION)
    without_onnx = write_onnx_weights(model, work / "weights.onnx", portable)
    missing = list(without_onnx)
    try:
        write_torchscript(with_head(model), work / "weights-torchscript.pt", **options, trust=trust)
    except ModelError as error:  # an operator that users could not load without trust
        if not portable:
            raise
        script = None
        missing.append(f"The BioImage.IO package has no TorchScript weights: {error}")
    parts = PackageParts(
        folder=work / "texts",
        test_input=work / "test_input.npy",
        test_output=work / "test_output.npy",
        state_dict=write_state_dict(model, work) if portable else None,
        torchscript=script,
        onnx=None if without_onnx else Onnx(work / "weights.onnx", OPSET),
        covers=[work / "cover.png"],
        preprocessing=model.normalize.bioimageio_preprocessing(),
        postprocessing=model.target.bioimageio_postprocessing(),
        input_channels=[f"channel{index}" for index in range(model.channels)],
        output_axes=model.target.exported_axes,
        minimum=shortest(model.divisor),
        # Packages run in float32.
        prediction={
            **dataclasses.replace(model, verified="float32").config(),
            "divisor": model.divisor,
            "halo": model.halo,
        },
        **_described(model),
    )
    return parts, missing


def _described(model: Model) -> dict[str, Any]:
    """Description of the output of the package."""
    if not model.target.exports_labels:
        return {"output_channels": list(model.target.map_names)}
    return {
        "output_channels": ["labels"],
        "output_dtype": "int32",
        "output_description": LABELS,
        "tolerance": [LABEL_TOLERANCE],
    }


def _output(model: Model, pixels: np.ndarray) -> np.ndarray:
    """Expected output of the package, by finetune's normalization and target; `run_test` compares them."""
    with torch.no_grad():
        output = model.target.activate(model.network(model.prepare(pixels)[None]))[0].numpy()
    if model.target.exports_labels:
        output = model.target.decode(output)[None]
    return np.einsum(f"bcyx->{model.target.exported_axes}", output[None])
