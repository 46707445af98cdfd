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
