"""Small valid BioImage.IO packages, as other tools write them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bioimageio.spec import ValidationContext, save_bioimageio_package_as_folder
from bioimageio.spec.model import v0_5
from loguru import logger
from PIL import Image

from cards.errors import InputError
from finetune.repositories.registry import Loaded, LoadOptions, load

NETWORK = """\
import torch
from torch import nn


class Tiny(nn.Module):
    def __init__(self, channels: int = 1, maps: int = 1, sigmoid: bool = False, side: int = 0):
        super().__init__()
        self.side = side
        self.encoder = nn.Sequential(nn.Conv2d(channels, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.pool = nn.MaxPool2d(2)
        self.up = nn.Upsample(scale_factor=2.0)
        self.head = nn.Conv2d(8, maps, 1)
        self.sigmoid = nn.Sigmoid() if sigmoid else nn.Identity()

    def forward(self, x):
        if self.side > 0 and (x.size(2) != self.side or x.size(3) != self.side):
            raise ValueError("of one size only")
        x = self.encoder(x)
        return self.sigmoid(self.head(torch.cat([x, self.up(self.pool(x))], 1)))
"""
STANDARDIZE = {"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x"]}}
SIGMOID = {"id": "sigmoid"}


def make_package(
    folder: Path,
    *,
    formats: Sequence[str] = ("torchscript",),
    channels: int = 1,
    maps: int = 1,
    size: Any = 64,
    sigmoid: bool = False,
    side: int = 0,
    traced: bool = False,
    code: str = NETWORK,
    preprocessing: Sequence[dict[str, Any]] = (STANDARDIZE,),
    postprocessing: Sequence[dict[str, Any]] = (SIGMOID,),
    **description: Any,
) -> Path:
    """Write a package of a network that takes sizes that are multiples of 2; returns its folder.

    Args:
        folder: empty; sources go into it, and the package into folder/package.
        formats: of its weights; the first is the root.
        channels: of its input.
        maps: of its output.
        size: of its input, as the description states it.
        sigmoid: whether the network itself ends in a sigmoid.
        side: the only height and width it takes; any if 0.
        traced: whether the TorchScript is traced rather than scripted.
        code: that defines the network `Tiny`.
        preprocessing: of the input; the test output is made for standardized pixels, whatever it is.
        postprocessing: of the output.
        description: more fields of it, such as `id`.
    """
    logger.disable("bioimageio")
    (folder / "tiny.py").write_text(code)
    options = {"channels": channels, "maps": maps, "sigmoid": sigmoid, "side": side}
    network = _network(folder / "tiny.py", options)
    rng = np.random.default_rng(0)
    image = rng.normal(100, 20, (1, channels, 64, 64)).astype(np.float32)
    deviation = image.std((2, 3), keepdims=True) + 1e-6
    standardized = torch.from_numpy((image - image.mean((2, 3), keepdims=True)) / deviation)
    with torch.no_grad():
        output = network(standardized)
    if list(postprocessing) == [SIGMOID]:
        output = output.sigmoid()
    Image.new("RGB", (64, 64)).save(folder / "cover.png")
    np.save(folder / "test_input.npy", image)
    np.save(folder / "test_output.npy", output.numpy())
    (folder / "README.md").write_text("# Tiny\n\n## Validation\n\nNone.\n")
    fields = {"license": "MIT", "cite": [v0_5.CiteEntry(text="Tiny et al.", doi=v0_5.Doi("10.1234/tiny"))]}
    with ValidationContext(perform_io_checks=True):
        model = v0_5.ModelDescr(
            name="Tiny network",
            description="Finds discs.",
            authors=[v0_5.Author(name="Ada Example")],
            documentation=v0_5.FileDescr(source=folder / "README.md"),
            covers=[v0_5.FileDescr(source=folder / "cover.png")],
            inputs=[_tensor("input", folder, channels, size, preprocessing)],
            outputs=[_tensor("output", folder, maps, None, postprocessing)],
            weights=_weights(formats, folder, network, options, traced),
            **(fields | description),
        )
    with ValidationContext(perform_io_checks=False):
        return save_bioimageio_package_as_folder(model, output_path=folder / "package")


def replace(package: Path, name: str, content: bytes) -> Path:
    """Put another file into a package, without the hash of the old one."""
    (package / name).write_bytes(content)
    description = package / "rdf.yaml"
    lines = description.read_text()
    description.write_text(re.sub(rf"(source: {re.escape(name)}\n) *sha256: \w+\n", r"\1", lines))
    return package


def _network(path: Path, options: dict[str, Any]) -> Any:
    import importlib.util

    spec = importlib.util.spec_from_file_location("tiny", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    torch.manual_seed(0)
    return module.Tiny(**options).eval()


def _tensor(
    name: str, folder: Path, channels: int, size: Any, operations: Sequence[dict[str, Any]]
) -> v0_5.InputTensorDescr | v0_5.OutputTensorDescr:
    axes: list[Any] = [
        {"type": "batch"},
        {"type": "channel", "channel_names": [f"c{index}" for index in range(channels)]},
    ]
    for axis in ("y", "x"):
        same = {"tensor_id": "input", "axis_id": axis}
        axes.append({"type": "space", "id": axis, "size": same if size is None else size})
    kind = v0_5.InputTensorDescr if size is not None else v0_5.OutputTensorDescr
    steps = "preprocessing" if size is not None else "postprocessing"
    test = v0_5.FileDescr(source=folder / f"test_{name}.npy")
    return kind.model_validate({"id": name, "axes": axes, "test_tensor": test, steps: list(operations)})


def _weights(
    formats: Sequence[str], folder: Path, network: Any, options: dict[str, Any], traced: bool
) -> v0_5.WeightsDescr:
    entries: dict[str, Any] = {}
    version = v0_5.Version("2.6.0")
    for name in formats:
        parent = None if name == formats[0] else formats[0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if name == "torchscript":
                image = torch.rand(1, options["channels"], 64, 64)
                script = torch.jit.trace(network, image) if traced else torch.jit.script(network)
                torch.jit.save(script, folder / "weights.pt")
                entries[name] = v0_5.TorchscriptWeightsDescr(
                    source=folder / "weights.pt", pytorch_version=version, parent=parent
                )
            elif name == "pytorch_state_dict":
                torch.save(network.state_dict(), folder / "state.pth")
                architecture = v0_5.ArchitectureFromFileDescr(
                    source=folder / "tiny.py", callable=v0_5.Identifier("Tiny"), kwargs=options
                )
                entries[name] = v0_5.PytorchStateDictWeightsDescr(
                    source=folder / "state.pth",
                    architecture=architecture,
                    pytorch_version=version,
                    parent=parent,
                )
            else:
                _write_onnx(network, options["channels"], folder / "weights.onnx")
                entries[name] = v0_5.OnnxWeightsDescr(
                    source=folder / "weights.onnx", opset_version=18, parent=parent
                )
    return v0_5.WeightsDescr(**entries)


def _write_onnx(network: Any, channels: int, path: Path) -> None:
    image = torch.rand(1, channels, 64, 64)
    torch.onnx.export(torch.jit.script(network), (image,), str(path), dynamo=False, opset_version=18)


def start(checkpoint: Path | None, name: str = "tiny", **changes: Any) -> Loaded:
    """A package as `repositories.registry.load` takes it: of one channel and one map, unless changed."""
    arguments = {"in_channels": 1, "out_channels": 1, "checkpoint": checkpoint} | changes
    return load("bioimageio", name, LoadOptions(**arguments))


def refused(checkpoint: Path | None, **changes: Any) -> str:
    """What is said of a package that cannot be loaded."""
    with pytest.raises(InputError) as caught:
        start(checkpoint, **changes)
    assert "\n" not in str(caught.value)
    return str(caught.value)
