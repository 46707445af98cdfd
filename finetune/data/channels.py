"""Which channels of an image the network sees."""

from __future__ import annotations

from typing import Literal

import numpy as np

from cards.errors import DataError

Channels = Literal["auto", "gray"] | list[int]


def select_channels(image: np.ndarray, channels: Channels, name: str = "the image") -> np.ndarray:
    """Channels of an image (C, H, W) as (K, H, W).

    Args:
        image: the image as read.
        channels: "auto" keeps all of them; "gray" gives one, the mean of all as float32 (an image with one
            channel stays as it is); a list picks channels by index from 0, in that order.
        name: how an error calls the image.

    Raises:
        DataError: if a channel is asked for that the image does not have.
    """
    if channels == "auto":
        return image
    if channels == "gray":
        return image if len(image) == 1 else image.mean(axis=0, keepdims=True, dtype=np.float32)
    missing = [channel for channel in channels if not 0 <= channel < len(image)]
    if missing or not channels:
        raise DataError(
            f"{name}: has channels 0 to {len(image) - 1}, but data.channels asks for {list(channels)}"
        )
    return image[list(channels)]
