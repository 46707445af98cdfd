"""What turns a network's raw rays into probability and distances, in our own predictions and in packages.

The function's source goes into BioImage.IO packages: it uses nothing but torch.
"""

from __future__ import annotations

import torch


def proposals(output: torch.Tensor) -> torch.Tensor:
    """Logit and distances (N, 1 + n, H, W) -> probability and distances (N, H, W, 1 + n).

    Distances are at least 0.001, as StarDist has it: the operations that follow take no others.
    """
    maps = torch.cat([output[:, :1].sigmoid(), output[:, 1:].clamp(min=1e-3)], dim=1)
    return maps.permute(0, 2, 3, 1)
