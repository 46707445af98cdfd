"""Head of the target rays, used for predictions and in packages.

Its source is copied into BioImage.IO packages, so it uses torch only.
"""

from __future__ import annotations

import torch


def proposals(output: torch.Tensor) -> torch.Tensor:
    """Convert raw output to object probability and distances.

    Distances are at least 0.001, as in StarDist: the operations that follow require it.

    Args:
        output: logit and distances (N, 1 + n, H, W).

    Returns:
        Probability and distances (N, H, W, 1 + n).
    """
    maps = torch.cat([output[:, :1].sigmoid(), output[:, 1:].clamp(min=1e-3)], dim=1)
    return maps.permute(0, 2, 3, 1)
