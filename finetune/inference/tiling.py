"""Prediction of the maps of an image of any size, in overlapping tiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F

from cards.errors import DataError
from finetune.targets.base import Decoding

TILE = 1024  # height and width in pixels; larger images are tiled, so that memory use does not grow
# Largest height and width, in pixels, of an image that cannot be tiled: its 100 maps take 1.7 GB, and a
# network holds three copies.
WHOLE = 2048
OVERLAP = 128  # pixels that neighboring tiles share; each tile keeps half of them


@torch.no_grad()  # not inference_mode: TorchScript that has been trained refuses its tensors
def predict_maps(
    network: Callable[[torch.Tensor], torch.Tensor],
    target: Decoding,
    image: torch.Tensor,
    divisor: int,
    *,
    tile: int = TILE,
    overlap: int = OVERLAP,
    alignment: int | None = None,
) -> np.ndarray:
    """Predict the maps of one normalized image.

    Images no larger than `tile` are predicted in one piece, larger ones in overlapping tiles, of which the
    inner part is kept, unless the target's maps cannot be tiled (`Decoding.whole`). Images and tiles are
    padded at the lower right to a multiple of `divisor`.

    Args:
        network: (1, C, H, W) float32 -> raw output (1, K, H, W).
        target: converts raw output to maps.
        image: (C, H, W) float32, on the network's device.
        divisor: the network takes heights and widths that are multiples of this, in pixels.
        tile: height and width of a tile in pixels.
        overlap: width of the area that neighboring tiles share, in pixels.
        alignment: tiles start at multiples of this, in pixels; `divisor` if None.

    Returns:
        Maps (K, H, W) float32, on the CPU.

    Raises:
        DataError: if an image that cannot be tiled is larger than `WHOLE` × `WHOLE` pixels.
    """
    height, width = image.shape[-2:]
    if target.whole:
        check_size(target, height, width, "the image")
        tile = max(height, width)
    alignment = alignment or divisor
    maps = np.empty((target.channels, height, width), np.float32)
    for top, bottom in _spans(height, tile, overlap, alignment):
        for left, right in _spans(width, tile, overlap, alignment):
            raw = network(_pad(image[None, :, top:bottom, left:right], divisor))
            part = target.activate(raw.float())[0, :, : bottom - top, : right - left].cpu().numpy()
            # Half of the overlap is discarded, where a tile lacks context; not at the image border.
            skip_y, skip_x = (overlap // 2 if top else 0), (overlap // 2 if left else 0)
            maps[:, top + skip_y : bottom, left + skip_x : right] = part[:, skip_y:, skip_x:]
    return maps


def check_size(target: Decoding, height: int, width: int, which: str) -> None:
    """Check that an image is small enough to be predicted in one piece, if the target requires it.

    Args:
        target: the target.
        height: height of the image in pixels.
        width: width of the image in pixels.
        which: name of the image in the error.

    Raises:
        DataError: if the image has more than `WHOLE` × `WHOLE` pixels.
    """
    if target.whole and height * width > WHOLE**2:
        raise DataError(
            f"{which} is {height} × {width} pixels, too large for target {target.name}, which cannot tile "
            f"images: crop or downsample it to at most {WHOLE} × {WHOLE} pixels"
        )


def _spans(length: int, tile: int, overlap: int, alignment: int) -> Iterator[tuple[int, int]]:
    """Starts and ends of the tiles along one axis; the last tile ends with the image.

    Tiles start at multiples of `alignment`, the divisor of the network, so that a network that pools, or
    predicts every other pixel, groups the pixels of a tile as those of the whole image.
    """
    if length <= tile:
        yield 0, length
        return
    step = (tile - overlap) // alignment * alignment
    last = -(-(length - tile) // alignment) * alignment
    for start in range(0, last + step, step):
        yield min(start, last), min(start + tile, length)


def _pad(image: torch.Tensor, divisor: int) -> torch.Tensor:
    height, width = image.shape[-2:]
    bottom, right = -height % divisor, -width % divisor
    if not bottom and not right:
        return image
    # Mirroring needs more pixels than it adds; a tiny image is padded with its edge.
    mode = "reflect" if bottom < height and right < width else "replicate"
    return F.pad(image, (0, right, 0, bottom), mode=mode)
