"""Decoding of PNG and JPEG. Decoders raise arbitrary exceptions on a damaged file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from finetune.data.orientation import TAG

EXIF_IN_PNG = (b"eXIf", b"Raw profile type exif")
"""Names of the PNG chunks that may hold an orientation tag: the standard's, and ImageMagick's."""


def decode_png(path: Path) -> tuple[np.ndarray, int]:
    """Decode a PNG.

    Args:
        path: the file.

    Returns:
        Pixels (H, W) or (H, W, C), and the orientation tag.
    """
    import imagecodecs  # Pillow reads 16-bit RGB as 8-bit without a word

    content = path.read_bytes()
    orientation = 1
    if any(chunk in content for chunk in EXIF_IN_PNG):
        from PIL.PngImagePlugin import PngImageFile  # unlike Image.open, it opens pictures of any size

        with PngImageFile(path) as image:
            image.load()  # the tag may follow the pixels
            orientation = image.getexif().get(TAG, 1)
    return imagecodecs.png_decode(content), orientation


def decode_jpeg(path: Path) -> tuple[np.ndarray, int]:
    """Decode a JPEG.

    Args:
        path: the file.

    Returns:
        Pixels (H, W) or (H, W, 3), and the orientation tag.
    """
    # imagecodecs fills the missing part of a JPEG cut short with gray; Image.open refuses large pictures.
    from PIL.JpegImagePlugin import JpegImageFile

    with JpegImageFile(path) as image:
        pixels = np.asarray(image if image.mode in {"L", "RGB"} else image.convert("RGB"))
        return pixels, image.getexif().get(TAG, 1)
