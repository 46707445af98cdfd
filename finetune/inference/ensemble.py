"""Several models as one: their maps are averaged before the labels are decoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cards.errors import ModelError
from finetune.data.channels import Channels
from finetune.inference.map_models import has_maps, predict_pixels
from finetune.inference.preprocess import channels_first
from finetune.inference.protocol import Predictor


class EnsembleModel:
    """Averages the maps of models of the same target.

    Each member selects and normalizes the channels of an image as it was trained. The options of the first
    member's target decode the averaged maps.

    Attributes:
        members: the models.
        channels: number of channels of the images that they take.
        select: which channels of an image the first network uses.
        target: decodes the averaged maps.
    """

    def __init__(self, members: Sequence[Predictor], names: Sequence[str]) -> None:
        """Combine models.

        Args:
            members: at least two models that predict maps.
            names: of the models, for messages.

        Raises:
            ModelError: if the maps cannot be averaged; names the model that differs.
        """
        models: list[Any] = list(members)
        if len(models) < 2:
            raise ModelError("an ensemble needs at least two models")
        for model, name in zip(models, names, strict=True):
            if not has_maps(model):
                raise ModelError(
                    f"{name}: predicts no maps that could be averaged; leave it out of the ensemble"
                )
            if model.target.whole:
                raise ModelError(
                    f"{name}: maps of the target {model.target.name} cannot be averaged; leave it out of the "
                    "ensemble"
                )
            for what, found, expected in _facts(model, models[0]):
                if found != expected:
                    raise ModelError(
                        f"{name}: {what} is {found}, that of {names[0]} is {expected}; an ensemble averages "
                        "maps with the same meaning: leave one of the models out"
                    )
        self.members = models
        self.target, self.channels = models[0].target, models[0].channels
        self.select: Channels = getattr(models[0], "select", "auto")

    def predict(self, image: np.ndarray) -> np.ndarray:
        """Predict the labels of one image.

        Args:
            image: (H, W), (C, H, W) or (H, W, C) of any numeric dtype.

        Returns:
            Labels (H, W) int32, 0 is background.

        Raises:
            DataError: if the image is not 2D or has another number of channels.
        """
        labels: np.ndarray = self.target.decode(self.predict_maps(channels_first(image, self.channels)))
        return labels

    def predict_maps(self, pixels: np.ndarray) -> np.ndarray:
        """Predict the averaged maps of an image.

        Args:
            pixels: (C, H, W) of any numeric dtype.

        Returns:
            Maps (K, H, W) float32.

        Raises:
            DataError: if the image has another number of channels than a member takes.
        """
        total = np.zeros((self.target.channels, *pixels.shape[1:]), np.float32)
        for member in self.members:
            total += predict_pixels(member, pixels)
        return total / len(self.members)


def _facts(model: Any, first: Any) -> list[tuple[str, Any, Any]]:
    return [
        ("the target", model.target.name, first.target.name),
        ("the number of maps", model.target.channels, first.target.channels),
        ("the number of channels", model.channels, first.channels),
    ]
