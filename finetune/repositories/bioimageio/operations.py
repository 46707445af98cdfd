"""Conversion of a package's preprocessing and postprocessing to finetune's normalization and targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from cards.errors import ModelError

FLOATS = ("float32", "float64")  # what ensure_dtype may ask for: a network's input is float32 anyway

# Postprocessing that decodes the raw output by itself: it is what the target of the same name expects.
DECODERS = ("cellpose_flow_dynamics", "stardist_postprocessing")

Output = Literal["logits", "decoded", "as it is"]


def normalization(operations: Sequence[Any], channels: int, source: str) -> dict[str, Any]:
    """Convert the preprocessing of a package to `data.normalize` of a recipe.

    Args:
        operations: preprocessing of the input tensor.
        channels: number of input channels.
        source: name of the package for error messages.

    Returns:
        Name and options of the normalization.

    Raises:
        ModelError: with the operations that finetune cannot express.
    """
    kept = [operation for operation in operations if not _is_cast(operation)]
    if not kept:
        return {"name": "scale_linear", "gain": 1.0, "offset": 0.0}
    if [operation.id for operation in kept] == ["scale_range", "clip"]:
        low, high = kept[1].kwargs.min, kept[1].kwargs.max
        if high is not None and high >= 1 and low == -high:
            return _scale_range(kept[0].kwargs, channels, source) | {"clip": float(high)}
    known = _EXPRESSED.get(kept[0].id)
    if len(kept) > 1 or known is None:
        names = ", ".join(_called(operation) for operation in kept)
        raise ModelError(
            f"{source}: its preprocessing is {names}; finetune supports one of {', '.join(_EXPRESSED)}"
        )
    return known(kept[0].kwargs, channels, source)


def output(operations: Sequence[Any], source: str) -> Output:
    """Determine the type of a network's output from the postprocessing of its package.

    Args:
        operations: postprocessing of the output tensor.
        source: name of the package for error messages.

    Returns:
        "logits" if a sigmoid follows; "decoded" if the package decodes the raw output to labels; "as it is"
        if at most a threshold follows, so that the values decide.

    Raises:
        ModelError: if no target matches the output.
    """
    kept = [operation.id for operation in operations if operation.id != "ensure_dtype"]
    if kept and kept[0] == "sigmoid":
        return "logits"
    if kept and kept[0] in DECODERS:
        return "decoded"
    if set(kept) <= {"binarize"}:
        return "as it is"
    raise ModelError(
        f"{source}: its postprocessing is {', '.join(kept)}; "
        f"finetune supports logits (sigmoid), probabilities, and the input of {' or '.join(DECODERS)}"
    )


def _is_cast(operation: Any) -> bool:
    return operation.id == "ensure_dtype" and operation.kwargs.dtype in FLOATS


def _called(operation: Any) -> str:
    return f"ensure_dtype {operation.kwargs.dtype}" if operation.id == "ensure_dtype" else str(operation.id)


def _zero_mean_unit_variance(kwargs: Any, channels: int, source: str) -> dict[str, Any]:
    _check_axes("zero_mean_unit_variance", kwargs, channels, source)
    return {"name": "zero_mean_unit_variance", "eps": kwargs.eps}


def _scale_range(kwargs: Any, channels: int, source: str) -> dict[str, Any]:
    _check_axes("scale_range", kwargs, channels, source)
    return {
        "name": "percentile",
        "low": kwargs.min_percentile,
        "high": kwargs.max_percentile,
        "eps": kwargs.eps,
    }


def _scale_linear(kwargs: Any, channels: int, source: str) -> dict[str, Any]:
    return {"name": "scale_linear", "gain": _numbers(kwargs.gain), "offset": _numbers(kwargs.offset)}


def _fixed(kwargs: Any, channels: int, source: str) -> dict[str, Any]:
    """Convert (x - mean) / std to a gain and an offset."""
    means, stds = _list(kwargs.mean), _list(kwargs.std)
    gains = [1 / std for std in stds]
    offsets = [-mean / std for mean, std in zip(means, stds, strict=True)]
    return {"name": "scale_linear", "gain": _numbers(gains), "offset": _numbers(offsets)}


_EXPRESSED: dict[str, Callable[[Any, int, str], dict[str, Any]]] = {
    "zero_mean_unit_variance": _zero_mean_unit_variance,
    "scale_range": _scale_range,
    "scale_linear": _scale_linear,
    "fixed_zero_mean_unit_variance": _fixed,
}


def _check_axes(name: str, kwargs: Any, channels: int, source: str) -> None:
    """Check that statistics are computed per image and channel, as in finetune."""
    axes = None if kwargs.axes is None else {str(axis) for axis in kwargs.axes}
    if axes is not None and not {"y", "x"} <= axes:
        raise ModelError(f"{source}: its {name} is computed over {', '.join(sorted(axes))}, not over y and x")
    if channels > 1 and (axes is None or "channel" in axes):
        raise ModelError(
            f"{source}: its {name} is computed over all channels together; finetune supports "
            "statistics per channel"
        )


def _list(value: Any) -> list[float]:
    return [float(each) for each in value] if isinstance(value, list | tuple) else [float(value)]


def _numbers(value: Any) -> float | list[float]:
    values = _list(value)
    return values[0] if len(values) == 1 else values
