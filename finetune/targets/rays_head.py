"""Heads of the target rays, used for predictions and in packages.

The source of one of them is copied into each BioImage.IO package, so each uses torch only, and not the other.
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


def full_size_proposals(output: torch.Tensor) -> torch.Tensor:
    """Convert raw output of a network with a grid of 2 to object probability and distances in every pixel.

    Args:
        output: logit and distances (N, 1 + n, H / 2, W / 2).

    Returns:
        Probability and distances (N, H, W, 1 + n): those of each pixel of the grid in 2 × 2 pixels.
    """
    maps = torch.cat([output[:, :1].sigmoid(), output[:, 1:].clamp(min=1e-3)], dim=1)
    return maps.permute(0, 2, 3, 1).repeat_interleave(2, 1).repeat_interleave(2, 2)


def proposals_and_foreground(output: torch.Tensor) -> torch.Tensor:
    """Convert raw output to object probability, distances, and foreground.

    Args:
        output: logit, distances, and logit (N, 2 + n, H, W).

    Returns:
        Probability, distances, and probability of the foreground (N, H, W, 2 + n).
    """
    maps = [output[:, :1].sigmoid(), output[:, 1:-1].clamp(min=1e-3), output[:, -1:].sigmoid()]
    return torch.cat(maps, dim=1).permute(0, 2, 3, 1)


def full_size_maps(output: torch.Tensor) -> torch.Tensor:
    """Convert raw output of a network with a grid of 2 and a foreground to these maps in every pixel.

    Args:
        output: logit, distances, and logit (N, 2 + n, H / 2, W / 2).

    Returns:
        Probability, distances, and probability of the foreground (N, H, W, 2 + n): those of each pixel of
        the grid in 2 × 2 pixels.
    """
    maps = [output[:, :1].sigmoid(), output[:, 1:-1].clamp(min=1e-3), output[:, -1:].sigmoid()]
    return torch.cat(maps, dim=1).permute(0, 2, 3, 1).repeat_interleave(2, 1).repeat_interleave(2, 2)
