"""Models that predict maps: what is averaged over symmetries and models, and saved as probabilities."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from cards.errors import ModelError
from finetune.inference.preprocess import channels_first
from finetune.inference.protocol import Predictor


def has_maps(model: Predictor) -> bool:
    """Whether a model predicts maps that its target decodes.

    Args:
        model: any model.

    Returns:
        False for prompted models.
    """
    return hasattr(model, "predict_maps") and hasattr(model, "target")


def map_names(model: Any) -> tuple[str, ...]:
    """Names of the maps of a model.

    Args:
        model: a model that predicts maps.

    Returns:
        One name per map.
    """
    return tuple(getattr(model.target, "map_names", ()))


def label_content(model: Any) -> Literal["instances", "boundary"]:
    """What the labels of a model are.

    Args:
        model: any model.

    Returns:
        "boundary" if they are 1 on a boundary.
    """
    content: Literal["instances", "boundary"] = getattr(getattr(model, "target", None), "labels", "instances")
    return content


def predict_pixels(model: Any, pixels: np.ndarray) -> np.ndarray:
    """Predict the maps of an image.

    Args:
        model: a model that predicts maps.
        pixels: (C, H, W) of any numeric dtype.

    Returns:
        Maps (K, H, W) float32.
    """
    prepared = model.prepare(pixels) if hasattr(model, "prepare") else pixels
    maps: np.ndarray = model.predict_maps(prepared)
    return maps


def predict_with_maps(model: Any, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Predict labels and maps of an image.

    Args:
        model: any model.
        image: (H, W), (C, H, W) or (H, W, C) of any numeric dtype.

    Returns:
        Labels (H, W) int32, and the maps (K, H, W) float32 that they were decoded from.

    Raises:
        ModelError: if the model predicts no maps.
    """
    if not has_maps(model):
        raise ModelError("--save probabilities: the model predicts no maps; leave it out")
    maps = predict_pixels(model, channels_first(image, model.channels))
    return model.target.decode(maps), maps
