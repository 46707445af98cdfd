"""From an image array to network input: channel axis, channel selection, normalization."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cards.errors import DataError
from cards.formatting import counted
from finetune.data.channels import Channels, has_channels_last, select_channels
from finetune.data.normalization import Normalize

MANY_CHANNELS = 32  # more are rather rows or planes than channels


def prepare(pixels: np.ndarray, select: Channels, channels: int, normalize: Normalize) -> np.ndarray:
    """Select channels and normalize.

    Args:
        pixels: (any number of channels, H, W), as read.
        select: which channels to use, as `data.channels` in a recipe.
        channels: number of channels of the network, C.
        normalize: (C, H, W) -> float32, computed over the whole image.

    Returns:
        Network input (C, H, W) float32.

    Raises:
        DataError: if the number of selected channels is not C.
    """
    pixels = select_channels(pixels, select)
    check_channels(len(pixels), channels)
    return normalize(pixels)


def check_channels(found: int, expected: int) -> None:
    """Check the number of channels of an image.

    Args:
        found: number of channels of the image.
        expected: number of channels of the model.

    Raises:
        DataError: if the two differ.
    """
    if found == expected:
        return
    remedy = f"choose {counted(expected, 'channel')} with --channels"
    if (found, expected) == (3, 1):
        remedy = f"convert it to gray, or {remedy}"
    elif found < expected:
        remedy = "convert it to RGB" if (found, expected) == (1, 3) else f"save {expected} channels"
    if found > MANY_CHANNELS:
        remedy = "its axes may be in another order: save it as (channel, y, x), or with names of axes"
    raise DataError(f"the image has {found} channels; this model takes {expected}: {remedy}")


def channels_first(image: np.ndarray, channels: int) -> np.ndarray:
    """Move the channel axis to the front.

    Args:
        image: (H, W), (C, H, W) or (H, W, C).
        channels: number of channels of the model; it tells (H, W, C) with more than 4 channels from
            (C, H, W). Up to 4 channels, the rule is that of image files: `has_channels_last`.

    Returns:
        (C, H, W), a view.

    Raises:
        DataError: if the image has fewer than two or more than three axes, no pixels, or pixels that are NaN
            or infinite in float32.
    """
    if isinstance(image, str | Path):
        raise DataError(f"{image}: is a path, not an array of pixels; segment files with finetune.predict")
    image = np.asarray(image)
    if not image.size:
        raise DataError(f"the image has no pixels: its shape is {image.shape}")
    if image.dtype.kind == "f" and (odd := _count_not_finite(image)):
        raise DataError(f"{odd:,} of {image.size:,} values are NaN or infinite: replace them")
    if image.ndim == 2:
        return image[None]
    if image.ndim != 3:
        raise DataError(f"an image has axes (H, W), (C, H, W) or (H, W, C); this has shape {image.shape}")
    first, last = image.shape[0], image.shape[2]
    is_last = has_channels_last(image.shape) or (last == channels != first and last < min(image.shape[:2]))
    return np.moveaxis(image, -1, 0) if is_last else image


def _count_not_finite(image: np.ndarray) -> int:
    with np.errstate(over="ignore"):  # models compute in float32
        return int(np.count_nonzero(~np.isfinite(image.astype(np.float32, copy=False))))
