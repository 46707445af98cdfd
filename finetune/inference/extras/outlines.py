"""Outlines of the instances on a transparent background, to be laid over the image in another program."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cards.canvas import outline
from finetune.inference.extras.overlays import colors, write_pictures
from finetune.inference.extras.registry import Segmented


def write(result: Segmented, path: Path) -> None:
    """Write an RGBA picture in the size of the image: PNG, or TIFF for a stack.

    Args:
        result: the segmented image.
        path: the file, which must not exist.
    """
    pictures = []
    for labels in result.labels:
        canvas = np.zeros((*labels.shape, 4), np.uint8)
        edge = outline(labels, 1)
        canvas[edge, :3], canvas[edge, 3] = colors(labels[edge]), 255
        pictures.append(canvas)
    write_pictures(pictures, path, stack=result.stack)
