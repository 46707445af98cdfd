"""Contact sheet: small images with outlined masks, to look at before training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cards.canvas import DOTS, PALETTE, open_figure, outline, resize_image, resize_labels, rgb, stretch

SOFTWARE = "finetune contact sheet"
"""PNG chunk Software, by which an earlier contact sheet is recognized."""

SIDE = 320  # pixels of the longer side of a tile
COLUMNS = 4
TITLE = 0.2  # inches above a tile


class Tile(NamedTuple):
    """One image of the sheet.

    Attributes:
        title: a line above the image.
        image: RGB (h, w, 3) from 0 to 1.
    """

    title: str
    image: np.ndarray


def draw_tile(image: np.ndarray, labels: np.ndarray, title: str) -> Tile:
    """Shrink an image to a tile, stretch its contrast, and outline each instance in a color.

    Neighbors differ in color, so that instances that share an id are noticed.

    Args:
        image: (C, H, W), any range.
        labels: (H, W) integer, 0 is background.
        title: a line above the image.

    Returns:
        The tile, small enough to keep many of them.
    """
    factor = SIDE / max(labels.shape)
    canvas, small = resize_image(stretch(image), factor), resize_labels(labels, factor)
    colors = np.array([rgb(color) for color in PALETTE], np.float32)
    edge = outline(small, 1)
    canvas[edge] = colors[small[edge] % len(PALETTE)]
    return Tile(title, canvas)


def contact_sheet(tiles: Sequence[Tile], path: Path) -> None:
    """Draw tiles in rows of four.

    Args:
        tiles: at least one.
        path: output PNG.
    """
    columns, rows = min(COLUMNS, len(tiles)), -(-len(tiles) // COLUMNS)
    side = SIDE / DOTS
    width, height = columns * (side + 0.05), rows * (side + TITLE)
    with open_figure(path, width, height, layout=None, software=SOFTWARE) as figure:
        for index, tile in enumerate(tiles):
            left, top = (index % columns) / columns, 1 - (index // columns) / rows
            tall, wide = (size / DOTS for size in tile.image.shape[:2])
            bottom = top - (TITLE + tall) / height
            axes = figure.add_axes((left, bottom, wide / width, tall / height))
            axes.imshow(tile.image, interpolation="none", aspect="auto")
            axes.axis("off")
            # A name is no formula: parse_math would read $ as its start.
            figure.text(left, top - 0.03 / height, tile.title, va="top", fontsize=6, parse_math=False)


def is_contact_sheet(path: Path) -> bool:
    """Whether a file is an earlier contact sheet, which may be replaced.

    Args:
        path: any path.

    Returns:
        True for a PNG that `contact_sheet` wrote; False for links and all other files.
    """
    from PIL import Image

    if path.is_symlink() or not path.is_file():
        return False
    try:
        with Image.open(path) as image:
            return image.info.get("Software") == SOFTWARE
    except Exception:  # no image, or a damaged one
        return False
