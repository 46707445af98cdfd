"""A promptable model: network + normalization. What a run with prompts trains, and `load` gives back."""

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
from finetune.prompts.interaction import as_corners, best, predict_masks, to_square
from finetune.repositories.registry import promptable
from finetune.targets.prompt_options import Prompts

PROMPT_BATCH_SIZE = 16  # prompts: so many masks of an image are in memory


@dataclass
class PromptedModel:
    """Everything that it takes to answer prompts.

    Attributes:
        network: images and prompts -> masks.
        target: how it was trained and is measured.
        normalize: raw pixels (C, H, W) -> float32, over the whole image.
        select: which channels of an image the network sees, as `data.channels` in a recipe.
        channels: C.
        divisor: the network's side is a multiple of this, in pixels; images may have any size.
        architecture: repository, name and options that build the network again.
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
        """Where the network's weights lie."""
        return next(self.network.parameters()).device

    def masks(
        self, image: np.ndarray, *, points: np.ndarray | None = None, boxes: np.ndarray | None = None
    ) -> np.ndarray:
        """One mask for each point or each box.

        Args:
            image: (H, W), (C, H, W) or (H, W, C) of any numeric dtype.
            points: (M, 2), x and y in pixels: the middle of the first pixel is 0, 0.
            boxes: (M, 4), x and y of the first and the last pixel.

        Returns:
            Masks (M, H, W) bool.

        Raises:
            InputError: if there are neither points nor boxes, or both, or they are not such; or the image is
                not 2D or has other channels than the model takes.
        """
        prompts = _prompts(points, boxes)
        pixels = channels_first(image, self.channels)
        with torch.inference_mode():
            features = self.encode(pixels)
            parts = [
                prompts[start : start + PROMPT_BATCH_SIZE]
                for start in range(0, len(prompts), PROMPT_BATCH_SIZE)
            ]
            found = [
                best(*predict_masks(self.network, features, part, pixels.shape[1:])) > 0 for part in parts
            ]
        return np.concatenate([np.zeros((0, *pixels.shape[1:]), bool), *(masks.cpu() for masks in found)])

    def predict(self, image: np.ndarray) -> np.ndarray:
        """Label an image without prompts, by the repository's own generator: seconds to minutes an image.

        Args:
            image: (H, W), (C, H, W) or (H, W, C) of any numeric dtype.

        Returns:
            Labels (H, W) int32, 0 is background. Where masks overlap, the smallest is on top.

        Raises:
            InputError: if the image is not 2D or has other channels than the model takes.
        """
        return self.label(channels_first(image, self.channels), self.generator())

    def generator(self) -> Any:
        """What labels images without prompts, with the weights as they are now."""
        from finetune.adapters import merge

        return promptable(self.architecture.repository).automatic(merge(self.network), self.architecture)

    def label(self, pixels: np.ndarray, generator: Any) -> np.ndarray:
        """As `predict`, for raw pixels (any channels, H, W)."""
        masks = generator.generate(self.as_photograph(pixels))
        labels = np.zeros(pixels.shape[1:], np.int32)
        for number, mask in enumerate(sorted(masks, key=lambda mask: -mask["area"]), start=1):
            labels[mask["segmentation"]] = number
        return labels

    def encode(self, pixels: np.ndarray) -> tuple[torch.Tensor, ...]:
        """Raw pixels (any channels, H, W) -> features of the image. Leaves the network in evaluation mode."""
        image = torch.from_numpy(prepare(pixels, self.select, self.channels, self.normalize))
        return self.network.eval()(to_square(image[None].to(self.device), self.network.image_size))

    def as_photograph(self, pixels: np.ndarray) -> np.ndarray:
        """Raw pixels (any channels, H, W) -> (H, W, 3) float32 of about 0..1, as SAM2's predictor takes it.

        As `finetune.networks.rgb_input.Rgb`: a gray image is repeated, of two channels the third is empty.
        """
        image = prepare(pixels, self.select, self.channels, self.normalize)
        image = np.repeat(image, 3, axis=0) if len(image) == 1 else image
        image = np.pad(image, ((0, 3 - len(image)), (0, 0), (0, 0)))
        return np.ascontiguousarray(np.moveaxis(image, 0, -1), np.float32)

    def config(self) -> dict[str, Any]:
        """What `config.json` holds: all of the model but its weights."""
        return config_of(self)


def _prompts(points: np.ndarray | None, boxes: np.ndarray | None) -> np.ndarray:
    if (points is None) == (boxes is None):
        raise InputError("give points or boxes, one of the two")
    given = np.asarray(points if boxes is None else boxes, np.float32)
    length = 2 if boxes is None else 4
    if given.ndim != 2 or given.shape[1] != length:
        what = "points (x, y)" if boxes is None else "boxes (x, y, x, y)"
        raise InputError(f"{what} have the shape (number, {length}); these have {given.shape}")
    if boxes is not None:
        return as_corners(given)
    return np.pad(given, ((0, 0), (0, 1)), constant_values=POSITIVE)[:, None]
