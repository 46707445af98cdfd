"""What turns the maps of queries into labels, in packages: as `Queries.decode`, of torch alone."""

from __future__ import annotations

import torch


def best_queries(maps: torch.Tensor, threshold: float, min_size: int) -> torch.Tensor:
    """Maps (N, K, H, W) in 0..1 -> labels (N, 1, H, W) int32, 0 is background.

    Args:
        maps: one a query.
        threshold: a pixel goes to its best query if that is above.
        min_size: an object of fewer pixels is dropped.
    """
    value, query = maps.max(dim=1)
    found = torch.where(value > threshold, query + 1, torch.zeros_like(query)).flatten(1)
    sizes = torch.zeros_like(maps[:, :1, 0, 0]).repeat(1, maps.shape[1] + 1)
    sizes = sizes.scatter_add(1, found, torch.ones_like(found, dtype=maps.dtype))
    kept = (sizes >= max(min_size, 1)).to(torch.int32)
    kept = torch.cat([torch.zeros_like(kept[:, :1]), kept[:, 1:]], dim=1)  # 0, the background, is none
    numbers = kept.cumsum(dim=1, dtype=torch.int32) * kept  # without gaps
    return numbers.gather(1, found).view(value.shape).unsqueeze(1)
