"""Options of the classic Cellpose networks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from finetune.utils.options import Options

# Pixels: a tenth and ten times the diameter that the classic networks were trained for.
Diameter = Annotated[float, Field(ge=3, le=300)]


class CPnetOptions(Options):
    """Options of the classic networks."""

    diameter: Diameter | Literal["auto"] | None = Field(
        None,
        description="diameter of the objects in pixels; images are resized so that it becomes diam_mean. "
        "auto: measured in the training labels; null: no resizing",
    )
    diam_mean: Diameter = Field(30.0, description="diameter that the weights were trained for, in pixels")
    nchan: int = Field(2, ge=1, le=16, description="input channels of the first layer")


class NucleiOptions(CPnetOptions):
    """Options of the model `nuclei`."""

    diam_mean: Diameter = Field(17.0, description="diameter that the weights were trained for, in pixels")
