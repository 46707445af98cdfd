"""Head of the target queries, used in packages: `Queries.decode` in torch."""

from __future__ import annotations

import torch


def best_queries(maps: torch.Tensor, threshold: float, min_size: int) -> torch.Tensor:
    """Assign each pixel to its best query.

    Args:
        maps: (N, K, H, W) from 0 to 1, one map per query.
        threshold: smallest value of the best query for a pixel to be labeled.
        min_size: size of the smallest object in pixels.

    Returns:
        Labels (N, 1, H, W) int32, 0 is background.
    """
    value, query = maps.max(dim=1)
    found = torch.where(value > threshold, query + 1, torch.zeros_like(query)).flatten(1)
    sizes = torch.zeros_like(maps[:, :1, 0, 0]).repeat(1, maps.shape[1] + 1)
    sizes = sizes.scatter_add(1, found, torch.ones_like(found, dtype=maps.dtype))
    kept = (sizes >= max(min_size, 1)).to(torch.int32)
    kept = torch.cat([torch.zeros_like(kept[:, :1]), kept[:, 1:]], dim=1)  # 0 is the background
    numbers = kept.cumsum(dim=1, dtype=torch.int32) * kept  # without gaps
    return numbers.gather(1, found).view(value.shape).unsqueeze(1)
