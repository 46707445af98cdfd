"""Statistics of the training images in the record: what new images are compared with."""

from __future__ import annotations

from pydantic import Field

from cards.base import RecordModel


class Spread(RecordModel):
    """A value that was measured in each image."""

    low: float = Field(description="of the image with the smallest value")
    median: float
    high: float = Field(description="of the image with the largest value")


class ChannelStatistics(RecordModel):
    """Intensities of one channel, as fractions of the range of the data type; of float images as stored."""

    dark: Spread = Field(description="1st percentile of an image")
    bright: Spread = Field(description="99.8th percentile of an image")
    middle: Spread = Field(description="position of the median between both: 0 is dark, 1 is bright")


class ImageStatistics(RecordModel):
    """Intensities, object sizes and pixel sizes of the training images."""

    images: int = Field(description="number of images that were measured")
    dtype: str | None = Field(description="type of the pixels; None if the images differ in it")
    channels: list[ChannelStatistics] = Field(description="of the channels that the network uses")
    diameter_px: Spread | None = Field(
        None, description="median diameter of the instances of an image, 2 √(area / π), weighted by area"
    )
    pixel_size_um: Spread | None = Field(None, description="None if no image states its pixel size")
