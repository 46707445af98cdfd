"""Linear layers with weights in the order in which oneDNN multiplies them.

A linear layer of torch rearranges its bfloat16 weights in every call, which takes SAM 2.1 tiny 2 to 7 % of
its time for an image of 256 pixels (`benchmarks/precision.py`). The operations here are those that
`torch.compile` puts in place of linear layers on CPUs (torch/_inductor/fx_passes/mkldnn_fusion.py).
"""

from __future__ import annotations

import torch
from torch import nn


class PackedLinear(nn.Module):
    """A linear layer of bfloat16 weights for prediction on CPUs: `nn.Linear` up to rounding."""

    def __init__(self, layer: nn.Linear) -> None:
        """Rearrange the weights of a layer.

        Args:
            layer: with bfloat16 weights, on the CPU.
        """
        super().__init__()
        self.packed = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach())
        self.bias = None if layer.bias is None else layer.bias.detach()

    @property
    def weight(self) -> torch.Tensor:
        """The weights (outputs, inputs) bfloat16, for networks that read them; a copy."""
        return self.packed.to_dense()

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map vectors.

        Args:
            values: (..., inputs), converted to bfloat16.

        Returns:
            (..., outputs) bfloat16.
        """
        values = values.to(torch.bfloat16)
        mapped: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
            values, self.packed, self.bias, "none", [], ""
        )
        return mapped


def pack_linear_layers(network: nn.Module) -> None:
    """Replace the linear layers of a network in place.

    Subclasses of `nn.Linear` stay as they are; so does everything if this build of torch lacks oneDNN.

    Args:
        network: on the CPU; its linear layers have bfloat16 weights.
    """
    if not torch.backends.mkldnn.is_available():
        return
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.Linear:
                setattr(parent, name, PackedLinear(child))
