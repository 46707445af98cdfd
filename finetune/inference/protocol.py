"""Protocol of a model that predicts label images: the return type of `finetune.load`."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class Predictor(Protocol):
    """A model that predicts a label image.

    Attributes:
        channels: number of channels of the images that it takes.
    """

    channels: int

    def predict(self, image: np.ndarray) -> np.ndarray:
        """Predict the labels of one image.

        Args:
            image: (H, W), (C, H, W) or (H, W, C) of any numeric dtype.

        Returns:
            Labels (H, W) int32, 0 is background.

        Raises:
            DataError: if the image is not 2D or has another number of channels.
        """


@runtime_checkable
class PromptPredictor(Predictor, Protocol):
    """A model that also predicts masks from prompts."""

    def masks(
        self, image: np.ndarray, *, points: np.ndarray | None = None, boxes: np.ndarray | None = None
    ) -> np.ndarray:
        """Predict one mask per point or per box.

        Args:
            image: (H, W), (C, H, W) or (H, W, C) of any numeric dtype.
            points: (M, 2), x and y in pixels; the center of the first pixel is 0, 0.
            boxes: (M, 4), x and y of the first and the last pixel.

        Returns:
            Masks (M, H, W) bool.

        Raises:
            DataError: if the image is not 2D or has another number of channels.
        """
