"""Layers that an ONNX exporter has merged with their batch normalization."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from cards.audit.tensors import Tensor

VARIANCE, MEAN, SCALE, SHIFT = "running_var", "running_mean", "weight", "bias"
EPSILONS = (1e-5, 1e-3, 1e-6)  # torch's default; MobileNetV3 of torchvision; ConvNeXt
TOLERANCE = 1e-4  # relative to the largest value: float32, computed in another order


def explain(
    tensors: Mapping[str, Tensor], stored: Mapping[str, np.ndarray], missing: set[str]
) -> tuple[set[str], set[str]]:
    """Compute merged layers from the tensors of a model, and find them in an ONNX file.

    A convolution W, b that is followed by a batch normalization with mean m, variance v, scale g and shift h
    becomes W · s and (b - m) · s + h with s = g / sqrt(v + ε).

    Args:
        tensors: of the model, by name.
        stored: of the ONNX file that the model does not have, by name.
        missing: names of tensors of the model that the file lacks.

    Returns:
        Names of tensors in `missing` that are part of a layer which the file holds in its merged form, and
        names of the tensors in `stored` that hold it.
    """
    explained: set[str] = set()
    used: set[str] = set()
    for prefix in _normalizations(tensors):
        channels = tensors[prefix + VARIANCE].data.shape[0]
        for name in sorted(missing - explained):
            weight = tensors[name].data
            if weight.ndim < 2 or weight.shape[0] != channels or weight.dtype.kind != "f":
                continue
            for expected in _merged(tensors, prefix, name):
                if keys := _find(expected, {key: stored[key] for key in stored if key not in used}):
                    used |= keys
                    explained.add(name)
                    members = [prefix + part for part in (VARIANCE, MEAN, SCALE, SHIFT)]
                    explained |= missing.intersection([*members, _bias(name)])
                    break
            if name in explained:
                break
    return explained, used


def _normalizations(tensors: Mapping[str, Tensor]) -> list[str]:
    """Prefixes of batch normalizations with statistics."""
    prefixes = (name.removesuffix(VARIANCE) for name in tensors if name.endswith(VARIANCE))
    return [prefix for prefix in prefixes if prefix + MEAN in tensors]


def _bias(weight: str) -> str:
    return weight.removesuffix("weight") + "bias"


def _merged(tensors: Mapping[str, Tensor], prefix: str, name: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Weight and bias of a layer that is merged with a normalization, for each ε."""
    variance, mean = (tensors[prefix + part].data.astype(np.float64) for part in (VARIANCE, MEAN))
    scale, shift = (
        tensors[key].data.astype(np.float64) if (key := prefix + part) in tensors else neutral
        for part, neutral in ((SCALE, np.ones_like(mean)), (SHIFT, np.zeros_like(mean)))
    )
    weight, key = tensors[name].data, _bias(name)
    bias = tensors[key].data if key in tensors and key != name else np.zeros_like(mean)
    for epsilon in EPSILONS:
        factor = scale / np.sqrt(np.maximum(variance, 0) + epsilon)
        yield weight * factor.reshape(-1, *[1] * (weight.ndim - 1)), (bias - mean) * factor + shift


def _find(expected: tuple[np.ndarray, np.ndarray], stored: Mapping[str, np.ndarray]) -> set[str]:
    """Names of both tensors; none if one is not there."""
    keys = [next((key for key, array in stored.items() if _close(array, value)), None) for value in expected]
    return {key for key in keys if key is not None} if None not in keys else set()


def _close(array: np.ndarray, expected: np.ndarray) -> bool:
    if array.shape != expected.shape:
        return False
    limit = TOLERANCE * max(float(np.abs(expected).max(initial=0)), 1e-12)
    first = (0,) * array.ndim
    if array.size and not abs(float(array[first]) - float(expected[first])) <= limit:
        return False  # most candidates end here
    return bool(np.abs(array - expected).max(initial=0) <= limit)
