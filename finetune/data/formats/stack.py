"""What a microscope file declares, and one 2D image of it read without the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import NoReturn

import numpy as np

from cards.errors import DataError

PLANE_AXES = "CSYX"  # channel, sample (the R, G, B of one pixel), height, width
PLANES_REMEDY = "save each plane to its own file, or give image and mask the same number of planes"
STACKS = {"Z": "a z-stack", "T": "a time series", "P": "several positions"}


@dataclass(frozen=True)
class Stack:
    """An open file: header, and a function that reads one 2D image.

    Attributes:
        sizes: size by axis, in the order of the file. Z, T, P (position) and every letter other than
            C, S, Y, X count pages.
        dtype: type of the pixels in the file.
        read: reads the 2D image at an index of each page axis as (C, H, W), or (C, H, W) with samples as
            further channels.
        scale: length of a pixel in µm along Z, Y and X; None or absent where the file does not state it.
    """

    sizes: Mapping[str, int]
    dtype: str
    read: Callable[[Mapping[str, int]], np.ndarray]
    scale: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def page_axes(self) -> list[str]:
        """Axes that count pages."""
        return [axis for axis in self.sizes if axis not in PLANE_AXES]

    @property
    def pages(self) -> int:
        """Number of 2D images."""
        return prod(self.sizes[axis] for axis in self.page_axes)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one 2D image."""
        channels = self.sizes.get("C", 1) * self.sizes.get("S", 1)
        return channels, self.sizes["Y"], self.sizes["X"]

    def index(self, path: Path, page: int | None) -> dict[str, int]:
        """Index along each page axis.

        Args:
            path: the file, for messages.
            page: index from 0 over all page axes, the last fastest; None if the file must hold one image.

        Returns:
            Index by axis.

        Raises:
            DataError: if there is no such page, or the file holds several and none is given.
        """
        if page is None and self.pages > 1:
            axes = "".join(axis for axis in self.sizes if self.sizes[axis] > 1)
            refuse_planes(path, self.pages, axes)
        page = page or 0
        if not 0 <= page < self.pages:
            raise DataError(f"{path}: has no page {page}: it holds {self.pages}, counted from 0")
        shape = [self.sizes[axis] for axis in self.page_axes]
        return dict(zip(self.page_axes, map(int, np.unravel_index(page, shape or [1])), strict=False))


def refuse_planes(path: Path, count: int, axes: str) -> NoReturn:
    """Refuse a file of several planes where one 2D image is needed.

    Args:
        path: the file.
        count: number of planes.
        axes: letters of its axes.

    Raises:
        DataError: always.
    """
    kind = next((f", {STACKS[axis]}," for axis in axes if axis in STACKS), "")
    raise DataError(
        f"{path}: holds {count} planes (axes {axes}){kind} where one 2D image is needed: {PLANES_REMEDY}"
    )


def refuse_missing(path: Path, described: int, held: int) -> NoReturn:
    """Refuse a file in which planes are missing that its header describes.

    Args:
        path: the file.
        described: number of planes in the header.
        held: number of planes in the file.

    Raises:
        DataError: always.
    """
    raise DataError(
        f"{path}: its header describes {described} planes, but the file holds {held}: it may be cut short, "
        "or other files belong to it"
    )
