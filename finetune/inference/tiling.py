"""A network and one image -> maps, whatever the image's size."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F

from cards.errors import DataError
from finetune.targets.base import Target

TILE = 1024  # pixels a side; a larger image is cut, so that memory does not grow with it
# Pixels a side, of what cannot be cut: 100 maps of it take 1.7 GB, and a network holds them three times over.
WHOLE = 2048
OVERLAP = 128  # pixels seen twice between two tiles, half of them kept by each


@torch.no_grad()  # not inference_mode: TorchScript that has been trained refuses its tensors
def predict_maps(
    network: Callable[[torch.Tensor], torch.Tensor],
    target: Target,
    image: torch.Tensor,
    divisor: int,
    *,
    tile: int = TILE,
    overlap: int = OVERLAP,
) -> np.ndarray:
    """Predict the maps of one normalized image.

    Images no larger than `tile` go through whole; larger ones in tiles that overlap, of which the
    inner part is kept, unless the target's maps cannot be cut (`Target.whole`). Both are padded at the lower
    right to a multiple of `divisor`.

    Args:
        network: (1, C, H, W) float32 -> raw output (1, K, H, W).
        target: turns raw output into maps.
        image: (C, H, W) float32, on the network's device.
        divisor: heights and widths that the network takes are multiples of this, in pixels.
        tile: side of a tile, in pixels.
        overlap: width that two neighboring tiles share, in pixels.

    Returns:
        Maps (K, H, W) float32 in memory.

    Raises:
        DataError: if an image that cannot be cut is larger than `WHOLE` × `WHOLE` pixels.
    """
    height, width = image.shape[-2:]
    if target.whole:
        check_size(target, height, width, "the image")
        tile = max(height, width)
    maps = np.empty((target.channels, height, width), np.float32)
    for top, bottom in _spans(height, tile, overlap, divisor):
        for left, right in _spans(width, tile, overlap, divisor):
            raw = network(_pad(image[None, :, top:bottom, left:right], divisor))
            part = target.activate(raw.float())[0, :, : bottom - top, : right - left].cpu().numpy()
            # All but the outermost edges give up half of the overlap, where a tile lacks context.
            skip_y, skip_x = (overlap // 2 if top else 0), (overlap // 2 if left else 0)
            maps[:, top + skip_y : bottom, left + skip_x : right] = part[:, skip_y:, skip_x:]
    return maps


def check_size(target: Target, height: int, width: int, which: str) -> None:
    """Refuse an image of a target that takes images whole, where memory might not do.

    Raises:
        DataError: if it has more than `WHOLE` × `WHOLE` pixels; with `which` one it is.
    """
    if target.whole and height * width > WHOLE**2:
        raise DataError(
            f"{which} is {height} × {width} pixels, too large for target {target.name}, which takes images "
            f"whole: cut it, or make it smaller, to at most {WHOLE} × {WHOLE}"
        )


def _spans(length: int, tile: int, overlap: int, divisor: int) -> Iterator[tuple[int, int]]:
    """Starts and ends of the tiles along one axis; the last one ends with the image.

    All start at multiples of the divisor: a network that pools, or predicts for every second pixel, then
    groups the pixels of a tile as it groups those of the whole image.
    """
    if length <= tile:
        yield 0, length
        return
    step = (tile - overlap) // divisor * divisor
    last = -(-(length - tile) // divisor) * divisor
    for start in range(0, last + step, step):
        yield min(start, last), min(start + tile, length)


def _pad(image: torch.Tensor, divisor: int) -> torch.Tensor:
    height, width = image.shape[-2:]
    bottom, right = -height % divisor, -width % divisor
    if not bottom and not right:
        return image
    # Mirroring needs more pixels than it adds; a tiny image repeats its edge instead.
    mode = "reflect" if bottom < height and right < width else "replicate"
    return F.pad(image, (0, right, 0, bottom), mode=mode)
