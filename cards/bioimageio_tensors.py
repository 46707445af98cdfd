"""Input and output tensors of a BioImage.IO description."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cards.bioimageio_parts import PackageParts
from cards.record import RunRecord

if TYPE_CHECKING:
    from bioimageio.spec.model.v0_5 import ChannelAxis, InputTensorDescr, OutputTensorDescr


def input_tensor(record: RunRecord, parts: PackageParts) -> InputTensorDescr:
    """Describe the image that the model takes.

    Args:
        record: the run.
        parts: files and processing of the package.

    Returns:
        The description of the tensor `input`, with axes b, c, y and x.
    """
    from bioimageio.spec.model import v0_5

    size = v0_5.ParameterizedSize(min=parts.minimum, step=record.model.divisor)
    return v0_5.InputTensorDescr.model_validate(
        {
            "id": "input",
            "description": "the image",
            "axes": [
                v0_5.BatchAxis(),
                _channels(parts.input_channels),
                v0_5.SpaceInputAxis(id=v0_5.AxisId("y"), size=size),
                v0_5.SpaceInputAxis(id=v0_5.AxisId("x"), size=size),
            ],
            "test_tensor": v0_5.FileDescr(source=parts.test_input),
            **_sample(parts.sample_input),
            "preprocessing": [dict(operation) for operation in parts.preprocessing],
        }
    )


def _sample(path: Path | None) -> dict[str, Any]:
    from bioimageio.spec.model import v0_5

    return {"sample_tensor": v0_5.FileDescr(source=path)} if path else {}


def _channels(names: Sequence[str]) -> ChannelAxis:
    from bioimageio.spec.model import v0_5

    return v0_5.ChannelAxis(channel_names=list(names))


def output_tensor(parts: PackageParts) -> OutputTensorDescr:
    """Describe what the model returns, of the size of the image.

    Args:
        parts: files and processing of the package.

    Returns:
        The description of the tensor `output`.
    """
    from bioimageio.spec.model import v0_5

    def _same(axis: str) -> v0_5.SpaceOutputAxis:
        size = v0_5.SizeReference(tensor_id=v0_5.TensorId("input"), axis_id=v0_5.AxisId(axis))
        return v0_5.SpaceOutputAxis(id=v0_5.AxisId(axis), size=size)

    axes = {"b": v0_5.BatchAxis(), "c": _channels(parts.output_channels), "y": _same("y"), "x": _same("x")}
    return v0_5.OutputTensorDescr.model_validate(
        {
            "id": "output",
            "description": parts.output_description,
            "axes": [axes[letter] for letter in parts.output_axes],
            "data": v0_5.IntervalOrRatioDataDescr.model_validate({"type": parts.output_dtype}),
            "test_tensor": v0_5.FileDescr(source=parts.test_output),
            **_sample(parts.sample_output),
            "postprocessing": [dict(operation) for operation in parts.postprocessing],
        }
    )
