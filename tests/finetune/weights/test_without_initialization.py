"""Networks that are built for a checkpoint draw no random weights."""

from __future__ import annotations

import torch
from torch import nn

from finetune.weights.without_initialization import WithoutInitialization


def test_layers_draw_no_random_numbers_and_other_tensors_do() -> None:
    state = torch.get_rng_state()
    with WithoutInitialization():
        network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4), nn.Linear(4, 2), nn.Embedding(3, 2))
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.equal(network[1].weight, torch.ones(4))  # constants are no random numbers
        assert torch.zeros(8).uniform_().any()
    assert not torch.equal(torch.get_rng_state(), state)
    assert torch.isfinite(nn.Linear(4, 2).weight).all()
