"""A small model, and images that it can label."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from finetune.data.normalise import Normalise, Percentile
from finetune.model import Model
from finetune.repositories import load
from finetune.targets import build_target

MakeModel = Callable[..., Model]


@pytest.fixture
def make_model() -> MakeModel:
    """make_model(channels=1, target="foreground", normalise=Percentile(), select="auto", seed=0)."""

    def make(
        channels: int = 1,
        target: str = "foreground_boundary",
        normalise: Normalise | None = None,
        select: str | list[int] = "auto",
        seed: int = 0,
    ) -> Model:
        built = build_target(target, {})
        loaded = load(
            "wipp",
            "unet",
            in_channels=channels,
            out_channels=built.channels,
            options={"width": 8, "depth": 2},
            seed=seed,
        )
        with torch.no_grad():  # a scale at which random weights give probabilities on both sides of 0.5
            loaded.network.head.weight *= 3
        return Model(
            network=loaded.network,
            target=built,
            normalise=normalise or Percentile(),
            select=select,
            channels=channels,
            divisor=loaded.divisor,
            architecture=loaded.architecture,
        )

    return make


@pytest.fixture
def image() -> Callable[..., np.ndarray]:
    """image(channels=1, height=50, width=70, dtype=np.uint16, seed=0) -> blobs (C, H, W)."""
    from scipy.ndimage import gaussian_filter

    def make(
        channels: int = 1, height: int = 50, width: int = 70, dtype: type = np.uint16, seed: int = 0
    ) -> np.ndarray:
        noise = np.random.default_rng(seed).normal(size=(channels, height, width))
        blobs = gaussian_filter(noise, (0, 3, 3))
        return (200 + 300 * (blobs - blobs.min())).astype(dtype)

    return make
