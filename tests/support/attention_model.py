"""A model with global attention, which was not trained: its labels depend on the tiles."""

from __future__ import annotations

import torch

from cards.base import NetworkSpec
from finetune.data.normalization import Percentile
from finetune.inference.model import Model
from finetune.targets.registry import build_target


class Attention(torch.nn.Module):
    """Pixels attend to the means of blocks of pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Raw output (N, 1, H, W): the pixels without what they attend to."""
        queries = images.flatten(2).transpose(1, 2) * self.weight
        keys = torch.nn.functional.avg_pool2d(images, 16).flatten(2).transpose(1, 2)
        seen = torch.nn.functional.scaled_dot_product_attention(queries, keys, keys)
        return images - seen.transpose(1, 2).reshape(images.shape)


def attention_model() -> Model:
    """The model, for images of one channel."""
    return Model(
        network=Attention().eval(),
        target=build_target("foreground"),
        normalize=Percentile(),
        select="auto",
        channels=1,
        divisor=4,
        architecture=NetworkSpec(repository="test", name="attention"),
    )
