"""A model as a BioImage.IO package: state dict, TorchScript and ONNX, with tests that it passes."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch

from cards.bioimageio import Onnx, PackageParts, StateDict, TorchScript, describe
from cards.pictures import cover
from cards.record import RunRecord
from finetune.data.channels import select_channels
from finetune.export.crop import crop, shortest
from finetune.export.onnx import OPSET, write_onnx
from finetune.export.package import quiet, run_test
from finetune.export.torchscript import write_torchscript
from finetune.model import Model

TEST_SIDE = 256  # pixels, at most, of the test image: enough context for the network, little to download

# Without "+cpu" or "+cu130": the build does not matter to the weights, and conda knows no such names.
TORCH_VERSION = torch.__version__.partition("+")[0]

# What the maps of a target are called in the package; those of a target not named here are numbered.
MAP_NAMES = {
    "foreground": ["foreground"],
    "boundary": ["boundary"],
    "foreground_boundary": ["foreground", "boundary"],
}


def save_package(model: Model, record: RunRecord, pixels: np.ndarray, folder: Path, name: str) -> Path:
    """Write a package and test it, in a temporary folder; only a package that passes is moved into place.

    Args:
        model: what was trained, on any device.
        record: of the run; the package's texts and figures come from it.
        pixels: an image (C, H, W) as read, all its channels: the package's test and cover are made of it.
        folder: where to; made if it is not there.
        name: of the zip, without ".zip".

    Returns:
        `folder/name.zip`.

    Raises:
        RuntimeError: if it does not pass `bioimageio test`, with what failed.
        OSError: if it cannot be written, or the disk is full.
    """
    from bioimageio.spec import ValidationContext, save_bioimageio_package

    network = copy.deepcopy(model.network).to("cpu", torch.float32).eval()
    model = dataclasses.replace(model, network=network)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="finetune-") as temporary:
        work = Path(temporary)
        parts = _write_parts(model, pixels, work)
        with quiet():
            description = describe(record, parts)
        # Files are checked once, when the package is read again.
        with quiet(), ValidationContext(perform_io_checks=False):
            written = save_bioimageio_package(description, output_path=work / f"{name}.zip")
        run_test(written)
        return Path(shutil.move(written, folder / f"{name}.zip"))


def _write_parts(model: Model, pixels: np.ndarray, work: Path) -> PackageParts:
    """Write all files of the package but its texts."""
    seen = crop(pixels, model.divisor, TEST_SIDE)
    output = _output(model, seen)
    np.save(work / "test_input.npy", select_channels(seen, model.select)[None].astype(np.float32))
    np.save(work / "test_output.npy", output[None])
    cover(pixels, model.predict(pixels), work / "cover.png")
    options = {"channels": model.channels, "divisor": model.divisor}
    write_torchscript(model.network, work / "weights-torchscript.pt", **options)
    write_onnx(model.network, work / "weights.onnx", **options)
    numbered = [f"map{index}" for index in range(model.target.channels)]
    return PackageParts(
        folder=work / "texts",
        test_input=work / "test_input.npy",
        test_output=work / "test_output.npy",
        state_dict=_write_state_dict(model, work),
        torchscript=TorchScript(work / "weights-torchscript.pt", TORCH_VERSION),
        onnx=Onnx(work / "weights.onnx", OPSET),
        covers=[work / "cover.png"],
        preprocessing=model.normalise.bioimageio_preprocessing(),
        postprocessing=model.target.bioimageio_postprocessing(),
        input_channels=[f"channel{index}" for index in range(model.channels)],
        output_channels=MAP_NAMES.get(model.target.name, numbered),
        minimum=shortest(model.divisor),
    )


def _output(model: Model, pixels: np.ndarray) -> np.ndarray:
    """Maps (K, H, W) by our own normalisation and activation; `run_test` compares the package's own."""
    with torch.no_grad():
        return model.target.activate(model.network(model.prepare(pixels)[None]))[0].numpy()


def _write_state_dict(model: Model, work: Path) -> StateDict:
    """Weights by their names, and a copy of the one file that defines the network."""
    weights, architecture = work / "weights.pt", work / "architecture.py"
    torch.save(model.network.state_dict(), weights)
    kind = type(model.network)
    source = inspect.getsourcefile(kind)
    assert source is not None, f"{kind} was not read from a file"
    shutil.copyfile(source, architecture)
    return StateDict(
        source=weights,
        architecture=architecture,
        callable=kind.__name__,
        kwargs={
            "in_channels": model.channels,
            "out_channels": model.target.channels,
            **model.architecture["options"],
        },
        pytorch_version=TORCH_VERSION,
    )
