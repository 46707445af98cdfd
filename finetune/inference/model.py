"""A model: network, target and normalization. Runs train it, exporters write it, and `load` returns it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from cards.base import NetworkSpec
from finetune.data.channels import Channels
from finetune.data.normalization import Normalize
from finetune.inference.preprocess import channels_first, prepare
from finetune.inference.tiling import OVERLAP, predict_maps
from finetune.targets.base import Target

if TYPE_CHECKING:
    from finetune.prompts.model import PromptedModel


@dataclass
class Model:
    """Everything needed to predict the labels of an image.

    Attributes:
        network: (N, C, H, W) float32 -> raw output (N, K, H, W).
        target: activates and decodes the raw output.
        normalize: raw pixels (C, H, W) -> float32, computed over the whole image.
        select: which channels of an image the network uses, as `data.channels` in a recipe.
        channels: number of channels, C.
        divisor: the network takes heights and widths that are multiples of this, in pixels.
        architecture: repository, name and options that rebuild the network.
        halo: width in pixels of the margin of a tile whose output is discarded where tiles overlap.
        torchscript: whether the network is saved as TorchScript, because finetune has no code that builds it.
    """

    network: nn.Module
    target: Target
    normalize: Normalize
    select: Channels
    channels: int
    divisor: int
    architecture: NetworkSpec
    halo: int = 0
    torchscript: bool = False

    @property
    def device(self) -> torch.device:
        """Device of the network's parameters."""
        return next(self.network.parameters()).device

    def predict(self, image: np.ndarray) -> np.ndarray:
        """Predict the labels of one image.

        Args:
            image: (H, W), (C, H, W) or (H, W, C) of any numeric dtype.

        Returns:
            Labels (H, W) int32, 0 is background.

        Raises:
            DataError: if the image is not 2D or has another number of channels.
        """
        return self.target.decode(self.predict_maps(self.prepare(channels_first(image, self.channels))))

    def prepare(self, pixels: np.ndarray) -> torch.Tensor:
        """Select channels, normalize, and copy to the network's device.

        Args:
            pixels: (any number of channels, H, W), as read.

        Returns:
            Network input (C, H, W) float32.

        Raises:
            DataError: if the number of selected channels is not C.
        """
        pixels = prepare(pixels, self.select, self.channels, self.normalize)
        return torch.from_numpy(pixels).to(self.device)

    def predict_maps(self, image: torch.Tensor) -> np.ndarray:
        """Predict the maps of a prepared image. Sets the network to evaluation mode.

        Args:
            image: (C, H, W) float32, as `prepare` returns it.

        Returns:
            Maps (K, H, W) float32.
        """
        self.network.eval()
        overlap = max(OVERLAP, 2 * self.halo)
        return predict_maps(self.network, self.target, image, self.divisor, overlap=overlap)

    def config(self) -> dict[str, Any]:
        """Content of `config.json`.

        Returns:
            JSON-compatible values that rebuild the model, given its weights.
        """
        return config_of(self)


def config_of(model: Model | PromptedModel) -> dict[str, Any]:
    """Content of `config.json`: everything that rebuilds a model, given its weights.

    Args:
        model: of either task.

    Returns:
        JSON-compatible values.
    """
    return {
        "library_name": "finetune",
        "architecture": model.architecture.model_dump(),
        "target": {"name": model.target.name, "options": model.target.options()},
        "normalize": {"name": model.normalize.name, **model.normalize.options()},
        "select_channels": model.select,
        "channels": model.channels,
    }
