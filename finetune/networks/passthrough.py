"""Weights that go along with a network, neither run nor trained."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn


class PassthroughWeights(nn.Module):
    """Tensors by their names, dots included: the parts of a model that have no part in what is trained.

    They are buffers, so that nothing counts, adapts or trains them; they are saved and loaded as all else.
    """

    def __init__(self, state: Mapping[str, torch.Tensor]) -> None:
        """Take the tensors, detached from whatever computed them."""
        super().__init__()
        for name, tensor in state.items():
            *parents, last = name.split(".")
            place: nn.Module = self
            for parent in parents:
                if parent not in place._modules:
                    place.add_module(parent, nn.Module())
                place = place.get_submodule(parent)
            place.register_buffer(last, tensor.detach())
