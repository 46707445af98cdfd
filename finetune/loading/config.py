"""`config.json` of a model that finetune wrote: what `Model.config` returns."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from cards.base import NetworkSpec, Spec
from finetune.repositories.limits import MAX_CHANNELS, MAX_SIDE


class ModelConfig(BaseModel):
    """Network, target and preprocessing of a model. Other keys, such as those the Hub adds, are ignored."""

    library_name: Literal["finetune"]
    architecture: NetworkSpec
    target: Spec
    normalize: dict[str, Any]
    select_channels: Literal["auto", "gray"] | list[Annotated[int, Field(ge=0)]]
    channels: Annotated[int, Field(ge=1, le=MAX_CHANNELS)]
    receptive_field: Annotated[int, Field(ge=0, le=MAX_SIDE)] | Literal["image"] | None = None
    halo: Annotated[int, Field(ge=0, le=MAX_SIDE)] = 0
    inference_precision: Literal["float32", "bf16"] = "float32"


class PackageConfig(ModelConfig):
    """`config.finetune.prediction` of a BioImage.IO package that finetune wrote."""

    divisor: Annotated[int, Field(ge=1, le=MAX_SIDE)]
