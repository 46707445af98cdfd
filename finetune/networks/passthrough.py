"""Weights that are saved with the model but never executed or trained."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn


class PassthroughWeights(nn.Module):
    """Tensors by name, for parts of a model that are neither executed nor trained.

    They are buffers: they are saved and loaded, but not counted, adapted or trained as parameters.
    """

    def __init__(self, state: Mapping[str, torch.Tensor]) -> None:
        """Register the tensors as buffers, detached from the graph.

        Args:
            state: tensors by name; dots in a name make submodules.
        """
        super().__init__()
        for name, tensor in state.items():
            *parents, last = name.split(".")
            place: nn.Module = self
            for parent in parents:
                if parent not in place._modules:
                    place.add_module(parent, nn.Module())
                place = place.get_submodule(parent)
            place.register_buffer(last, tensor.detach())
