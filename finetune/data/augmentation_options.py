"""Options of augmentation: the section `training.augmentation` of a recipe."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator


class AugmentationSection(BaseModel):
    """Random changes to training patches."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    symmetries: bool = Field(True, description="the 8 rotations and reflections of the square")
    intensity: float = Field(
        0.2,
        ge=0,
        le=1,
        description="strength i of random changes: gain and gamma from e^-i to e^i, offset up to i standard "
        "deviations of the patch",
    )
    noise: float = Field(
        0.05, ge=0, le=1, description="largest Gaussian noise, in standard deviations of the patch"
    )
    scale: tuple[float, float] = Field((0.75, 1.33), description="smallest and largest scale factor")

    @field_validator("scale")
    @classmethod
    def _ordered(cls, scale: tuple[float, float]) -> tuple[float, float]:
        if not 0.1 <= scale[0] <= scale[1] <= 10:
            raise ValueError("must be two factors from 0.1 to 10, the smaller first")
        return scale
