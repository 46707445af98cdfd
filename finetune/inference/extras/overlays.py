"""Images with outlined instances, to look at: contrast stretched, neighbors in different colors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np

from cards.canvas import PALETTE, PERCENTILES, outline, rgb, stretch
from finetune.data.normalization import Percentile
from finetune.data.streaming_statistics import measure
from finetune.inference.extras.png import write_png
from finetune.inference.extras.registry import Segmented, SegmentedParts
from finetune.inference.label_parts import ROWS, outlined_rows
from finetune.inference.markers import PRODUCT, software
from finetune.utils.atomic import new_file


def write(result: Segmented, path: Path) -> None:
    """Write an RGB picture in the size of the image: PNG, or TIFF for a stack.

    Args:
        result: the segmented image.
        path: the file, which must not exist.
    """
    pictures = [
        _picture(stretch(pixels), labels, outline(labels, 1))
        for pixels, labels in zip(result.pixels, result.instances, strict=True)
    ]
    write_pictures(pictures, path, stack=result.stack)


def write_parts(parts: SegmentedParts, path: Path) -> None:
    """Write the same for an image that is not kept in memory.

    Args:
        parts: the segmented image.
        path: the file, which must not exist.
    """
    height, width = parts.instances.shape
    read, columns = parts.windows.read, slice(0, width)

    def blocks() -> Iterator[np.ndarray]:
        for top in range(0, height, ROWS):
            yield read(slice(top, min(top + ROWS, height)), columns)

    limits = measure(Percentile(low=PERCENTILES[0], high=PERCENTILES[1]), blocks)

    def rows() -> Iterator[np.ndarray]:
        for top, labels, edge in outlined_rows(parts.instances):
            pixels = read(slice(top, top + len(labels)), columns)
            yield _picture(stretch(pixels, limits), labels, edge)

    with new_file(path) as file:
        write_png(file, rows(), (height, width, 3), software(PRODUCT))


def _picture(stretched: np.ndarray, labels: np.ndarray, edge: np.ndarray) -> np.ndarray:
    canvas = (stretched * 255).round().astype(np.uint8)
    canvas[edge] = colors(labels[edge])
    return canvas


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
