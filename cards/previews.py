"""Previews of test images with their labels: `images.json` of a run folder, shown by report.html.

The file holds small pictures, not the images themselves, and stays in the run folder: it is never published.
"""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from cards.base import RecordModel, read_model
from cards.canvas import resize_image, resize_labels, stretch

FILE = "images.json"
LARGEST = 1024  # pixels: longer side of a preview; larger images are reduced
MOST_IDS = 2**16 - 1  # that two bytes of a pixel distinguish; only neighbors have to differ

Picture = Annotated[str, Field(pattern=r"^data:image/(png|jpeg);base64,[A-Za-z0-9+/]+=*$")]


class Prediction(RecordModel):
    """Predicted labels of an image."""

    labels: Picture = Field(
        description="PNG; red + 256 × green is the instance, blue the error (see `error_classes`)"
    )
    distances: list[int] = Field(
        description="number of boundary pixels by their distance to the nearest one of the reference, in the "
        "bins of `Previews.bins`"
    )


class Preview(RecordModel):
    """Pictures of one test image."""

    image: str = Field(description="name of the image in the record")
    factor: float = Field(description="size of the preview relative to the image")
    pixel_size_um: float | None = Field(
        None, gt=0, description="side of a pixel of the image in µm; None if the file does not state it"
    )
    picture: Picture = Field(description="JPEG of the image, its contrast stretched")
    reference: Picture = Field(description="PNG of the reference labels")
    before: Prediction | None = None
    after: Prediction | None = None


class RelatedPicture(RecordModel):
    """A test image with the training image to which it is related."""

    image: str = Field(description="name of the test image in the record")
    related_to: str = Field(description="name of the training image")
    joined: bool = Field(description="whether both are joined at their seam; otherwise they are side by side")
    picture: Picture


class Previews(RecordModel):
    """Content of `images.json`."""

    filled: bool = Field(description="whether labels are shown as areas instead of outlines")
    bins: list[float] = Field(description="upper limits of the distances in pixels; the last bin is open")
    tolerance: float = Field(description="distance in pixels up to which an error is one of the outline")
    related: list[RelatedPicture] = Field([], description="of the first related test images")
    images: list[Preview]

    def dumps(self) -> str:
        """Serialize as JSON.

        Returns:
            One line for each image.
        """
        head = self.model_copy(update={"images": []}).model_dump_json().removesuffix("[]}")
        return head + "[\n" + ",\n".join(image.model_dump_json() for image in self.images) + "\n]}\n"

    @classmethod
    def read(cls, path: Path) -> Previews | None:
        """Read `images.json`.

        Args:
            path: the file.

        Returns:
            The previews; None if there is no such file.

        Raises:
            InputError: if the file cannot be read or holds anything else.
        """
        if not path.is_file():
            return None
        return read_model(cls, path, "previews")


def preview_factor(shape: tuple[int, ...], largest: int = LARGEST) -> float:
    """Size of a preview relative to its image.

    Args:
        shape: height and width of the image in pixels.
        largest: pixels of the longer side of a preview.

    Returns:
        1 for images up to `largest` pixels, less for larger ones.
    """
    return min(1.0, largest / max(shape))


def picture(image: np.ndarray, largest: int = LARGEST) -> str:
    """Encode an image.

    Args:
        image: (C, H, W) of any range; the contrast is stretched.
        largest: pixels of the longer side.

    Returns:
        A JPEG as a data URL.
    """
    return canvas_picture(resize_image(stretch(image), preview_factor(image.shape[-2:], largest)))


def canvas_picture(canvas: np.ndarray) -> str:
    """Encode a drawing.

    Args:
        canvas: RGB (H, W, 3) from 0 to 1.

    Returns:
        A JPEG as a data URL.
    """
    return encode((canvas * 255).round().astype(np.uint8), "jpeg", quality=88)


def label_picture(labels: np.ndarray, errors: np.ndarray | None = None) -> str:
    """Encode a label image with its errors.

    Args:
        labels: (H, W) integer, 0 is background.
        errors: (H, W) integer below 256; no error if None.

    Returns:
        A PNG as a data URL.
    """
    factor = preview_factor(labels.shape)
    small = resize_labels(labels, factor).astype(np.int64)
    ids = np.where(small > 0, (small - 1) % MOST_IDS + 1, 0)
    blue = np.zeros_like(ids) if errors is None else resize_labels(errors, factor)
    return encode(np.stack([ids % 256, ids // 256, blue], axis=-1).astype(np.uint8), "png", optimize=True)


def encode(pixels: np.ndarray, kind: str, **options: Any) -> str:
    """Encode pixels as a data URL.

    Args:
        pixels: (H, W, 3) or, with transparency, (H, W, 4) uint8.
        kind: "png" or "jpeg".
        **options: of Pillow's encoder.

    Returns:
        The data URL.
    """
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(stream.getvalue()).decode()}"
