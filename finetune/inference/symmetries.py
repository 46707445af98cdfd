"""The 8 rotations and reflections of the square: averaged predictions, and how much they disagree."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from cards.errors import ModelError
from finetune.data.channels import Channels
from finetune.inference.map_models import has_maps
from finetune.inference.preprocess import channels_first
from finetune.inference.protocol import Predictor
from finetune.metrics.dice import dice
from finetune.targets.pixels import orient_pixels

SYMMETRIES = tuple(product(range(4), (False, True)))
"""Quarter turns, and whether the image is mirrored after the rotation."""


class SymmetricModel:
    """Averages the maps of the 8 symmetries of an image before they are decoded.

    The maps of each orientation are turned back by the target, so that directions, such as those of flows and
    rays, turn with the image.

    Attributes:
        model: the model.
        channels: number of channels of the images that it takes.
        select: which channels of an image the network uses.
        target: decodes the averaged maps.
    """

    def __init__(self, model: Predictor) -> None:
        """Wrap a model.

        Args:
            model: a network with a target whose maps can be averaged.

        Raises:
            ModelError: if the model predicts no maps, or its maps cannot be averaged.
        """
        predictor: Any = model
        if not has_maps(predictor):
            raise ModelError(
                "--symmetries: the model predicts no maps that could be averaged; remove the option"
            )
        if predictor.target.whole:
            raise ModelError(
                f"--symmetries: maps of the target {predictor.target.name} cannot be averaged; remove the "
                "option"
            )
        self.model, self.target, self.channels = predictor, predictor.target, predictor.channels
        self.select: Channels = getattr(predictor, "select", "auto")

    def predict(self, image: np.ndarray) -> np.ndarray:
        """Predict the labels of one image; takes 8 times as long as the model alone.

        Args:
            image: (H, W), (C, H, W) or (H, W, C) of any numeric dtype.

        Returns:
            Labels (H, W) int32, 0 is background.

        Raises:
            DataError: if the image is not 2D or has another number of channels.
        """
        return self.target.decode(self.predict_maps(channels_first(image, self.channels)))

    def predict_maps(self, pixels: np.ndarray) -> np.ndarray:
        """Predict the averaged maps of an image.

        Args:
            pixels: (C, H, W) of any numeric dtype.

        Returns:
            Maps (K, H, W) float32.
        """
        prepared = hasattr(self.model, "prepare")
        image = self.model.prepare(pixels).cpu().numpy() if prepared else pixels
        total = np.zeros((self.target.channels, *image.shape[1:]), np.float32)
        for rotations, flip in SYMMETRIES:
            turned = np.ascontiguousarray(orient_pixels(image, rotations, flip))
            total += turn_back(self.target, self._maps(turned, prepared), rotations, flip)
        return total / len(SYMMETRIES)

    def _maps(self, image: np.ndarray, prepared: bool) -> np.ndarray:
        """Maps of a prepared image, or by a package, which prepares it itself."""
        given: Any = image
        if prepared:
            import torch

            given = torch.from_numpy(image).to(self.model.device)
        maps: np.ndarray = self.model.predict_maps(given)
        return maps


def turn_back(target: Any, maps: np.ndarray, rotations: int, flip: bool) -> np.ndarray:
    """Undo a rotation of maps that was followed by a reflection.

    Args:
        target: the target of the maps, whose directions turn with the image.
        maps: (K, H, W) of the oriented image.
        rotations: quarter turns, 0 to 3, as `np.rot90`.
        flip: whether the image was mirrored left to right after the rotation.

    Returns:
        Maps of the image.
    """
    maps = target.orient(maps, 0, True) if flip else maps
    turned: np.ndarray = target.orient(maps, -rotations % 4, False)
    return turned


def measure_disagreement(model: Predictor, image: np.ndarray) -> tuple[np.ndarray, float]:
    """Compare the predictions for the 8 symmetries of an image; takes 8 times as long as the model alone.

    Args:
        model: any model.
        image: (H, W), (C, H, W) or (H, W, C) of any numeric dtype.

    Returns:
        Labels (H, W) int32 of the image as it is; and 1 minus the mean Dice between them and the labels of
        the 7 other orientations, turned back: 0 if all agree.

    Raises:
        DataError: if the image is not 2D or has another number of channels.
    """
    pixels = channels_first(image, model.channels)
    labels = model.predict(pixels)
    scores = []
    for rotations, flip in SYMMETRIES[1:]:
        turned = model.predict(orient_pixels(pixels, rotations, flip))
        unflipped = orient_pixels(turned, 0, True) if flip else turned
        scores.append(dice(orient_pixels(unflipped, -rotations % 4, False), labels))
    return labels, 1 - float(np.mean(scores))
