"""Which channels of an image the network sees."""

from __future__ import annotations

from typing import Literal

import numpy as np

from cards.errors import DataError

Channels = Literal["auto", "gray"] | list[int]

MOST_LAST = 4
"""Largest number of entries of a last axis that is taken for channels: gray and alpha, RGB, RGBA."""


def has_channels_last(shape: tuple[int, ...]) -> bool:
    """The one rule for three axes without names, in files and arrays: (H, W, C) or (C, H, W).

    Args:
        shape: of an image with three axes.

    Returns:
        True if the last axis has 1 to 4 entries, and both others have more than 4.
    """
    return 1 <= shape[2] <= MOST_LAST < min(shape[:2])


def select_channels(image: np.ndarray, channels: Channels, name: str = "the image") -> np.ndarray:
    """Select the channels that a network sees.

    Args:
        image: (C, H, W) as read.
        channels: "auto" keeps all channels; "gray" gives their mean as one float32 channel (an image with
            one channel is unchanged); a list selects channels by index from 0, in that order.
        name: name of the image in an error message.

    Returns:
        (K, H, W).

    Raises:
        DataError: if the image lacks a channel of the list.
    """
    if channels == "auto":
        return image
    if channels == "gray":
        return image if len(image) == 1 else image.mean(axis=0, keepdims=True, dtype=np.float32)
    check_selected(len(image), channels, name)
    return image[list(channels)]


def check_selected(count: int, channels: list[int], name: str = "the image") -> None:
    """Check that an image has the channels that are selected.

    Args:
        count: number of channels of the image.
        channels: indices from 0.
        name: name of the image in an error message.

    Raises:
        DataError: if one is missing, or none is selected.
    """
    if not channels or not all(0 <= channel < count for channel in channels):
        raise DataError(
            f"{name} has channels 0 to {count - 1}, but channels {channels} were asked for: change "
            "data.channels, or --channels of predict"
        )
