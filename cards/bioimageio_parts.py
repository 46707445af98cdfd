"""Files and operations of a BioImage.IO package, as input of `cards.bioimageio.describe`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OUTPUT = "output of the network after postprocessing"
LABELS = "labels: one number per instance, 0 is background"
LABEL_TOLERANCE = {"mismatched_elements_per_million": 5000}
"""Pixels of the test output whose label may differ: the most that BioImage.IO allows, and one nucleus, as
other runtimes sum in another order, which occasionally decides whether an object is just detected."""
OPSET = 18
"""Operators of ONNX: the default of torch, whose exporter converts to any other afterwards."""
MINIMUM = 64
"""Pixels; in smaller images a deep network sees mostly its own padding."""


def shortest(divisor: int) -> int:
    """Smallest height and width that packages state.

    Args:
        divisor: the network takes multiples of this, in pixels.

    Returns:
        The smallest multiple of the divisor that is at least `MINIMUM`, in pixels.
    """
    return -(-MINIMUM // divisor) * divisor


@dataclass(frozen=True)
class StateDict:
    """PyTorch weights, from which other formats were converted, with the source code of the network."""

    source: Path
    architecture: Path
    callable: str
    kwargs: dict[str, Any]
    pytorch_version: str


@dataclass(frozen=True)
class TorchScript:
    """Network and weights as TorchScript."""

    source: Path
    pytorch_version: str


@dataclass(frozen=True)
class Onnx:
    """Network and weights as ONNX."""

    source: Path
    opset_version: int


@dataclass(frozen=True)
class PackageParts:
    """Contents of a package that are not in the record.

    Attributes:
        folder: output folder of `describe` for the texts of the package: README.md, record.json and, for a
            license without an SPDX id, LICENSE.txt.
        test_input: .npy, float32 (1, C, H, W), before preprocessing.
        test_output: .npy, its axes `output_axes`, after postprocessing, made on the CPU in eval mode.
        state_dict: the root entry of the weights; without it, TorchScript is the root.
        sample_input: an input for people to look at, e.g. TIFF (C, H, W) or PNG (H, W).
        sample_output: the output for the sample input.
        covers: PNG files, 2:1 or 1:1, each below 500 kB.
        preprocessing: BioImage.IO operations, e.g. `[{"id": "scale_range", "kwargs": {...}}]`.
        postprocessing: BioImage.IO operations, e.g. `[{"id": "sigmoid"}]`.
        input_channels: name of each channel of the input.
        output_channels: name of each channel after postprocessing, e.g. `["foreground"]`.
        output_dtype: data type of the output after postprocessing.
        output_axes: order of the axes of the output: b, c, y and x.
        output_description: content of the output in words.
        minimum: the smallest height and width of an input, in pixels, a multiple of the record's divisor.
        tolerance: fields of `ReproducibilityTolerance` for each rule;
            outputs that are labels need `mismatched_elements_per_million`.
        attachments: further files.
        prediction: JSON values with which finetune predicts the labels of the run, see `config.finetune`.
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
    output_description: str = OUTPUT
    minimum: int = MINIMUM
    tolerance: Sequence[dict[str, Any]] = ()
    attachments: Sequence[Path] = ()
    prediction: dict[str, Any] = field(default_factory=dict)
