"""Images with outlined instances, to look at: contrast stretched, neighbors in different colors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cards.canvas import PALETTE, outline, rgb, stretch
from finetune.inference.extras.registry import Segmented
from finetune.inference.markers import PRODUCT, software


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
    if stack:
        import tifffile

        extra = ["unassalpha"] if pictures[0].shape[-1] == 4 else None
        tifffile.imwrite(
            path,
            np.stack(list(pictures)),
            photometric="rgb",
            extrasamples=extra,
            compression="zlib",
            software=software(PRODUCT),
        )
        return
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    marked = PngInfo()
    marked.add_text("Software", software(PRODUCT))
    with path.open("xb") as file:
        Image.fromarray(pictures[0]).save(file, format="png", pnginfo=marked)
