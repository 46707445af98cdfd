"""Images with outlined instances, to look at: contrast stretched, neighbors in different colors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from cards.canvas import PALETTE, outline, rgb, stretch
from finetune.inference.extras.registry import Segmented
from finetune.inference.markers import PRODUCT, software
from finetune.utils.atomic import new_file


def write(result: Segmented, path: Path) -> None:
    """Write an RGB picture in the size of the image: PNG, or TIFF for a stack.

    Args:
        result: the segmented image.
        path: the file, which must not exist.
    """
    pictures = []
    for pixels, labels in zip(result.pixels, result.labels, strict=True):
        canvas = (stretch(pixels) * 255).round().astype(np.uint8)
        edge = outline(labels, 1)
        canvas[edge] = colors(labels[edge])
        pictures.append(canvas)
    write_pictures(pictures, path, stack=result.stack)


def colors(labels: np.ndarray) -> np.ndarray:
    """Color of each label.

    Args:
        labels: (N,) integer.

    Returns:
        (N, 3) uint8.
    """
    palette = np.array([rgb(color) for color in PALETTE]) * 255
    return palette.round().astype(np.uint8)[labels % len(PALETTE)]


def write_pictures(pictures: Sequence[np.ndarray], path: Path, *, stack: bool) -> None:
    """Write one picture as PNG, or several as the pages of a TIFF.

    Args:
        pictures: each (H, W, 3) or, with transparency, (H, W, 4) uint8.
        path: the file, which must not exist.
        stack: whether to write a TIFF.
    """
    with new_file(path) as file:
        if stack:
            _write_tiff(np.stack(list(pictures)), file)
        else:
            _write_png(pictures[0], file)


def _write_tiff(pictures: np.ndarray, file: IO[bytes]) -> None:
    import tifffile

    extra = ["unassalpha"] if pictures.shape[-1] == 4 else None
    mark = software(PRODUCT)
    tifffile.imwrite(file, pictures, photometric="rgb", extrasamples=extra, compression="zlib", software=mark)


def _write_png(picture: np.ndarray, file: IO[bytes]) -> None:
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    marked = PngInfo()
    marked.add_text("Software", software(PRODUCT))
    Image.fromarray(picture).save(file, format="png", pnginfo=marked)
