"""A model: network, target and normalization. Runs train it, exporters write it, and `load` returns it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import torch
from torch import nn

from cards.base import NetworkSpec
from finetune.data.channels import Channels
from finetune.data.normalization import Normalize
from finetune.inference.image_statistics import image_statistics
from finetune.inference.preprocess import channels_first, prepare
from finetune.inference.receptive_field import measure_receptive_field, statistics_of_noise
from finetune.inference.shared_statistics import Network, Statistics, share_statistics
from finetune.inference.tile_network import TileNetwork
from finetune.inference.tiling import HALO, TILE, Grid, predict_maps, read_padded
from finetune.targets.base import Target
from finetune.utils.bfloat16 import in_bf16

if TYPE_CHECKING:
    from finetune.prompts.model import PromptedModel


Precision = Literal["float32", "bf16"]
"""In which a network runs; its raw output is converted to float32."""


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
        halo: pixels of context that a tile needs on each side, where they are known.
        receptive_field: its radius in pixels; "image" if every pixel of the input counts; None if it was not
            measured.
        torchscript: whether the network is saved as TorchScript, because finetune has no code that builds it.
        verified: the precision in which the run evaluated the model; bf16 if it found the labels of float32.
        precision: in which the network runs now. Once it is bf16, the weights must not change.
    """

    network: nn.Module
    target: Target
    normalize: Normalize
    select: Channels
    channels: int
    divisor: int
    architecture: NetworkSpec
    halo: int = 0
    receptive_field: int | Literal["image"] | None = None
    torchscript: bool = False
    verified: Precision = "float32"
    precision: Precision = "float32"
    _bf16: Callable[[torch.Tensor], torch.Tensor] | None = field(default=None, init=False, repr=False)
    _has_statistics: bool | None = field(default=None, init=False, repr=False)

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

    def predict_maps(self, image: torch.Tensor, *, tile: int = TILE) -> np.ndarray:
        """Predict the maps of a prepared image. Sets the network to evaluation mode.

        Args:
            image: (C, H, W) float32, as `prepare` returns it.
            tile: height and width in pixels above which the image is tiled.

        Returns:
            Maps (K, H, W) float32.
        """
        self.network.eval()
        height, width = image.shape[-2:]
        tiled = max(height, width) > tile and not self.target.whole
        halo, run = self.tile_halo(tile) if tiled else 0, cast("Network", self.run)
        if tiled and self.shares_statistics and min(height, width) >= self.divisor:
            grid = Grid(height, width, self.divisor, tile, halo)
            run = share_statistics(self.run, image_statistics(self.run, grid, read_padded(image, grid)))
        return predict_maps(run, self.target, image, self.divisor, tile=tile, halo=halo)

    def run(self, images: torch.Tensor) -> torch.Tensor:
        """Run the network in the precision of the model.

        Args:
            images: (N, C, H, W) float32, on the network's device.

        Returns:
            Raw output (N, K, H, W), or that of a network without maps; bfloat16 or float32.
        """
        if self.precision == "float32":
            output: torch.Tensor = self.network(images)
            return output
        self._bf16 = self._bf16 or in_bf16(self.network)
        return self._bf16(images)

    def measure_receptive_field(self) -> None:
        """Measure how far an output pixel depends on the input; sets `receptive_field` and `halo`.

        Both stay as they are if the network gives no gradient.
        """
        found = measure_receptive_field(self.network, self.channels, self.divisor)
        if found:
            self.receptive_field = found.radius
            self.halo = found.halo if found.radius != "image" else found.halo or self.halo

    @property
    def shares_statistics(self) -> bool:
        """Whether layers use the same statistics in all tiles, see `finetune.inference.shared_statistics`.

        Only if the network does not depend on the whole image in another way, too.
        """
        if self.receptive_field != "image":
            return False
        if self._has_statistics is None:
            self._has_statistics = bool(self._statistics_of_noise())
        if self._has_statistics and not self.halo:  # it was measured before halos of such networks were
            self.measure_receptive_field()
        return self._has_statistics and self.halo > 0

    def _statistics_of_noise(self) -> Statistics:
        if isinstance(self.network, torch.jit.ScriptModule):
            return []
        return statistics_of_noise(
            lambda noise: self.network(noise.to(self.device)), self.channels, self.divisor
        )

    def tile_halo(self, tile: int = TILE) -> int:
        """Pixels of context around the kept part of a tile.

        Args:
            tile: height and width of a tile in pixels.

        Returns:
            The measured halo; of a network that depends on the whole image in other ways than by statistics,
            or was not measured, the halo that its package states, and at least `HALO`, but no more than a
            quarter of the tile.
        """
        if self.receptive_field is None:
            self.measure_receptive_field()
        if isinstance(self.receptive_field, int) or self.shares_statistics:
            return self.halo
        return min(max(HALO, self.halo), tile // 4)

    def can_tile(self, *, turned: bool) -> bool:
        """Whether maps are predicted tile by tile.

        Args:
            turned: whether the image is rotated and mirrored.

        Returns:
            False if the target needs maps that were predicted in one piece.
        """
        return not self.target.whole

    def tile_network(self, tile: int = TILE) -> TileNetwork:
        """The network and what it needs of a tile. Sets the network to evaluation mode.

        Args:
            tile: height and width of a tile in pixels.

        Returns:
            The network.
        """
        self.network.eval()
        return TileNetwork(
            self.run,
            self.target.activate,
            self.normalize,
            self.select,
            self.device,
            self.divisor,
            tile,
            self.tile_halo(tile),
            shares_statistics=self.shares_statistics,
        )

    def config(self) -> dict[str, Any]:
        """Content of `config.json`.

        Returns:
            JSON-compatible values that rebuild the model, given its weights.
        """
        measured = {"receptive_field": self.receptive_field, "halo": self.halo}
        verified = {"inference_precision": self.verified} if self.verified != "float32" else {}
        return config_of(self) | verified | (measured if self.receptive_field is not None else {})


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
