"""The files and operations of a BioImage.IO package, which whoever makes the weights hands over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class StateDict:
    """The weights that the others were converted from, and the code that builds the network to hold them."""

    source: Path
    architecture: Path
    callable: str
    kwargs: dict[str, Any]
    pytorch_version: str


@dataclass(frozen=True)
class TorchScript:
    """Weights with their network, by torch.jit."""

    source: Path
    pytorch_version: str


@dataclass(frozen=True)
class Onnx:
    """Weights with their network, by ONNX."""

    source: Path
    opset_version: int


@dataclass(frozen=True)
class PackageParts:
    """What a package holds that a record does not.

    Attributes:
        folder: where `describe` writes the texts of the package: README.md, record.json and, for a
            license without an SPDX id, LICENSE.txt.
        test_input: .npy, float32 (1, C, H, W), before preprocessing.
        test_output: .npy, its axes `output_axes`, after postprocessing, made on the CPU in eval mode.
        state_dict: the root of all weights; without it, TorchScript is.
        sample_input: a picture of an input that people can look at, e.g. TIFF (C, H, W) or PNG (H, W).
        sample_output: the same of its output.
        covers: PNG files, 2:1 or 1:1, each below 500 kB.
        preprocessing: BioImage.IO operations, e.g. `[{"id": "scale_range", "kwargs": {...}}]`.
        postprocessing: BioImage.IO operations, e.g. `[{"id": "sigmoid"}]`.
        input_channels: a name a channel of the input.
        output_channels: a name a channel after postprocessing, e.g. `["foreground"]`.
        output_dtype: of the output after postprocessing.
        output_axes: their order, before and after postprocessing: batch, channel, y and x.
        output_description: what the output is, in words.
        minimum: the smallest height and width of an input, in pixels, a multiple of the record's divisor.
        tolerance: fields of `ReproducibilityTolerance` that differ from the default, one dict a rule;
            outputs that are labels need `mismatched_elements_per_million`.
        attachments: further files.
    """

    folder: Path
    test_input: Path
    test_output: Path
    state_dict: StateDict | None = None
    sample_input: Path | None = None
    sample_output: Path | None = None
    torchscript: TorchScript | None = None
    onnx: Onnx | None = None
    covers: Sequence[Path] = ()
    preprocessing: Sequence[dict[str, Any]] = ()
    postprocessing: Sequence[dict[str, Any]] = ()
    input_channels: Sequence[str] = ("channel0",)
    output_channels: Sequence[str] = ("foreground",)
    output_dtype: str = "float32"
    output_axes: str = "bcyx"
    output_description: str = "what the network predicts, after postprocessing"
    minimum: int = 64
    tolerance: Sequence[dict[str, Any]] = ()
    attachments: Sequence[Path] = ()
