"""Outlines of the instances on a transparent background, to be laid over the image in another program."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cards.canvas import outline
from finetune.inference.extras.overlays import colors, write_pictures
from finetune.inference.extras.png import write_png
from finetune.inference.extras.registry import Segmented, SegmentedParts
from finetune.inference.label_parts import outlined_rows
from finetune.inference.markers import PRODUCT, software
from finetune.utils.atomic import new_file


def write(result: Segmented, path: Path) -> None:
    """Write an RGBA picture in the size of the image: PNG, or TIFF for a stack.

    Args:
        result: the segmented image.
        path: the file, which must not exist.
    """
    pictures = [_picture(labels, outline(labels, 1)) for labels in result.instances]
    write_pictures(pictures, path, stack=result.stack)


def write_parts(parts: SegmentedParts, path: Path) -> None:
    """Write the same for an image that is not kept in memory.

    Args:
        parts: the segmented image.
        path: the file, which must not exist.
    """
    rows = (_picture(labels, edge) for _, labels, edge in outlined_rows(parts.instances))
    with new_file(path) as file:
        write_png(file, rows, (*parts.instances.shape, 4), software(PRODUCT))


def _picture(labels: np.ndarray, edge: np.ndarray) -> np.ndarray:
    canvas = np.zeros((*labels.shape, 4), np.uint8)
    canvas[edge, :3], canvas[edge, 3] = colors(labels[edge]), 255
    return canvas
