"""Boundary: one map, the probability that a pixel lies on a boundary, e.g. a ZO-1 stained cell border."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from finetune.targets import probability as shared

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch


class Boundary:
    """Learns a boundary mask and gives a boundary mask back; the label image is 0 or 1."""

    name = "boundary"
    channels = 1
    labels: Literal["instances", "boundary"] = "boundary"
    loss_name = shared.PROBABILITY_LOSS
    map_names: tuple[str, ...] = ("boundary",)
    keep_encoded = whole = False
    exports_labels = False
    exported_axes: Literal["bcyx", "byxc"] = "bcyx"
    choices: dict[str, tuple[float, ...]] = {}

    def encode(self, labels: np.ndarray) -> np.ndarray:
        """Labels (H, W), 0 or 1 -> maps (1, H, W) float32, the same values."""
        return (labels > 0)[None].astype(np.float32)

    def loss(self, output: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
        """See `finetune.targets.probability.probability_loss`."""
        return shared.probability_loss(output, maps)

    def activate(self, output: torch.Tensor) -> torch.Tensor:
        """Logits -> probabilities."""
        return shared.probability(output)

    def decode(self, maps: np.ndarray) -> np.ndarray:
        """Maps (1, H, W) -> labels (H, W) int32: 1 where probability > 0.5."""
        return (maps[0] > 0.5).astype(np.int32)

    def orient(self, maps: np.ndarray, rotations: int, flip: bool) -> np.ndarray:
        """Turn and mirror the pixels."""
        return shared.orient_pixels(maps, rotations, flip)

    def rescale(self, maps: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """Nearest neighbor."""
        return shared.rescale_pixels(maps, shape)

    def options(self) -> dict[str, Any]:
        """None."""
        return {}

    def head(self) -> Callable[[torch.Tensor], torch.Tensor] | None:
        """None: the operations take raw output."""
        return None

    def bioimageio_postprocessing(self) -> list[dict[str, Any]]:
        """Logits -> probabilities."""
        return [{"id": "sigmoid"}]
