"""What a dry run shows of the images: size, channels, type, values, and a sheet with outlined masks."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from cards.contact_sheet import Tile, contact_sheet, draw_tile, is_contact_sheet
from cards.record import DataFile
from finetune.pipeline.plan import Plan
from finetune.utils.atomic import atomic_file

SHOWN = 12  # images on the sheet, spread evenly over all of them
LONGEST_NAME = 28


def describe_images(files: list[DataFile], low: float, high: float, shown: int) -> str:
    """Describe the images as they were read.

    Args:
        files: all images.
        low: smallest value of the images on the sheet.
        high: largest value of the images on the sheet.
        shown: number of images on the sheet.

    Returns:
        Size, number of channels, type and value range, in one line.
    """
    heights, widths = ([file.shape[axis] for file in files] for axis in (1, 2))
    size = f"{min(heights)} × {min(widths)}"
    if min(heights) < max(heights) or min(widths) < max(widths):
        size += f" to {max(heights)} × {max(widths)}"
    channels = _counted(Counter(file.shape[0] for file in files), "channel", "channels")
    types = ", ".join(sorted({file.dtype for file in files}))
    where = "" if shown == len(files) else f" in {shown} of {len(files)} images"
    return f"{size} px (height × width), {channels}, {types}, values {low:g} to {high:g}{where}"


def read_tiles(plan: Plan[Any]) -> tuple[list[Tile], float, float]:
    """Read some of the images and draw them with outlined masks. One image is in memory at a time.

    Args:
        plan: the resolved recipe.

    Returns:
        Tiles of images from all splits, and the smallest and the largest value of their pixels.
    """
    pairs = plan.data.pairs
    chosen = np.unique(np.linspace(0, len(pairs) - 1, SHOWN).round().astype(int))
    tiles, lows, highs = [], [], []
    for pair in (pairs[index] for index in chosen):
        sample = plan.data.reader(pair)
        name = pair.name if len(pair.name) <= LONGEST_NAME else f"{pair.name[:14]}…{pair.name[-13:]}"
        instances = int(np.count_nonzero(np.unique(sample.labels)))
        title = "".join(letter if letter.isprintable() else "?" for letter in name)
        tiles.append(draw_tile(sample.pixels, sample.labels, f"{title} · {pair.split} · {instances} labels"))
        lows.append(float(sample.pixels.min()))
        highs.append(float(sample.pixels.max()))
    return tiles, min(lows), max(highs)


def write_preview(tiles: list[Tile], destination: Path) -> str:
    """Write the contact sheet beside the run folder that a run would write.

    An earlier contact sheet is replaced, and no other file.

    Args:
        tiles: images to show.
        destination: the run folder.

    Returns:
        Path of the sheet, or why it was not written.
    """
    path = destination.parent / f"{destination.name}.preview.png"
    if os.path.lexists(path) and not is_contact_sheet(path):
        return f"not written: {path} exists and is no contact sheet of finetune"
    try:
        with atomic_file(path) as partial:
            contact_sheet(tiles, partial)
    except OSError as error:  # the check of the recipe is worth more than the picture
        return f"not written: {path}: {error.strerror}"
    return f"{path} (images with outlined masks: look at it before you train)"


def _counted(counts: Counter[int], singular: str, plural: str) -> str:
    words = [f"{number} {singular if number == 1 else plural}" for number in sorted(counts)]
    return " or ".join(words)
