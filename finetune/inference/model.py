"""A model: network + target + normalization. What a run trains, an export writes and `load` gives back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from cards.base import NetworkSpec
from cards.errors import DataError
from finetune.data.channels import Channels, select_channels
from finetune.data.normalization import Normalize
from finetune.inference.tiling import OVERLAP, predict_maps
from finetune.targets.base import Target

if TYPE_CHECKING:
    from finetune.inference.bioimageio_model import PackageModel
    from finetune.prompts.model import PromptedModel


@dataclass
class Model:
    """Everything that it takes to label an image.

    Attributes:
        network: (N, C, H, W) float32 -> raw output (N, K, H, W).
        target: what the maps mean.
        normalize: raw pixels (C, H, W) -> float32, over the whole image.
        select: which channels of an image the network sees, as `data.channels` in a recipe.
        channels: C.
        divisor: heights and widths that the network takes are multiples of this, in pixels.
        architecture: repository, name and options that build the network again.
        halo: pixels at the edge of a tile of which the output is not used, where tiles meet.
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
        """Where the network's weights lie."""
        return next(self.network.parameters()).device

    def predict(self, image: np.ndarray) -> np.ndarray:
        """Label an image.

        Args:
            image: (H, W), (C, H, W) or (H, W, C) of any numeric dtype.

        Returns:
            Labels (H, W) int32, 0 is background.

        Raises:
            DataError: if the image is not 2D or has other channels than the model takes.
        """
        return self.target.decode(self.predict_maps(self.prepare(channels_first(image, self.channels))))

    def prepare(self, pixels: np.ndarray) -> torch.Tensor:
        """Raw pixels (any channels, H, W) -> what the network sees: (C, H, W) float32, on its device.

        Raises:
            DataError: if there are other channels than the model takes.
        """
        pixels = prepare(pixels, self.select, self.channels, self.normalize)
        return torch.from_numpy(pixels).to(self.device)

    def predict_maps(self, image: torch.Tensor) -> np.ndarray:
        """Prepared image (C, H, W) -> maps (K, H, W) float32. Leaves the network in evaluation mode."""
        self.network.eval()
        overlap = max(OVERLAP, 2 * self.halo)
        return predict_maps(self.network, self.target, image, self.divisor, overlap=overlap)

    def config(self) -> dict[str, Any]:
        """What `config.json` holds: all of the model but its weights."""
        return config_of(self)


def config_of(model: Model | PromptedModel) -> dict[str, Any]:
    """What `config.json` holds: all of a model but its weights."""
    return {
        "library_name": "finetune",
        "architecture": model.architecture.model_dump(),
        "target": {"name": model.target.name, "options": model.target.options()},
        "normalize": {"name": model.normalize.name, **model.normalize.options()},
        "select_channels": model.select,
        "channels": model.channels,
    }


def prepare(pixels: np.ndarray, select: Channels, channels: int, normalize: Normalize) -> np.ndarray:
    """Raw pixels (any channels, H, W) -> what a network sees: (C, H, W) float32.

    Raises:
        DataError: if there are other channels than it takes.
    """
    pixels = select_channels(pixels, select)
    if len(pixels) != channels:
        raise DataError(f"the image has {len(pixels)} channels; this model takes {channels}")
    return normalize(pixels)


def channels_first(image: np.ndarray, channels: int) -> np.ndarray:
    """(H, W), (C, H, W) or (H, W, C) -> (C, H, W).

    Raises:
        DataError: if there are fewer than two or more than three axes.
    """
    image = np.asarray(image)
    if image.ndim == 2:
        return image[None]
    if image.ndim != 3:
        raise DataError(f"an image has axes (H, W), (C, H, W) or (H, W, C); this has shape {image.shape}")
    # The channel axis has as many entries as the model expects; else it is the shorter.
    first, last = image.shape[0] == channels, image.shape[-1] == channels
    is_last = last if first != last else image.shape[-1] < image.shape[0]
    return np.moveaxis(image, -1, 0) if is_last else image


def load(source: str | Path) -> Model | PromptedModel | PackageModel:
    """Load a model that a run exported, or a BioImage.IO package.

    Args:
        source: a run folder, its `huggingface` folder, or an id on the Hugging Face Hub, such as
            "user/name" or "user/name@revision"; or any package: a zip, a folder or an rdf.yaml.

    Returns:
        The model, ready to `predict`. Weights are read as safetensors, or, of a package, as TorchScript or
        ONNX: no code is run.

    Raises:
        ModelError: if there is nothing there, or it is not a model of ours.
    """
    from finetune.inference.bioimageio_model import PackageModel, is_package

    if is_package(source):
        return PackageModel(source)
    from finetune.export.huggingface import load_model

    return load_model(source)
