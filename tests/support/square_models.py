"""Small models whose maps are known: the foreground is where an image exceeds a level."""

from __future__ import annotations

import torch
from torch import nn

from cards.base import NetworkSpec
from finetune.data.normalization import build_normalize
from finetune.inference.model import Model
from finetune.targets.registry import build_target


class Level(nn.Module):
    """Raw output: positive where the image is brighter than a level."""

    def __init__(self, level: float, maps: int = 1) -> None:
        super().__init__()
        self.level, self.maps = nn.Parameter(torch.tensor(level)), maps

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return (image[:, :1] - self.level).repeat(1, self.maps, 1, 1)


def level_model(level: float, target: str = "foreground", channels: int = 1) -> Model:
    """A model of one channel, of which the foreground is brighter than a level from 0 to 1."""
    built = build_target(target)
    normalize = build_normalize({"name": "percentile", "low": 0.0, "high": 100.0})
    network = Level(level, built.channels)
    return Model(network, built, normalize, "auto", channels, 1, NetworkSpec(repository="wipp", name="level"))
