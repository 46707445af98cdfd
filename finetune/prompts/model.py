"""Promptable model: network and normalization, for prediction from prompts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from cards.base import NetworkSpec
from cards.errors import InputError
from finetune.data.channels import Channels
from finetune.data.normalization import Normalize
from finetune.inference.model import config_of
from finetune.inference.preprocess import channels_first, prepare
from finetune.networks.prompt_labels import POSITIVE
from finetune.networks.sam2_promptable import Promptable
from finetune.prompts.foreground import LABELS_BY, ForegroundGenerator
from finetune.prompts.interaction import as_corners, best, predict_masks, to_square
from finetune.repositories.registry import promptable
from finetune.targets.prompt_options import Prompts

PROMPT_BATCH_SIZE = 16  # prompts: number of masks of an image in memory


@dataclass
class PromptedModel:
    """A promptable network with everything needed for prediction.

    Attributes:
        network: images and prompts to masks.
        target: prompt settings for training and evaluation.
        normalize: raw pixels (C, H, W) to float32, over the whole image.
        select: channels of an image that the network uses, as `data.channels` in a recipe.
        channels: C.
        divisor: divisor of the network's image size in pixels; images may have any size.
        architecture: specification of the network: repository, name and options.
    """

    network: Promptable
    target: Prompts
    normalize: Normalize
    select: Channels
    channels: int
    divisor: int
    architecture: NetworkSpec

    @property
    def device(self) -> torch.device:
        """Device of the network's parameters."""
        return next(self.network.parameters()).device

    def masks(
        self, image: np.ndarray, *, points: np.ndarray | None = None, boxes: np.ndarray | None = None
    ) -> np.ndarray:
        """Predict one mask per point or per box.

        Args:
            image: (H, W), (C, H, W) or (H, W, C) of any numeric dtype.
            points: (M, 2), x and y in pixels; the center of the first pixel is (0, 0).
            boxes: (M, 4), x and y of the first and the last pixel.

        Returns:
            Masks (M, H, W) bool.

        Raises:
            InputError: if there are neither points nor boxes, or both, or their shape is wrong; or the image
                is not 2D or has another number of channels than the model.
        """
        prompts = _prompts(points, boxes)
        pixels = channels_first(image, self.channels)
        with torch.inference_mode():
            features = self.encode(pixels)
            parts = [
                prompts[start : start + PROMPT_BATCH_SIZE]
                for start in range(0, len(prompts), PROMPT_BATCH_SIZE)
            ]
            predicted = [
                best(*predict_masks(self.network, features, part, pixels.shape[1:])) > 0 for part in parts
            ]
        return np.concatenate([np.zeros((0, *pixels.shape[1:]), bool), *(masks.cpu() for masks in predicted)])

    def predict(self, image: np.ndarray) -> np.ndarray:
        """Segment an image without prompts, see `generator` (seconds to minutes).

        Args:
            image: (H, W), (C, H, W) or (H, W, C) of any numeric dtype.

        Returns:
            Label image (H, W) int32, 0 is background. Where masks overlap, the smallest is on top.

        Raises:
            InputError: if the image is not 2D or has another number of channels than the model.
        """
        return self.label(channels_first(image, self.channels), self.generator())

    def generator(self) -> Any:
        """Build the mask generator for images without prompts, with the current weights.

        It is that of the repository, or prompts bright objects: `target.automatic`.

        Returns:
            An object with `generate`, see `InteractiveRepository.automatic`.
        """
        from finetune.adapters import merge

        network = merge(self.network)
        if self.target.automatic == "foreground":
            return ForegroundGenerator(network)
        return promptable(self.architecture.repository).automatic(network, self.architecture)

    @property
    def labels_by(self) -> str:
        """Name of the mask generator, for the record."""
        if self.target.automatic == "foreground":
            return LABELS_BY
        return promptable(self.architecture.repository).NATIVE.labels_by

    def label(self, pixels: np.ndarray, generator: Any) -> np.ndarray:
        """Segment raw pixels without prompts.

        Args:
            pixels: (C, H, W) with any number of channels and any numeric dtype.
            generator: result of `generator`.

        Returns:
            Label image (H, W) int32, 0 is background. Where masks overlap, the smallest is on top.
        """
        masks = generator.generate(self.as_photograph(pixels))
        labels = np.zeros(pixels.shape[1:], np.int32)
        for number, mask in enumerate(sorted(masks, key=lambda mask: -mask["area"]), start=1):
            labels[mask["segmentation"]] = number
        visible = np.unique(labels[labels > 0])  # smaller masks may cover a larger one
        return np.where(labels > 0, np.searchsorted(visible, labels) + 1, 0).astype(np.int32)

    def encode(self, pixels: np.ndarray) -> tuple[torch.Tensor, ...]:
        """Compute the features of an image; leaves the network in eval mode.

        Args:
            pixels: raw pixels (C, H, W) with any number of channels.

        Returns:
            Features of the network's image encoder.
        """
        image = torch.from_numpy(prepare(pixels, self.select, self.channels, self.normalize))
        return self.network.eval()(to_square(image[None].to(self.device), self.network.image_size))

    def as_photograph(self, pixels: np.ndarray) -> np.ndarray:
        """Convert raw pixels to the RGB input of SAM 2's predictor.

        As in `finetune.networks.rgb_input.Rgb`, a single channel is repeated and a missing third channel is
        0.

        Args:
            pixels: raw pixels (C, H, W) with any number of channels.

        Returns:
            (H, W, 3) float32 of about 0..1.
        """
        image = prepare(pixels, self.select, self.channels, self.normalize)
        image = np.repeat(image, 3, axis=0) if len(image) == 1 else image
        image = np.pad(image, ((0, 3 - len(image)), (0, 0), (0, 0)))
        return np.ascontiguousarray(np.moveaxis(image, 0, -1), np.float32)

    def config(self) -> dict[str, Any]:
        """Content of `config.json`: the description of the model without its weights.

        Returns:
            A dictionary that can be written as JSON.
        """
        return config_of(self)


def _prompts(points: np.ndarray | None, boxes: np.ndarray | None) -> np.ndarray:
    if (points is None) == (boxes is None):
        raise InputError("expected either points or boxes")
    values = np.asarray(points if boxes is None else boxes, np.float32)
    length = 2 if boxes is None else 4
    if values.ndim != 2 or values.shape[1] != length:
        what = "points (x, y)" if boxes is None else "boxes (x, y, x, y)"
        raise InputError(f"{what} must have the shape (number, {length}), got {values.shape}")
    if boxes is not None:
        return as_corners(values)
    return np.pad(values, ((0, 0), (0, 1)), constant_values=POSITIVE)[:, None]
