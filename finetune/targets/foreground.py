"""Foreground: one map, the probability that a pixel lies in an instance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from finetune.targets import probability as shared

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch


class Foreground:
    """Learns foreground against background. Instances that touch are read back as one."""

    name = "foreground"
    channels = 1
    labels: Literal["instances", "boundary"] = "instances"
    loss_name = shared.PROBABILITY_LOSS
    map_names: tuple[str, ...] = ("foreground",)
    keep_encoded = whole = False
    exports_labels = False
    exported_axes: Literal["bcyx", "byxc"] = "bcyx"
    choices: dict[str, tuple[float, ...]] = {}

    def encode(self, labels: np.ndarray) -> np.ndarray:
        """Labels (H, W) -> maps (1, H, W) float32, 0 or 1."""
        return (labels > 0)[None].astype(np.float32)

    def loss(self, output: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
        """See `finetune.targets.probability.probability_loss`."""
        return shared.probability_loss(output, maps)

    def activate(self, output: torch.Tensor) -> torch.Tensor:
        """Logits -> probabilities."""
        return shared.probability(output)

    def decode(self, maps: np.ndarray) -> np.ndarray:
        """Maps (1, H, W) -> labels (H, W) int32: connected components of probability > 0.5.

        Pixels that touch by a corner only are apart (4-connected): on DSB 2018 masks that tells
        more nuclei apart (AP at 0.5 of 0.845 against 0.842) than it breaks.
        """
        from scipy.ndimage import label

        return label(maps[0] > 0.5, output=np.int32)[0]

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
        """Logits -> probabilities; BioImage.IO has no operation for connected components."""
        return [{"id": "sigmoid"}]
