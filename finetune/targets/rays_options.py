"""Options of the target rays."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from finetune.utils.options import Options


class RaysOptions(Options):
    """Number of rays, grid, and how labels are decoded; the defaults are StarDist's."""

    rays: int = Field(
        32, ge=4, le=256, multiple_of=4, description="number of rays; a multiple of 4 for exact quarter turns"
    )
    grid: Literal[1, 2] = Field(
        1, description="2 for a network whose output is half as high and wide as its input"
    )
    foreground: bool = Field(
        False,
        description="predict the foreground, too, for outlines that are more exact than those of the object "
        "probability",
    )
    prob_threshold: float = Field(
        0.5, ge=0, le=1, description="pixels with a higher object probability propose a polygon"
    )
    nms_threshold: float = Field(
        0.4,
        ge=0,
        le=1,
        description="of two polygons that share more than this of the smaller, one is dropped",
    )
    outline_threshold: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="pixels near a polygon belong to its instance if their object probability, or with "
        "`foreground` that of the foreground, is higher; 0 keeps the polygons, as StarDist does",
    )
