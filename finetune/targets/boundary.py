"""Boundary: one map, the probability that a pixel lies on a boundary, e.g. a ZO-1 stained cell border."""

from __future__ import annotations

from typing import Literal

import numpy as np

from finetune.targets.probability import ProbabilityTarget


class Boundary(ProbabilityTarget):
    """A boundary mask in, a boundary mask out; the label image is 0 or 1."""

    name = "boundary"
    channels = 1
    labels: Literal["instances", "boundary"] = "boundary"
    map_names: tuple[str, ...] = ("boundary",)
    stitching = "pixels"

    def encode(self, labels: np.ndarray) -> np.ndarray:
        """Encode the boundary mask.

        Args:
            labels: (H, W) integer, 0 or 1.

        Returns:
            Maps (1, H, W) float32, 0 or 1.
        """
        return (labels > 0)[None].astype(np.float32)

    def decode(self, maps: np.ndarray) -> np.ndarray:
        """Threshold the probability at 0.5.

        Args:
            maps: probabilities (1, H, W).

        Returns:
            Labels (H, W) int32, 0 or 1.
        """
        return (maps[0] > 0.5).astype(np.int32)
